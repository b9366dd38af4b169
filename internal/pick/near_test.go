package pick_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/pick"
)

func TestLimitsOfSources(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(p *pick.Picker, q *pick.Peer)
		want int // of an origin; -1: none
	}{
		{"an origin is asked for what the fewest peers have", func(p *pick.Picker, _ *pick.Peer) {
			p.Set(p.Join(), set(3, 0, 2))
		}, 1},
		{"a piece that a peer fetches is no rarer than one that a peer has", func(p *pick.Picker, _ *pick.Peer) {
			p.Set(p.Join(), set(3, 0))
			p.Fetching(p.Join(), 2, 0)
		}, 1},
		{"what a near peer has is left to it", func(p *pick.Picker, q *pick.Peer) {
			near := p.Join()
			p.SetNear(near, true)
			p.Set(near, set(3, 0, 1))
			p.Set(p.Join(), set(3, 2))
			p.Set(p.Join(), set(3, 2))
			p.Limit(q, true, false)
		}, 2},
		{"what a near peer fetches is left to it", func(p *pick.Picker, q *pick.Peer) {
			near := p.Join()
			p.SetNear(near, true)
			p.Fetching(near, 0, 0)
			p.Fetching(near, 1, 0)
			p.Limit(q, true, false)
		}, 2},
		{"with a near seed nothing comes from afar", func(p *pick.Picker, q *pick.Peer) {
			near := p.Join()
			p.Set(near, content.FullBitfield(3))
			p.SetNear(near, true)
			p.Limit(q, true, false)
		}, -1},
		{"a costly origin is asked for what nobody has or fetches", func(p *pick.Picker, q *pick.Peer) {
			p.Set(p.Join(), set(3, 1))
			p.Fetching(p.Join(), 0, 0)
			p.Limit(q, false, true)
		}, 2},
		{"a costly origin is not asked beside a seed", func(p *pick.Picker, q *pick.Peer) {
			p.Set(p.Join(), content.FullBitfield(3))
			p.Limit(q, false, true)
		}, -1},
		{"what an origin gives to others is not asked of it", func(_ *pick.Picker, q *pick.Peer) {
			q.Taken(set(3, 0, 2), time.Second)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 { // choices are random
				p := picker(3)
				q := p.JoinOrigin()
				c.set(p, q)
				got, ok := p.Rarest(q, 0)
				if !ok {
					got = -1
				}
				if got != c.want {
					t.Fatalf("chose %d, want %d", got, c.want)
				}
			}
		})
	}
}

func TestNeighboursArePreferredAmongTheRarest(t *testing.T) {
	p := picker(100)
	q := p.JoinOrigin()
	p.Set(p.Join(), set(100, 51))
	for _, c := range []struct {
		name string
		next int
		same bool
	}{
		{"a neighbour is taken", 50, true},
		{"a neighbour that is less rare is not", 51, false},
		{"behind the end there is none", 100, false},
	} {
		if got, ok := p.RarestFrom(q, c.next, 0); !ok || (got == c.next) != c.same {
			t.Errorf("%s: chose %d after %d", c.name, got, c.next-1)
		}
	}
	p.Start(50)
	if got, _ := p.RarestFrom(q, 50, 0); got == 50 {
		t.Error("a neighbour that is started was chosen")
	}
}

func TestNoticesEnd(t *testing.T) {
	p := picker(2)
	q, origin := p.Join(), p.JoinOrigin()
	p.Limit(origin, false, true)
	p.Fetching(q, 0, 0)
	p.Fetching(q, 1, time.Second)
	p.ExpireNotices(q, 30*time.Second)
	if got, ok := p.Rarest(origin, time.Minute); !ok || got != 0 {
		t.Errorf("after 30 s the costly origin is asked for %d, %v, want 0", got, ok)
	}
	if n := p.Available(); n != 2 {
		t.Errorf("%d available, want 2", n)
	}
}

func TestAPeerCannotClaimToFetchEverything(t *testing.T) {
	const n = 5000
	p := picker(n)
	q, origin := p.Join(), p.JoinOrigin()
	p.Limit(origin, false, true)
	for i := range n {
		p.Fetching(q, i, 0)
	}
	got := 0
	for {
		i, ok := p.Rarest(origin, 0)
		if !ok {
			break
		}
		p.Start(i)
		got++
	}
	if got < n-1024 {
		t.Errorf("the origin was asked for %d of %d pieces", got, n)
	}
}

// source is a source in the model.
type source struct {
	peer         *pick.Peer
	have         *content.Bitfield
	fetch        map[int]bool
	origin, near bool
	spareNear    bool
	spareAll     bool
	gone         bool
}

