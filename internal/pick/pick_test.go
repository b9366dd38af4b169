package pick_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/pick"
)

func picker(n int) *pick.Picker {
	p := pick.New(n, rand.New(rand.NewPCG(1, 2)))
	for i := range n {
		p.Need(i)
	}
	return p
}

func set(n int, members ...int) *content.Bitfield {
	b := content.NewBitfield(n)
	for _, i := range members {
		b.Set(i)
	}
	return b
}

func TestRarest(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(p *pick.Picker, q *pick.Peer)
		want int // -1: none
	}{
		{"nothing is chosen from a peer without pieces", func(*pick.Picker, *pick.Peer) {}, -1},
		{"the piece fewest announced is chosen", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, content.FullBitfield(4))
			p.Set(p.Join(), set(4, 0, 1, 3))
			p.Set(p.Join(), set(4, 0, 1, 2, 3)) // another seed
		}, 2},
		{"a rarer piece that the peer lacks is not chosen", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1))
			p.Set(p.Join(), set(4, 1, 2))
		}, 1},
		{"a started piece is not chosen", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1, 2))
			p.Start(1)
		}, 2},
		{"a reopened piece is chosen again", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1))
			p.Start(1)
			p.Reopen(1)
		}, 1},
		{"a verified piece is not chosen, nor reopened", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1))
			p.Done(1)
			p.Reopen(1)
		}, -1},
		{"an avoided piece is not chosen", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1, 3))
			q.Avoid(1, time.Second)
		}, 3},
		{"what another peer avoids is chosen", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1))
			p.Join().Avoid(1, time.Second)
		}, 1},
		{"counts go down when a peer leaves", func(p *pick.Picker, q *pick.Peer) {
			p.Set(q, set(4, 1, 2))
			o := p.Join()
			p.Set(o, set(4, 1, 3))
			p.Have(p.Join(), 2)
			p.Have(p.Join(), 2)
			p.Leave(o)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := picker(4)
			q := p.Join()
			c.set(p, q)
			got, ok := p.Rarest(q, 0)
			if !ok {
				got = -1
			}
			if got != c.want {
				t.Errorf("chose %d, want %d", got, c.want)
			}
		})
	}
}

func TestAvoidanceEnds(t *testing.T) {
	p := picker(1)
	q := p.Join()
	p.Have(q, 0)
	q.Avoid(0, 3*time.Second)
	if _, ok := p.Rarest(q, 0); ok {
		t.Fatal("chose an avoided piece")
	}
	if n := q.Expire(2 * time.Second); n != 1 || !q.Avoids(0, 2*time.Second) {
		t.Errorf("after 2 of 3 s %d pieces are avoided", n)
	}
	if n := q.Expire(3 * time.Second); n != 0 {
		t.Errorf("after 3 s %d pieces are avoided", n)
	}
	if _, ok := p.Rarest(q, 3*time.Second); !ok {
		t.Error("nothing to choose after 3 s")
	}
}

func TestTiesAreRandom(t *testing.T) {
	p := picker(64)
	q := p.Join()
	p.Set(q, content.FullBitfield(64))
	seen := map[int]bool{}
	for range 200 {
		i, _ := p.Rarest(q, 0)
		seen[i] = true
	}
	if len(seen) < 40 {
		t.Errorf("200 choices among 64 equals chose %d of them", len(seen))
	}
}

func TestManyPiecesOfWhichAPeerHasOne(t *testing.T) {
	const n = 1 << 15
	p := picker(n)
	p.Set(p.Join(), set(n, seq(n-1)...)) // the rarest are all with another
	q := p.Join()
	p.Have(p.Join(), n-1)
	p.Have(q, n-1)
	if got, ok := p.Rarest(q, 0); !ok || got != n-1 {
		t.Errorf("chose %d, %v", got, ok)
	}
}

func seq(n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	return v
}

func TestCopies(t *testing.T) {
	p := picker(4)
	p.Set(p.Join(), content.FullBitfield(4))
	p.Set(p.Join(), set(4, 0, 1))
	if got := p.Copies(); got != 1.5 {
		t.Errorf("copies = %v, want 1.5", got)
	}
}

// model is a Picker the slow way.
type model struct {
	n          int
	need, open map[int]bool
	peers      []*content.Bitfield
}

func (m *model) count(i int) (c int) {
	for _, b := range m.peers {
		if b != nil && b.Has(i) {
			c++
		}
	}
	return c
}

