package node

import (
	"time"

	"tandem/internal/peer"
	"tandem/internal/transfer"
)

// Forever is the KeepSeeding of a transfer that serves until it is stopped.
const Forever = time.Duration(1<<63 - 1)

// Common is what every share and transfer may be told.
type Common struct {
	Up   int64 `json:"up,omitempty"`   // payload bytes per second, this item only; 0: unlimited
	Down int64 `json:"down,omitempty"` //
	// Peers are "host:port" names of nodes to connect to, resolved once.
	Peers []string `json:"peers,omitempty"`
	// Trackers are announced to beside those the source names.
	Trackers []string `json:"trackers,omitempty"`
}

// ShareOptions describe a share.
type ShareOptions struct {
	Common
	Path     string        `json:"path"` // absolute file or folder, served where it stands
	Name     string        `json:"name,omitempty"`
	Audience peer.Audience `json:"audience"`
	Torrent  string        `json:"torrent,omitempty"` // absolute path to write a .torrent to; public only
	V1       bool          `json:"v1,omitempty"`      // without the v2 half, for clients that cannot read hybrids; public only
	Secret   []byte        `json:"secret,omitempty"`  // link only; nil: a new one

	// Server is where it is uploaded to as well, under To, NAME[/PATH]; its link is then
	// the server's. Nil: nowhere. Link only.
	Server *Account `json:"server,omitempty"`
	To     string   `json:"to,omitempty"`
}

// Account is how a server is reached, and as whom.
type Account struct {
	URL    string `json:"url,omitempty"`    // https://HOST; empty where a link names it
	Secret string `json:"secret,omitempty"` // of a session or API token; empty: nobody
	CA     []byte `json:"ca,omitempty"`     // PEM of certificates to trust beside the system's
}

// GetOptions describe a download.
type GetOptions struct {
	Common
	// Source is a ticket, a magnet link, the absolute path of a .torrent file, a server's
	// link (URL, URL#TICKET, URL#MAGNET), or with Server.URL a place there, NAME[/PATH].
	Source      string        `json:"source"`
	Dir         string        `json:"dir"` // absolute
	Select      []string      `json:"select,omitempty"`
	KeepSeeding time.Duration `json:"keep_seeding,omitempty"` // after completion; Forever: until stopped
	Name        string        `json:"name,omitempty"`         // in Dir, instead of its own

	Via      transfer.Via `json:"via,omitempty"`      // which sources may be used; empty: both
	Password string       `json:"password,omitempty"` // of a server's link
	// Server is where a place is, with who asks; for a link only its CA counts. Nil: no place.
	Server *Account `json:"server,omitempty"`
	// Until promises the server to keep a copy and serve it until then. Zero: no promise.
	Until time.Time `json:"until,omitzero"`
}

// KeepOptions describe a promise to keep a copy and to serve it.
type KeepOptions struct {
	Common
	Source   string    `json:"source"` // as of GetOptions
	Dir      string    `json:"dir"`    // absolute
	Until    time.Time `json:"until"`
	Password string    `json:"password,omitempty"`
	Server   *Account  `json:"server,omitempty"`
}

// OfferOptions describe an offer of room: the server says what to keep in it.
type OfferOptions struct {
	Common         // of each share that is kept
	Server Account `json:"server"`
	Space  int64   `json:"space"` // bytes
	Dir    string  `json:"dir"`   // absolute; each share gets a folder in it
}

// SeedOptions describe serving content that is already there, or repairing it.
type SeedOptions struct {
	Common
	Torrent string `json:"torrent"` // absolute path of a .torrent file
	Dir     string `json:"dir"`     // absolute; holds the file or folder the torrent names
	Repair  bool   `json:"repair,omitempty"`
}

// Progress is told how far hashing has come, in bytes. It is called from one
// goroutine at a time and must not block.
type Progress func(done, total int64)
