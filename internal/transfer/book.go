package transfer

import (
	"net/netip"
	"time"

	"tandem/internal/peer"
	"tandem/internal/transport"
)

// Limits on addresses.
const (
	maxKnown   = 2000 // addresses in the book
	maxDialing = 16   // dials in progress
	maxBanned  = 10_000
)

// entry is one address in the book.
type entry struct {
	addr   netip.AddrPort
	source string
	global bool // named by a source at a global address
	near   bool // on our local network
	asked  bool // an origin pointed to it: dialed even while only near ones are
	want   transport.Target
	key    int // which of the transfer's swarm keys it is dialed with

	conn    *conn // connected to it
	dialing bool
	mse     bool // it takes the encrypted handshake only
	never   bool // it is ourselves, or banned
	seed    bool // it had everything when it was last seen
	worked  bool
	fails   int
	next    time.Time // not to be dialed before
}

// book is the address book of one transfer, bounded by maxKnown. Entries are in
// a slice as well, so that dialing does not depend on map iteration.
type book struct {
	near   func(netip.Addr) bool // nil: none is
	byAddr map[netip.AddrPort]*entry
	order  []*entry
	cursor int // of due
	hand   int // of evict
}

func newBook(near func(netip.Addr) bool) *book {
	return &book{near: near, byAddr: map[netip.AddrPort]*entry{}}
}

// normal returns addr in the one spelling the book uses.
func normal(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// add returns the entry of addr, making one unless the book is full of better
// ones or the address cannot be dialed at all; then it is nil.
func (b *book) add(addr netip.AddrPort, source string, global bool) *entry {
	addr = normal(addr)
	if e := b.byAddr[addr]; e != nil {
		e.global = e.global && global // a trusted source vouches for it
		return e
	}
	if !addr.IsValid() || addr.Port() == 0 || addr.Addr().IsUnspecified() || addr.Addr().IsMulticast() {
		return nil
	}
	if global && !transport.IsGlobal(addr.Addr()) {
		return nil
	}
	if len(b.order) >= maxKnown && !b.evict() {
		return nil
	}
	e := &entry{addr: addr, source: source, global: global}
	e.near = b.near != nil && b.near(addr.Addr())
	b.byAddr[addr] = e
	b.order = append(b.order, e)
	return e
}

// evictLook is how many entries are looked at for one to evict.
const evictLook = 32

// evict removes an address that failed, the worst of the next few.
func (b *book) evict() bool {
	worst := -1
	for range evictLook {
		b.hand = (b.hand + 1) % len(b.order)
		e := b.order[b.hand]
		if e.conn != nil || e.dialing || e.never || e.fails == 0 {
			continue
		}
		if worst < 0 || e.fails > b.order[worst].fails {
			worst = b.hand
		}
	}
	if worst < 0 {
		return false
	}
	delete(b.byAddr, b.order[worst].addr)
	last := len(b.order) - 1
	b.order[worst] = b.order[last]
	b.order[last] = nil
	b.order = b.order[:last]
	return true
}

// due returns the next address to dial, or nil. Seeds are left out on request:
// two complete nodes have nothing to say to each other. So are those that are
// neither near nor were pointed to.
func (b *book) due(now time.Time, seeds, far bool) *entry {
	for range b.order {
		b.cursor++
		if b.cursor >= len(b.order) {
			b.cursor = 0
		}
		e := b.order[b.cursor]
		if e.conn != nil || e.dialing || e.never || now.Before(e.next) || (e.seed && !seeds) {
			continue
		}
		if !far && !e.near && !e.asked {
			continue
		}
		return e
	}
	return nil
}

// failed puts e off: 1 s after the first failure, doubling up to 10 minutes.
func (e *entry) failed(now time.Time) {
	e.next = now.Add(min(time.Second<<min(e.fails, 10), 10*time.Minute))
	e.fails++
}

// bans is the set of peers that sent bad data, bounded by forgetting the oldest.
type bans struct {
	set   map[peer.Key]bool
	order []peer.Key
}

func (b *bans) add(k peer.Key) {
	if b.set == nil {
		b.set = map[peer.Key]bool{}
	}
	if b.set[k] {
		return
	}
	if len(b.order) >= maxBanned {
		delete(b.set, b.order[0])
		b.order = b.order[1:]
	}
	b.set[k] = true
	b.order = append(b.order, k)
}

func (b *bans) has(k peer.Key) bool { return b.set[k] }
