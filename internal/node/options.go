package node

import (
	"time"

	"tandem/internal/peer"
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
}

// GetOptions describe a download.
type GetOptions struct {
	Common
	Source      string        `json:"source"` // ticket, magnet link or absolute path of a .torrent file
	Dir         string        `json:"dir"`    // absolute
	Select      []string      `json:"select,omitempty"`
	KeepSeeding time.Duration `json:"keep_seeding,omitempty"` // after completion; Forever: until stopped
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
