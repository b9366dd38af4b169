package lab

import (
	"time"

	"tandem/internal/units"
)

// Scenario is what is to be brought to whom. Rates are those of the links, in bytes per
// second, headers included; Payload says which share of them content can use.
//
// The zero value of an optional field means what Complete puts there.
type Scenario struct {
	Name  string     `toml:"name" json:"name"`
	About string     `toml:"about" json:"about,omitempty"` // a paragraph for the reader
	Use   string     `toml:"use" json:"use,omitempty"`     // the typical use it stands for
	Size  units.Size `toml:"size" json:"size"`             // bytes of the file that everybody wants
	Piece units.Size `toml:"piece" json:"piece"`           // bytes; 0: the product's rule (content.PieceLength)

	Origin    Origin   `toml:"origin" json:"origin"`
	Receivers []Group  `toml:"receivers" json:"receivers"`
	Arrivals  Arrivals `toml:"arrivals" json:"arrivals"`
	Stay      Stay     `toml:"stay" json:"stay"`         // after completion
	Sessions  Sessions `toml:"sessions" json:"sessions"` // before completion: churn
	Kills     []Kill   `toml:"kill" json:"kills,omitempty"`
	Hostile   Mischief `toml:"hostile" json:"hostile"`

	Latency Duration `toml:"latency" json:"latency"` // one way, between any two; default 1 ms
	// Payload is the share of a link's rate that content can use: 1448/1514 by default
	// (Ethernet, MTU 1500, TCP timestamps). 1 where a program limits itself.
	Payload float64 `toml:"payload" json:"payload"`

	Prices  Prices  `toml:"prices" json:"prices"`
	Needs   Needs   `toml:"needs" json:"needs"` // for the verdict
	Models  []Model `toml:"models" json:"models"`
	Worlds  []Place `toml:"worlds" json:"worlds"`
	Repeats int     `toml:"repeats" json:"repeats"`
	Seed    uint64  `toml:"seed" json:"seed"`
}

// Origin is the server, or in a swarm the first seeder.
type Origin struct {
	Count  int        `toml:"count" json:"count"`             // origins with equal links; default 1
	Up     units.Rate `toml:"up" json:"up"`                   // of each
	Copies float64    `toml:"copies" json:"copies,omitempty"` // hybrid: copies it may give to a crowd; 0: no limit
	MTTF   Duration   `toml:"mttf" json:"mttf,omitempty"`     // mean time to failure, for availability; default 1000 h
	MTTR   Duration   `toml:"mttr" json:"mttr,omitempty"`     // mean time to repair; default 4 h
}

// Group is receivers with equal links.
type Group struct {
	Count int        `toml:"count" json:"count"`
	Up    units.Rate `toml:"up" json:"up"` // 0: gives nothing
	Down  units.Rate `toml:"down" json:"down"`
	Name  string     `toml:"name" json:"name,omitempty"`
}

// Arrivals says when receivers start.
type Arrivals struct {
	Kind string  `toml:"kind" json:"kind"`           // "flash" (all at once, default) or "poisson"
	Rate float64 `toml:"rate" json:"rate,omitempty"` // poisson: arrivals per second
}

// Stay says how long a receiver serves after it has everything.
type Stay struct {
	Kind string   `toml:"kind" json:"kind"` // "leave" (at once, default), "for" or "end" (until all have finished)
	For  Duration `toml:"for" json:"for,omitempty"`
}

// Sessions says how long a receiver stays online before it has everything, and how long
// it is away then. Zero Mean: it never goes.
type Sessions struct {
	Mean  Duration `toml:"mean" json:"mean,omitempty"`
	Shape float64  `toml:"shape" json:"shape,omitempty"` // of the Weibull distribution; default 0.6
	Away  Duration `toml:"away" json:"away,omitempty"`   // mean, exponential; 0: never comes back
}

// Kill takes nodes away for good, at a share of the bytes that all receivers want
// together (N x Size).
type Kill struct {
	Who   string  `toml:"who" json:"who"`     // "origin" or "peers"
	Share float64 `toml:"share" json:"share"` // origin: of the origins, peers: of the receivers alive; default 1
	At    float64 `toml:"at" json:"at"`       // 0 to 1
}

// Mischief is shares of the receivers, 0 to 1.
type Mischief struct {
	Poisoners   float64 `toml:"poisoners" json:"poisoners,omitempty"`     // send wrong bytes
	FreeRiders  float64 `toml:"free_riders" json:"free_riders,omitempty"` // send nothing
	Unreachable float64 `toml:"unreachable" json:"unreachable,omitempty"` // behind NAT: can dial, cannot be dialled
}

// Prices are dated inputs, in dollars. Where the money goes is shown, not only how much.
// Start from DefaultPrices where a price of zero is meant: in a literal, zero means the
// default.
type Prices struct {
	Egress  float64 `toml:"egress" json:"egress"`   // per GB (1e9) leaving the origin; default 0.09 (large cloud, first 10 TB, 2026)
	Peer    float64 `toml:"peer" json:"peer"`       // per GB leaving a receiver; default 0
	Server  float64 `toml:"server" json:"server"`   // per hour of a server; default 0.02
	Storage float64 `toml:"storage" json:"storage"` // per GB and month at the origin; default 0.023
	Staff   float64 `toml:"staff" json:"staff"`     // per hour of staff; default 0: not counted

	said bool // zeros are meant: filled from DefaultPrices, by Read or by Complete
}

// Needs are the user's limits; zero values do not limit.
type Needs struct {
	Deadline     Duration `toml:"deadline" json:"deadline,omitempty"`         // for the last receiver
	Availability float64  `toml:"availability" json:"availability,omitempty"` // 0 to 1: probability that the file can be had
	Revocation   Duration `toml:"revocation" json:"revocation,omitempty"`     // access ends within
	Audit        bool     `toml:"audit" json:"audit,omitempty"`               // every download is on record
	NoUpload     bool     `toml:"no_upload" json:"no_upload,omitempty"`       // receivers must not upload
	NoServer     bool     `toml:"no_server" json:"no_server,omitempty"`       // nobody may have to be trusted with a server
	Outlive      bool     `toml:"outlive" json:"outlive,omitempty"`           // must go on when the origin dies
}

// Duration is a time.Duration spelled 90s, 30m or 12h.
type Duration time.Duration

// N returns the number of receivers.
func (s *Scenario) N() int {
	n := 0
	for _, g := range s.Receivers {
		n += g.Count
	}
	return n
}
