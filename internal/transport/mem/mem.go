// Package mem is a network in memory: hosts with addresses, links with rates
// and latency, partitions and sudden deaths.
//
// It needs nothing but timers, so that inside testing/synctest it runs in
// virtual time and gives the same figures on every machine. Link connections are
// checked as tlspeer checks them (secret, wanted identity), without the
// cryptography; public ones are plain.
//
// A host's links are shared by its connections in the order of their writes, a
// segment of at most 16 KiB at a time. A connection accepts no more while 64 KiB
// of it have not left the host, or while its window is full: a sender is held
// back as TCP would hold it back. There is no loss and no slow start.
package mem

import (
	"context"
	"crypto/sha256"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

const (
	segment       = 16 << 10
	defaultWindow = 1 << 20  // bytes written and not yet read, per direction
	maxUnsent     = 64 << 10 // bytes written and not yet sent, per direction
	backlog       = 128      // connections not yet accepted
	firstPort     = 49152    // of outgoing connections
	listenPort    = 20000    // where "port 0" starts
)

// Option sets up a Net.
type Option func(*Net)

// Latency is the time one way between any two hosts; zero without this option.
func Latency(d time.Duration) Option { return func(n *Net) { n.latency = d } }

// Window is how many bytes of one direction of a connection may be on their way
// or unread; 1 MiB without this option.
func Window(bytes int) Option { return func(n *Net) { n.window = max(bytes, 1) } }

// Net is a network of hosts.
type Net struct {
	latency time.Duration
	window  int

	mu    sync.Mutex // guards the fields below; taken before a pipe's lock
	hosts map[netip.Addr]*Host
	cuts  map[pair]bool
	heal  chan struct{} // closed and replaced when a cut ends
}

// pair is two addresses, the lesser first.
type pair struct{ a, b netip.Addr }

func pairOf(a, b netip.Addr) pair {
	if b.Less(a) {
		a, b = b, a
	}
	return pair{a, b}
}

// NewNet makes a network without hosts.
func NewNet(opts ...Option) *Net {
	n := &Net{
		window: defaultWindow,
		hosts:  map[netip.Addr]*Host{},
		cuts:   map[pair]bool{},
		heal:   make(chan struct{}),
	}
	for _, o := range opts {
		o(n)
	}
	return n
}

// Host returns the host at addr, new unless there is one. A host killed before
// is replaced by a new one with the same identity. Its rates are unlimited
// until SetRates.
func (n *Net) Host(addr netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr = addr.Unmap()
	if h := n.hosts[addr]; h != nil {
		return h
	}
	h := &Host{
		net:       n,
		addr:      addr,
		id:        peer.ID(sha256.Sum256(addr.AsSlice())),
		port:      firstPort,
		listeners: map[uint16]*listener{},
		conns:     map[*conn]struct{}{},
	}
	n.hosts[addr] = h
	return h
}

// Partition cuts a from b: dials between them wait until their context ends,
// connections between them stay open and carry nothing.
func (n *Net) Partition(a, b netip.Addr) { n.setCut(a, b, true) }

// Heal ends a partition. What was under way arrives.
func (n *Net) Heal(a, b netip.Addr) { n.setCut(a, b, false) }

func (n *Net) setCut(a, b netip.Addr, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := pairOf(a.Unmap(), b.Unmap())
	if cut {
		n.cuts[p] = true
	} else {
		delete(n.cuts, p)
		close(n.heal)
		n.heal = make(chan struct{})
	}
	h := n.hosts[p.a]
	if h == nil {
		return
	}
	for c := range h.conns {
		if pairOf(c.local.Addr(), c.remote.Addr()) == p {
			c.in.setCut(cut)
			c.out.setCut(cut)
		}
	}
}

// Kill takes the host at addr away without a word: its listeners and
// connections end, its own side of them too, and dials to it fail.
func (n *Net) Kill(addr netip.Addr) {
	n.mu.Lock()
	h := n.hosts[addr.Unmap()]
	if h == nil {
		n.mu.Unlock()
		return
	}
	delete(n.hosts, h.addr)
	h.dead = true
	listeners, conns := h.listeners, h.conns
	h.listeners, h.conns = map[uint16]*listener{}, map[*conn]struct{}{}
	n.mu.Unlock()
	for _, l := range listeners {
		l.stop()
	}
	for c := range conns {
		c.in.reset()
		c.out.reset()
	}
}

// Host is one machine: a transport.Network with its own address, identity and
// links.
type Host struct {
	net  *Net
	addr netip.Addr
	up   wire
	down wire

	// Guarded by net.mu.
	id        peer.ID
	port      uint16 // last one given to an outgoing connection
	dead      bool
	listeners map[uint16]*listener
	conns     map[*conn]struct{}
}

var _ transport.Network = (*Host)(nil)

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// ID is the identity its link connections show: by default made from the
// address.
func (h *Host) ID() peer.ID {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.id
}

// SetID changes the identity, for connections made from now on.
func (h *Host) SetID(id peer.ID) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.id = id
}

// SetRates shapes what is written from now on, in bytes per second; zero is
// unlimited.
func (h *Host) SetRates(up, down int64) {
	h.up.setRate(up)
	h.down.setRate(down)
}

// Listen implements transport.Network. The host part of addr must be empty,
// unspecified or the host's own.
func (h *Host) Listen(_ context.Context, addr string, shares transport.Shares) (transport.Listener, error) {
	port, err := h.listenPort(addr)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "listen on %s: %w", addr, err)
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.dead {
		return nil, fault.Errorf(fault.Closed, "listen on %s: host is dead", addr)
	}
	if port == 0 {
		for port = listenPort; h.listeners[port] != nil; port++ {
		}
	}
	if h.listeners[port] != nil {
		return nil, fault.Errorf(fault.Busy, "listen on %s: address already in use", addr)
	}
	l := &listener{
		host: h, addr: netip.AddrPortFrom(h.addr, port), shares: shares,
		ready: make(chan *conn, backlog), done: make(chan struct{}),
	}
	h.listeners[port] = l
	return l, nil
}

func (h *Host) listenPort(addr string) (uint16, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || host == "" {
		return uint16(port), err
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return 0, err
	}
	if a = a.Unmap(); !a.IsUnspecified() && a != h.addr {
		return 0, fault.Errorf(fault.Invalid, "this host is %s", h.addr)
	}
	return uint16(port), nil
}
