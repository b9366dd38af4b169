package transfer

import (
	"context"
	"net/netip"

	"tandem/internal/transport"
	"tandem/internal/wire"
)

// Transfer is one swarm being run. Its methods are safe for concurrent use.
type Transfer struct{}

// New returns a Transfer that does nothing until Run is called. The error is of
// kind fault.Invalid: cfg contradicts itself.
func New(cfg Config) (*Transfer, error) { panic("todo") }

// Run runs t until ctx ends or something fatal happens, seeding after
// completion, and is called once. It returns nil when ctx ended, and otherwise
// what Status then gives as Err: of kind fault.Changed (a file shared in
// place), fault.Exists (the destination), fault.Conflict (v1 against v2),
// fault.Invalid (metadata), fault.Permission or what the store said. When it
// returns, the store is closed and every goroutine it started has ended.
func (t *Transfer) Run(ctx context.Context) error { panic("todo") }

// AddConn hands over an incoming connection whose BitTorrent handshake hs was
// read and not yet answered. It is closed if it was admitted for another
// audience or share, after Run has returned, or when there are enough.
func (t *Transfer) AddConn(c transport.Conn, hs wire.Handshake) { panic("todo") }

// AddPeers names addresses to try; src is the source, as in discover.Found.
// They count as named by the user: local addresses are allowed.
func (t *Transfer) AddPeers(src string, addrs ...netip.AddrPort) { panic("todo") }

// Status returns a snapshot. It never waits for the network or the disk.
func (t *Transfer) Status() Status { panic("todo") }

// Ready is closed once the metadata is known and the store is open.
func (t *Transfer) Ready() <-chan struct{} { panic("todo") }

// Completed is closed once every wanted file is verified and under its final
// name.
func (t *Transfer) Completed() <-chan struct{} { panic("todo") }
