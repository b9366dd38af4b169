package transfer

import (
	"net/netip"
	"time"

	"tandem/internal/transport"
	"tandem/internal/wire"
)

// Pace of peer exchange (BEP 11). Foreign clients are told once a minute; tandem
// nodes sooner, so that nodes which know nobody but the sharer find each other
// within a second of starting.
const (
	pexEvery    = time.Minute
	pexSoon     = 300 * time.Millisecond
	pexTandem   = 5 * time.Second
	pexHurried  = 10 // messages to a tandem node at the pace of pexSoon
	maxPexIn    = 50 // messages taken from a peer in a minute
	maxPexPeers = 400
)

// pexState is what we have told a peer, and heard from it.
type pexState struct {
	told   map[netip.AddrPort]bool
	gen    int // of the set told
	sent   int
	next   time.Time
	heard  int // messages this minute
	since  time.Time
	gained int // addresses it brought that we did not know
}

// pex takes the addresses a peer names.
func (t *Transfer) pex(c *conn, p *wire.PEX) {
	if t.private() {
		return
	}
	if t.now.Sub(c.pex.since) > time.Minute {
		c.pex.since, c.pex.heard = t.now, 0
	}
	if c.pex.heard++; c.pex.heard > maxPexIn {
		return
	}
	for _, a := range p.Added {
		if c.pex.gained >= maxPexPeers { // one peer must not fill the book
			return
		}
		known := len(t.book.order)
		e := t.book.add(a.Addr, "pex", c.global())
		if e == nil {
			continue
		}
		if len(t.book.order) > known {
			c.pex.gained++
		}
		e.seed = e.seed || (e.conn == nil && a.Flags&wire.PexSeed != 0)
	}
}

// tellPeers sends peer exchange where it is due.
func (t *Transfer) tellPeers() {
	if t.private() {
		return
	}
	for _, c := range t.conns {
		if c.pex.gen == t.pexGen || !c.extDone || t.now.Before(c.pex.next) {
			continue
		}
		if id := c.number(wire.NamePEX); id != 0 {
			t.tell(c, id)
		}
	}
}

// tell sends c what changed since the last time.
func (t *Transfer) tell(c *conn, id uint8) {
	var p wire.PEX
	now := make(map[netip.AddrPort]bool, len(t.conns))
	more := false
	for _, o := range t.conns {
		addr, ok := o.listenAddr()
		if !ok || o == c || (c.global() && !transport.IsGlobal(addr.Addr())) {
			continue
		}
		addr = normal(addr)
		if now[addr] {
			continue
		}
		if !c.pex.told[addr] {
			if len(p.Added) >= wire.MaxPEX {
				more = true
				continue
			}
			p.Added = append(p.Added, wire.PexPeer{Addr: addr, Flags: o.pexFlags()})
		}
		now[addr] = true
	}
	for addr := range c.pex.told {
		if !now[addr] {
			if len(p.Dropped) >= wire.MaxPEX {
				more = true
				now[addr] = true
				continue
			}
			p.Dropped = append(p.Dropped, addr)
		}
	}
	c.pex.told = now
	if !more {
		c.pex.gen = t.pexGen
	}
	if len(p.Added)+len(p.Dropped) == 0 {
		return
	}
	c.pex.sent++
	switch {
	case !c.tandem():
		c.pex.next = t.now.Add(pexEvery)
	case c.pex.sent <= pexHurried:
		c.pex.next = t.now.Add(pexSoon)
	default:
		c.pex.next = t.now.Add(pexTandem)
	}
	t.post(c, &wire.Message{ID: wire.Extended, Ext: id, Payload: wire.AppendPEX(nil, &p)})
}

// pexFlags says what we know of a peer.
func (c *conn) pexFlags() wire.PexFlags {
	var f wire.PexFlags
	if c.seed || c.uploads {
		f |= wire.PexSeed
	}
	if c.nc.Outgoing() {
		f |= wire.PexReachable
	}
	return f
}
