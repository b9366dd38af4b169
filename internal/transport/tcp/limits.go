package tcp

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/peer"
	"tandem/internal/transport"
)

// Limits bound incoming connections. A zero field has its default. Addresses
// that are not global count in the totals only: many peers behind one NAT or on
// one machine are normal.
type Limits struct {
	Unfinished        int // handshake not finished, in all: 128
	UnfinishedPerAddr int // ... of one global address: 16
	Conns             int // finished and not yet closed: 256
	PerNet            int // ... without identity, of one global IPv4 address or IPv6 /56: 8
	PerSite           int // ... without identity, of one IPv6 /48: 64
	PerIdentity       int // ... of one identity: 4

	// Handshake bounds the time from accepting to the end of the transport's
	// handshake, for links to the end of TLS: 5 s. The time for the hello
	// after that is in tlspeer.Config.
	Handshake time.Duration
}

func (l Limits) orDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Unfinished, 128)
	set(&l.UnfinishedPerAddr, 16)
	set(&l.Conns, 256)
	set(&l.PerNet, 8)
	set(&l.PerSite, 64)
	set(&l.PerIdentity, 4)
	if l.Handshake <= 0 {
		l.Handshake = 5 * time.Second
	}
	return l
}

// Why a connection is not admitted.
var (
	errUnfinished  = errors.New("too many unfinished handshakes")
	errPerAddr     = errors.New("too many unfinished handshakes from this address")
	errConns       = errors.New("too many connections")
	errPerNet      = errors.New("too many connections from this network")
	errPerIdentity = errors.New("too many connections of this identity")
)

// admission counts incoming connections. Every map entry goes when its count
// does, so that it holds no more than there are connections.
type admission struct {
	limits Limits

	mu         sync.Mutex // guards the fields below
	unfinished int
	conns      int
	addrs      map[netip.Addr]int   // unfinished, by global address
	nets       map[netip.Prefix]int // finished without identity: /32, /56 and /48
	ids        map[peer.ID]int
}

func newAdmission(l Limits) *admission {
	return &admission{
		limits: l,
		addrs:  map[netip.Addr]int{},
		nets:   map[netip.Prefix]int{},
		ids:    map[peer.ID]int{},
	}
}

// start counts an unfinished handshake. The caller calls done once, if there is
// no error.
func (a *admission) start(addr netip.Addr) (done func(), err error) {
	addr = addr.Unmap()
	global := transport.IsGlobal(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.unfinished >= a.limits.Unfinished:
		return nil, errUnfinished
	case a.conns >= a.limits.Conns:
		return nil, errConns
	case global && a.addrs[addr] >= a.limits.UnfinishedPerAddr:
		return nil, errPerAddr
	}
	a.unfinished++
	if global {
		a.addrs[addr]++
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.unfinished--
		if global {
			drop(a.addrs, addr)
		}
	}, nil
}

// finish counts a connection whose handshake is done: by its identity, or by
// its network without one. The caller calls done once, if there is no error.
func (a *admission) finish(addr netip.Addr, id peer.ID) (done func(), err error) {
	var nets []netip.Prefix
	if id.IsZero() {
		nets = networks(addr)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns >= a.limits.Conns {
		return nil, errConns
	}
	if !id.IsZero() && a.ids[id] >= a.limits.PerIdentity {
		return nil, errPerIdentity
	}
	for i, n := range nets {
		if limit := [...]int{a.limits.PerNet, a.limits.PerSite}[i]; a.nets[n] >= limit {
			return nil, errPerNet
		}
	}
	a.conns++
	for _, n := range nets {
		a.nets[n]++
	}
	if !id.IsZero() {
		a.ids[id]++
	}
	return func() { a.leave(nets, id) }, nil
}

func (a *admission) leave(nets []netip.Prefix, id peer.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns--
	for _, n := range nets {
		drop(a.nets, n)
	}
	if !id.IsZero() {
		drop(a.ids, id)
	}
}

func drop[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

// networks returns what addr counts in, the narrowest first: nothing unless it
// is global.
func networks(addr netip.Addr) []netip.Prefix {
	addr = addr.Unmap().WithZone("")
	if !transport.IsGlobal(addr) {
		return nil
	}
	if addr.Is4() {
		return []netip.Prefix{netip.PrefixFrom(addr, 32)}
	}
	return []netip.Prefix{
		netip.PrefixFrom(addr, 56).Masked(),
		netip.PrefixFrom(addr, 48).Masked(),
	}
}
