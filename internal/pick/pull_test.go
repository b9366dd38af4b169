package pick_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/pick"
)

// state is what a node knows of its peers, once as a Picker has it and once as Pull
// reads it.
type state struct {
	n      int
	picker *pick.Picker
	peers  []*pick.Peer
	have   []uint64 // a row for each peer
	rows   []int32
	needed []uint64 // what is open
}

func newState(t *rapid.T) *state {
	s := &state{n: rapid.IntRange(1, 1200).Draw(t, "pieces")}
	words := (s.n + 63) / 64
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
	s.picker = pick.New(s.n, r)
	s.needed = make([]uint64, words)
	openOne := rapid.IntRange(1, 10).Draw(t, "one in so many open")
	for i := range s.n {
		s.picker.Need(i)
		if r.IntN(openOne) > 0 {
			s.picker.Start(i)
			continue
		}
		s.needed[i/64] |= 1 << (i % 64)
	}
	common := make([]int, s.n) // some pieces are common, others rare
	for i := range common {
		common[i] = r.IntN(101)
	}
	for k := range rapid.IntRange(1, 40).Draw(t, "peers") {
		set := content.NewBitfield(s.n)
		row := make([]uint64, words)
		full := r.IntN(8) == 0
		for i := range s.n {
			if full || r.IntN(100) < common[i] {
				set.Set(i)
				row[i/64] |= 1 << (i % 64)
			}
		}
		q := s.picker.Join()
		s.picker.Set(q, set)
		s.peers, s.have, s.rows = append(s.peers, q), append(s.have, row...), append(s.rows, int32(k))
	}
	return s
}

// open returns which pieces peer k could be asked for, and those of them that the
// fewest peers announced.
func (s *state) open(k int) (open []uint64, rarest map[int]bool) {
	open, rarest = make([]uint64, len(s.needed)), map[int]bool{}
	least := 1 << 30
	for i := range s.n {
		if s.needed[i/64]>>(i%64)&1 == 0 || !s.peers[k].Has(i) {
			continue
		}
		open[i/64] |= 1 << (i % 64)
		c := s.picker.Count(i)
		if c < least {
			least, rarest = c, map[int]bool{}
		}
		if c == least {
			rarest[i] = true
		}
	}
	return open, rarest
}

// Whatever peers have, Pull chooses from the set that Picker chooses from.
func TestPullChoosesFromWhatRarestChoosesFrom(t *testing.T) {
	var p pick.Pull
	rapid.Check(t, func(t *rapid.T) {
		s := newState(t)
		r := rand.New(rand.NewPCG(1, 2))
		for k := range min(len(s.peers), 3) {
			open, rarest := s.open(k)
			want, wants := s.picker.Rarest(s.peers[k], 0)
			got, ok := p.Rarest(open, s.have, s.rows, r)
			switch {
			case ok != wants:
				t.Fatalf("peer %d: Pull finds a piece: %v, Picker: %v", k, ok, wants)
			case ok && (!rarest[want] || !rarest[got]):
				t.Fatalf("peer %d: Pull chose %d, Picker %d, of %v", k, got, want, rarest)
			}
		}
	})
}

// Each of equally rare pieces is chosen equally often, as by Picker.
func TestPullBreaksTiesEvenly(t *testing.T) {
	for _, pieces := range []int{40, 600} {
		words := (pieces + 63) / 64
		have, open := make([]uint64, 2*words), make([]uint64, words)
		equal := 0
		for i := range pieces {
			open[i/64] |= 1 << (i % 64)
			have[i/64] |= 1 << (i % 64)
			if i%4 == 0 {
				have[words+i/64] |= 1 << (i % 64)
			} else {
				equal++
			}
		}
		var p pick.Pull
		r := rand.New(rand.NewPCG(3, 4))
		const each = 400
		count := make([]int, pieces)
		for range each * equal {
			i, _ := p.Rarest(open, have, []int32{0, 1}, r)
			count[i]++
		}
		chi := 0.0
		for i, n := range count {
			if i%4 == 0 {
				if n > 0 {
					t.Fatalf("piece %d of %d is not the rarest and was chosen", i, pieces)
				}
				continue
			}
			chi += float64((n-each)*(n-each)) / each
		}
		// The mean is equal-1, the deviation sqrt(2 (equal-1)): this is six of them.
		if limit := float64(equal) + 6*math.Sqrt(2*float64(equal)); chi > limit {
			t.Errorf("%d pieces: chi square %.0f of %d equal ones, want at most %.0f", pieces, chi, equal, limit)
		}
	}
}

func TestPullCountsNoFurtherThanItCan(t *testing.T) {
	const peers = 600 // more than a count has room for
	have := make([]uint64, peers)
	rows := make([]int32, peers)
	for i := range have {
		rows[i] = int32(i)
		if have[i] = 1; i < 200 {
			have[i] = 3
		}
	}
	var p pick.Pull
	if i, ok := p.Rarest([]uint64{3}, have, rows, rand.New(rand.NewPCG(1, 1))); !ok || i != 1 {
		t.Errorf("chose %d, %v: a piece with 600 copies was taken for rarer than one with 200", i, ok)
	}
}

// BenchmarkPull chooses among half of the pieces, from 24 peers.
func BenchmarkPull(b *testing.B) {
	for _, n := range []int{64, 1024} {
		b.Run(fmt.Sprintf("pieces=%d", n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 4))
			words := n / 64
			have, rows := make([]uint64, 24*words), make([]int32, 24)
			for i := range have {
				have[i] = r.Uint64()
			}
			for i := range rows {
				rows[i] = int32(i)
			}
			var p pick.Pull
			for b.Loop() {
				p.Rarest(have[:words], have, rows, r)
			}
		})
	}
}
