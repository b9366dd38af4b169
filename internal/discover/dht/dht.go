// Package dht takes part in the main BitTorrent DHT.
package dht

import (
	"context"
	"iter"
	"log/slog"
	"net"
	"net/netip"

	"tandem/internal/discover"
)

// Options of a DHT node.
type Options struct {
	// Conn is the UDP socket, owned by the DHT from now on. When nil, Addr
	// is listened at on the first use.
	Conn net.PacketConn
	Addr string // "host:port" or ":port"; ":0" when empty
	// Bootstrap are host:port of nodes to ask when no other is known. None is
	// contacted when it is empty; see DefaultBootstrap.
	Bootstrap []string
	StateFile string       // node ID and table between runs; none when empty
	Log       *slog.Logger // nil: none
}

// DHT is a node of the DHT. It is a discover.Finder.
type DHT struct{}

// DefaultBootstrap returns the well-known routers of the main DHT.
func DefaultBootstrap() []string { panic("coming") }

// New returns a node that is silent until Start or the first Join.
func New(o Options) (*DHT, error) { panic("coming") }

// Start opens the socket and begins to fill the node table. It does nothing
// when the node has started already. The error is of kind fault.Busy when the
// port is taken.
func (d *DHT) Start(ctx context.Context) error { panic("coming") }

// AddNode tells of a node at addr (from a peer's PORT message or a link). It
// is ignored before Start.
func (d *DHT) AddNode(addr netip.AddrPort) { panic("coming") }

// Port returns the UDP port, 0 before Start.
func (d *DHT) Port() uint16 { panic("coming") }

// Nodes returns how many nodes the table holds.
func (d *DHT) Nodes() int { panic("coming") }

// Join implements discover.Finder. It starts the node.
func (d *DHT) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] { panic("coming") }

// Name implements discover.Finder.
func (d *DHT) Name() string { return "dht" }

// Err implements discover.Finder.
func (d *DHT) Err() error { panic("coming") }

// Close implements discover.Finder. It saves the table.
func (d *DHT) Close() error { panic("coming") }
