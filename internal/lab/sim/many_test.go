package sim

import (
	"context"
	"slices"
	"testing"
)

// The rules for very many receivers, on a crowd small enough for a test: everybody has
// every byte once, and it takes about as long.
func TestTheRulesForVeryManyBringEverythingToAll(t *testing.T) {
	const n = 60
	s := swarmOf(16<<20, 256<<10, 40, receivers(n, 20, 100))
	s.Stay.Kind = "leave"
	usual := swarmed(t, s, 1)
	e := newSwarm(s, 1)
	e.asks, e.lag = false, e.trip+int64(verify)
	r, err := e.run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if sum := r.FromOrigin + r.FromPeers - r.Wasted; r.Done != n || sum != n*(16<<20) {
		t.Errorf("%d of %d finish, %d bytes of use", r.Done, n, sum)
	}
	if ratio := r.Last.Seconds() / usual.Last.Seconds(); ratio < 0.85 || ratio > 1.15 {
		t.Errorf("last after %v, by the usual rules %v", r.Last, usual.Last)
	}
}

// Of very many open pieces some of one part are left, and none that was not open.
func TestNarrowLeavesOpenPieces(t *testing.T) {
	e := newSwarm(swarmOf(2600*16<<10, 16<<10, 40, receivers(2, 20, 100)), 1)
	for w := range e.open {
		clear(e.open)
		e.open[w] = 1 << (w % 40)
		want := slices.Clone(e.open)
		if e.narrow(); !slices.Equal(e.open, want) {
			t.Fatalf("one open piece in word %d: %x is left", w, e.open)
		}
		for i := range e.open {
			e.open[i] = ^uint64(0)
		}
		e.narrow()
		first := slices.IndexFunc(e.open, func(set uint64) bool { return set != 0 })
		n := 0
		for _, set := range e.open {
			if set != 0 {
				n++
			}
		}
		if first < 0 || n > look || n != min(look, len(e.open)-first) {
			t.Fatalf("all open: %d words from %d are left", n, first)
		}
	}
}