// TestAgainstModel makes any sequence of changes and compares every answer with
// one worked out by looking at everything.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{n: rapid.IntRange(1, 70).Draw(t, "pieces"), need: map[int]bool{}, open: map[int]bool{}}
		p := pick.New(m.n, rand.New(rand.NewPCG(1, 2)))
		var peers []*pick.Peer
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			i := rapid.IntRange(0, m.n-1).Draw(t, "piece")
			k := rapid.IntRange(0, 5).Draw(t, "peer")
			switch op := rapid.IntRange(0, 8).Draw(t, "op"); {
			case op == 0 || len(peers) == 0:
				peers = append(peers, p.Join())
				m.peers = append(m.peers, content.NewBitfield(m.n))
			case op == 1:
				p.Need(i)
				m.open[i] = m.open[i] || !m.need[i]
				m.need[i] = true
			case op == 2:
				p.Start(i)
				m.open[i] = false
			case op == 3:
				p.Reopen(i)
				m.open[i] = m.need[i]
			case op == 4:
				p.Done(i)
				m.need[i], m.open[i] = false, false
			case op == 5:
				if k %= len(peers); m.peers[k] != nil {
					p.Leave(peers[k])
					m.peers[k] = nil
				}
			case op == 6:
				if k %= len(peers); m.peers[k] != nil {
					b := content.NewBitfield(m.n)
					for j := range m.n {
						if (j*i+k)%3 == 0 || i == 0 {
							b.Set(j)
						}
					}
					p.Set(peers[k], b)
					m.peers[k] = b.Clone()
				}
			default:
				if k %= len(peers); m.peers[k] != nil {
					if p.Have(peers[k], i) != m.peers[k].Set(i) {
						t.Fatal("Have is wrong about what is new")
					}
				}
			}
			m.compare(t, p, peers)
		}
	})
}

func (m *model) compare(t *rapid.T, p *pick.Picker, peers []*pick.Peer) {
	available, needed := 0, 0
	for i := range m.n {
		c := m.count(i)
		if p.Count(i) != c {
			t.Fatalf("piece %d counts %d, want %d", i, p.Count(i), c)
		}
		if m.open[i] && c > 0 {
			available++
		}
		if m.need[i] {
			needed++
		}
	}
	if p.Available() != available || p.Needed() != needed {
		t.Fatalf("available %d needed %d, want %d and %d", p.Available(), p.Needed(), available, needed)
	}
	for k, b := range m.peers {
		if b == nil {
			continue
		}
		needs, opens, rarest := 0, 0, 0
		for i := range m.n {
			if b.Has(i) && m.need[i] {
				needs++
			}
			if b.Has(i) && m.open[i] {
				if opens++; opens == 1 || m.count(i) < rarest {
					rarest = m.count(i)
				}
			}
		}
		if p.Needs(peers[k]) != needs || p.Opens(peers[k]) != opens || peers[k].Len() != b.Count() {
			t.Fatalf("peer %d: needs %d opens %d, want %d and %d", k, p.Needs(peers[k]), p.Opens(peers[k]), needs, opens)
		}
		i, ok := p.Rarest(peers[k], 0)
		if ok != (opens > 0) || ok && (!b.Has(i) || !m.open[i] || m.count(i) != rarest) {
			t.Fatalf("peer %d: chose %d, %v; the rarest count %d", k, i, ok, rarest)
		}
	}
}

// BenchmarkRarest chooses, starts and reopens a piece with 256 peers.
func BenchmarkRarest(b *testing.B) {
	for _, n := range []int{1 << 12, 1 << 21} {
		for _, share := range []int{2, 64} {
			b.Run(fmt.Sprintf("pieces=%d/share=1:%d", n, share), func(b *testing.B) {
				p := picker(n)
				r := rand.New(rand.NewPCG(3, 4))
				var peers []*pick.Peer
				for range 256 {
					f := content.NewBitfield(n)
					for i := range n {
						if r.IntN(share) == 0 {
							f.Set(i)
						}
					}
					q := p.Join()
					p.Set(q, f)
					peers = append(peers, q)
				}
				k := 0
				for b.Loop() {
					i, ok := p.Rarest(peers[k%256], 0)
					if ok {
						p.Start(i)
						p.Reopen(i)
					}
					k++
				}
			})
		}
	}
}
