package node

import "time"

// Kinds of items.
const (
	KindShare  = "share"
	KindGet    = "get"
	KindSeed   = "seed"
	KindRepair = "repair"
)

// Snapshot is an item as people and scripts see it. Names in it come from
// peers and torrents: escape control characters before printing them.
type Snapshot struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Audience   string    `json:"audience"`
	State      string    `json:"state"` // as transfer.State
	Path       string    `json:"path,omitempty"`
	Link       string    `json:"link,omitempty"` // only where one item is asked for
	InfoHash1  string    `json:"infohash_v1,omitempty"`
	InfoHash2  string    `json:"infohash_v2,omitempty"`
	Bytes      int64     `json:"bytes"` // verified, of Total
	Total      int64     `json:"total"`
	Pieces     int       `json:"pieces"` // verified, of Wanted
	Wanted     int       `json:"wanted"`
	Rate       float64   `json:"rate"` // bytes per second coming in
	UpRate     float64   `json:"up_rate"`
	FromPeers  int64     `json:"from_peers"`
	FromOrigin int64     `json:"from_origin"`
	Uploaded   int64     `json:"uploaded"`
	Wasted     int64     `json:"wasted"`
	Copies     float64   `json:"copies"`
	Limit      string    `json:"limit,omitempty"` // the limit that binds, in words
	Error      string    `json:"error,omitempty"`
	ErrorKind  string    `json:"error_kind,omitempty"`
	Started    time.Time `json:"started"`
	Completed  time.Time `json:"completed,omitzero"`

	Peers   []PeerSnapshot    `json:"peers,omitempty"`
	Sources map[string]int64  `json:"sources,omitempty"` // bytes taken, by peer
	Sinks   map[string]int64  `json:"sinks,omitempty"`   // bytes given, by peer
	Finders map[string]string `json:"finders,omitempty"`
}

// PeerSnapshot is one connection.
type PeerSnapshot struct {
	Name     string  `json:"name"`
	Addr     string  `json:"addr"`
	Path     string  `json:"path"`
	Client   string  `json:"client,omitempty"`
	Down     int64   `json:"down"`
	Up       int64   `json:"up"`
	DownRate float64 `json:"down_rate"`
	UpRate   float64 `json:"up_rate"`
	Pieces   int     `json:"pieces"`
	Seeder   bool    `json:"seeder,omitempty"`
}
