// Package node wires a running node from its Config: one listener, the drivers
// of every door, and the shares and transfers that live on them.
//
// It is the only room that names drivers. Its walks are those of
// docs/architecture.md: share (cut, hash, serve in place, announce, print the
// link) and get (find sources, fetch, check, finish).
package node

import (
	"log/slog"

	"tandem/internal/transport"
)

// DefaultPort is the TCP port a node listens on when nobody says otherwise; a
// free one is taken when it is busy.
const DefaultPort = 7741

// Config is what a Node is made from.
type Config struct {
	// Listen is "host:port". Empty: all addresses at DefaultPort, or at any
	// free port when that one is taken.
	Listen string
	// StateDir holds the identity key, the DHT's nodes and, for a long-running
	// node, the control socket and the list of its items. Created 0700.
	StateDir string

	DHT       bool
	Bootstrap []string // "host:port" of DHT nodes; nil: the well-known routers
	LAN       bool
	PortMap   bool

	// Up and Down limit all transfers together, in payload bytes per second;
	// 0: unlimited.
	Up, Down   int64
	Encryption transport.Encryption

	// Persist keeps shares and transfers across restarts (tandem node).
	Persist bool
	Log     *slog.Logger
}
