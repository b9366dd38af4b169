package tracker

import (
	"container/list"
	"math/rand/v2"
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
)

// swarms is what a tracker remembers. It is not safe for concurrent use.
type swarms struct {
	maxSwarms, maxPeers int
	index               map[content.SHA1]*list.Element
	order               list.List // of *swarm, the one announced to last in front
}

type swarm struct {
	key   content.SHA1
	index map[netip.AddrPort]*member
	all   []*member // in no order; for random choice
	order list.List // of *member, the one that announced last in front
	seeds int
}

type member struct {
	addr netip.AddrPort
	seed bool
	seen time.Time
	at   int           // in all
	elem *list.Element // in order
}

// get returns the swarm of key, making it when create is set. Of too many the
// one announced to longest ago is forgotten.
func (s *swarms) get(key content.SHA1, create bool) *swarm {
	if e, ok := s.index[key]; ok {
		if create {
			s.order.MoveToFront(e)
		}
		return e.Value.(*swarm)
	}
	if !create {
		return nil
	}
	if s.order.Len() >= s.maxSwarms {
		s.forget(s.order.Back().Value.(*swarm))
	}
	if s.index == nil {
		s.index = make(map[content.SHA1]*list.Element)
	}
	w := &swarm{key: key, index: make(map[netip.AddrPort]*member)}
	s.index[key] = s.order.PushFront(w)
	return w
}

func (s *swarms) forget(w *swarm) {
	s.order.Remove(s.index[w.key])
	delete(s.index, w.key)
}

// put adds or renews a peer. Of too many the one that announced longest ago is
// forgotten.
func (w *swarm) put(addr netip.AddrPort, seed bool, now time.Time, limit int) {
	m, ok := w.index[addr]
	if !ok {
		if len(w.all) >= limit {
			w.remove(w.order.Back().Value.(*member).addr)
		}
		m = &member{addr: addr, at: len(w.all)}
		m.elem = w.order.PushFront(m)
		w.index[addr] = m
		w.all = append(w.all, m)
	}
	if m.seed {
		w.seeds--
	}
	if seed {
		w.seeds++
	}
	m.seed, m.seen = seed, now
	w.order.MoveToFront(m.elem)
}

func (w *swarm) remove(addr netip.AddrPort) {
	m, ok := w.index[addr]
	if !ok {
		return
	}
	if m.seed {
		w.seeds--
	}
	last := w.all[len(w.all)-1]
	w.all[m.at], last.at = last, m.at
	w.all = w.all[:len(w.all)-1]
	w.order.Remove(m.elem)
	delete(w.index, addr)
}

// expire forgets the peers not heard of since then.
func (w *swarm) expire(then time.Time) {
	for e := w.order.Back(); e != nil; e = w.order.Back() {
		m := e.Value.(*member)
		if !m.seen.Before(then) {
			return
		}
		w.remove(m.addr)
	}
}

// choose returns up to n peers for the one asking: random, of the wanted
// families, without itself, and without loopback and private addresses for
// somebody on the Internet. A seed is told of seeds too: aria2 says that
// nothing is left while it has only a magnet link.
func (w *swarm) choose(asker netip.AddrPort, n int, want func(netip.Addr) bool) []netip.AddrPort {
	if len(w.all) == 0 || n <= 0 {
		return nil
	}
	var peers []netip.AddrPort
	start, step := rand.IntN(len(w.all)), stride(len(w.all))
	for i := range len(w.all) {
		m := w.all[(start+i*step)%len(w.all)]
		if m.addr == asker || !want(m.addr.Addr()) || !reaches(asker.Addr(), m.addr.Addr()) {
			continue
		}
		if peers = append(peers, m.addr); len(peers) == n {
			break
		}
	}
	return peers
}

// stride returns a random step that visits all n places: one without a common
// divisor with n.
func stride(n int) int {
	for range 8 {
		s := 1 + rand.IntN(n)
		a, b := s, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return s
		}
	}
	return 1
}

// reaches reports whether asker could have a way to addr.
func reaches(asker, addr netip.Addr) bool {
	if addr.IsLoopback() {
		return asker.IsLoopback()
	}
	return !discover.IsGlobal(asker) || discover.IsGlobal(addr)
}
