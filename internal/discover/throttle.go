package discover

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// The datagrams one source may send (security.md, section 3): 5 a second on
// average over ten seconds, then silence for five minutes.
const (
	throttleWindow  = 10 * time.Second
	throttlePackets = 50
	throttleBan     = 5 * time.Minute
	throttleSources = 10_000
)

// Throttle decides which datagrams are looked at. A source is an IPv4 /24 or
// an IPv6 /56 of the Internet, or one address of a private network; loopback
// is free. It remembers the 10,000 sources heard last. It is safe for
// concurrent use; the zero value is ready.
type Throttle struct {
	mu    sync.Mutex // guards the fields below
	index map[netip.Prefix]*list.Element
	order list.List // of *throttled, the one heard last in front
}

type throttled struct {
	source  netip.Prefix
	start   time.Time // of the window
	packets int
	banned  time.Time // until then
}

// Allow counts a datagram from a and reports whether to look at it.
func (t *Throttle) Allow(a netip.Addr, now time.Time) bool {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.touch(sourceOf(a), now)
	if now.Before(s.banned) {
		return false
	}
	if now.Sub(s.start) >= throttleWindow {
		s.start, s.packets = now, 0
	}
	s.packets++
	if s.packets > throttlePackets {
		s.banned = now.Add(throttleBan)
		return false
	}
	return true
}

// touch finds or makes the entry of source and moves it to the front.
func (t *Throttle) touch(source netip.Prefix, now time.Time) *throttled {
	if t.index == nil {
		t.index = make(map[netip.Prefix]*list.Element)
	}
	if e, ok := t.index[source]; ok {
		t.order.MoveToFront(e)
		return e.Value.(*throttled)
	}
	if t.order.Len() >= throttleSources {
		last := t.order.Back()
		delete(t.index, last.Value.(*throttled).source)
		t.order.Remove(last)
	}
	s := &throttled{source: source, start: now}
	t.index[source] = t.order.PushFront(s)
	return s
}

func sourceOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	switch {
	case !IsGlobal(a):
	case a.Is4():
		bits = 24
	default:
		bits = 56
	}
	p, _ := a.Prefix(bits) // bits always fits
	return p
}