type sources struct {
	n    int
	open map[int]bool
	all  []*source
}

// weigh returns how many peers have piece, how many have or fetch it, and whether
// a near one does.
func (m *sources) weigh(i int) (count, weight int, near bool) {
	for _, s := range m.all {
		switch {
		case s.gone:
			continue
		case s.origin:
		case s.have.Has(i):
			count++
			weight++
		case s.fetch[i]:
			weight++
		default:
			continue
		}
		near = near || s.near
	}
	return count, weight, near
}

// may reports whether s may be asked for i.
func (m *sources) may(s *source, i int) bool {
	_, weight, near := m.weigh(i)
	return m.open[i] && (s.origin || s.have.Has(i)) && !(s.spareNear && near) && !(s.spareAll && weight > 0)
}

// TestSourcesAgainstModel is TestAgainstModel for what origins, near peers and
// notices add.
func TestSourcesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &sources{n: rapid.IntRange(1, 70).Draw(t, "pieces"), open: map[int]bool{}}
		p := pick.New(m.n, rand.New(rand.NewPCG(1, 2)))
		for i := range m.n {
			p.Need(i)
			m.open[i] = true
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			m.step(t, p)
		}
		m.compare(t, p)
	})
}

func (m *sources) step(t *rapid.T, p *pick.Picker) {
	i := rapid.IntRange(0, m.n-1).Draw(t, "piece")
	op := rapid.IntRange(0, 11).Draw(t, "op")
	if op == 0 || len(m.all) == 0 {
		s := &source{have: content.NewBitfield(m.n), fetch: map[int]bool{}, origin: i%3 == 0}
		if s.peer = p.Join(); s.origin {
			p.Leave(s.peer)
			s.peer, s.have = p.JoinOrigin(), content.FullBitfield(m.n)
		}
		m.all = append(m.all, s)
		return
	}
	s := m.all[rapid.IntRange(0, len(m.all)-1).Draw(t, "source")]
	switch {
	case s.gone:
	case op == 1:
		p.Start(i)
		m.open[i] = false
	case op == 2:
		p.Reopen(i)
		m.open[i] = true
	case op == 3:
		p.Leave(s.peer)
		s.gone = true
	case op <= 5:
		s.near = op == 4
		p.SetNear(s.peer, s.near)
	case op == 6:
		s.spareNear, s.spareAll = i&1 != 0, i&2 != 0
		p.Limit(s.peer, s.spareNear, s.spareAll)
	case s.origin:
	case op == 7 && i%4 == 0:
		s.have, s.fetch = content.FullBitfield(m.n), map[int]bool{}
		p.Set(s.peer, s.have)
	case op <= 8:
		p.Have(s.peer, i)
		s.have.Set(i)
		delete(s.fetch, i)
	case op <= 10:
		p.Fetching(s.peer, i, 0)
		s.fetch[i] = !s.have.Has(i)
	default:
		p.Fetched(s.peer, i)
		delete(s.fetch, i)
	}
}

func (m *sources) compare(t *rapid.T, p *pick.Picker) {
	available, origins := 0, false
	for _, s := range m.all {
		origins = origins || s.origin && !s.gone
	}
	for i := range m.n {
		count, _, _ := m.weigh(i)
		if p.Count(i) != count {
			t.Fatalf("piece %d counts %d, want %d", i, p.Count(i), count)
		}
		if m.open[i] && (count > 0 || origins) {
			available++
		}
	}
	if p.Available() != available {
		t.Fatalf("%d available, want %d", p.Available(), available)
	}
	for k, s := range m.all {
		if s.gone {
			continue
		}
		least, first := -1, -1
		for i := range m.n {
			if !m.may(s, i) {
				continue
			}
			if _, weight, _ := m.weigh(i); least < 0 || weight < least {
				least = weight
			}
			if i >= m.n/2 && first < m.n/2 || first < 0 {
				first = i
			}
		}
		if got, ok := p.FirstFrom(s.peer, m.n/2, 0); ok != (first >= 0) || ok && got != first {
			t.Fatalf("source %d: the first from %d is %d, %v, want %d", k, m.n/2, got, ok, first)
		}
		got, ok := p.Rarest(s.peer, 0)
		if ok != (least >= 0) {
			t.Fatalf("source %d: chose %d, %v, while the rarest weighs %d", k, got, ok, least)
		}
		if _, weight, _ := m.weigh(got); ok && (!m.may(s, got) || weight != least) {
			t.Fatalf("source %d: chose %d, which weighs %d, while the rarest weighs %d", k, got, weight, least)
		}
	}
}
