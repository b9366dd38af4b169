package swarm_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// The origin dies with a part of the content out, with and without a full copy
// among the receivers. With one, all finish; without, all end with what the living
// have, and name the rest and who had it last.
func TestTheOriginDies(t *testing.T) {
	for _, at := range []float64{0, 0.4, 0.95} {
		for _, full := range []bool{true, false} {
			t.Run(fmt.Sprintf("at %v, full copy %v", at, full), func(t *testing.T) {
				t.Parallel()
				dies(t, at, full)
			})
		}
	}
}

func dies(t *testing.T, at float64, full bool) {
	c := crowd{total: 4<<20 + 1000, piece: 32 << 10, origin: 40, ups: equal(6, 20), down: 100}
	w := newWorld(1, c.total, c.piece)
	w.tandem = true
	o := w.addServer(c.origin)
	var got []*node
	for i, up := range c.ups {
		n := w.add(up, c.down, full && i == 0)
		got = append(got, n)
	}
	c.meet(w, o, got)
	unit := float64(c.total) / (c.origin * mbit)
	w.after(time.Duration(at*unit*1e9), o.kill)
	gone := got[5]
	w.after(time.Duration((at+0.02)*unit*1e9), gone.kill)
	w.run(time.Duration(20*unit*1e9), finished(got))
	live := content.NewBitfield(w.geo.NumPieces())
	for _, n := range got[:5] {
		for i := n.verified.Next(0); i >= 0; i = n.verified.Next(i + 1) {
			live.Set(i)
		}
	}
	if full != live.Full() {
		t.Fatalf("seed 1: %d of %d pieces live on, full copy %v", live.Count(), live.Len(), full)
	}
	for _, n := range got[:5] {
		if live.AnyNotIn(n.verified) {
			t.Errorf("seed 1: node %d has %d pieces of %d that live on", n.id, n.verified.Count(), live.Count())
		}
		var want []int
		for i := range live.Len() {
			if !live.Has(i) {
				want = append(want, i)
			}
		}
		if named := checkLost(t, n, gone, want); named < had(gone, want) {
			t.Errorf("node %d names the last holder of %d pieces, which had %d", n.id, named, had(gone, want))
		}
	}
}

// had counts which of these pieces a node has.
func had(n *node, pieces []int) (count int) {
	for _, i := range pieces {
		if n.verified.Has(i) {
			count++
		}
	}
	return count
}

// checkLost compares what a node says is lost with what is, and returns of how many
// pieces it names gone as the last who had them.
func checkLost(t *testing.T, n, gone *node, want []int) (named int) {
	var lost []int
	for _, l := range n.sw.Lost() {
		for i := l.First; i <= l.Last; i++ {
			lost = append(lost, i)
			switch {
			case l.Holder == gone.key && gone.verified.Has(i):
				named++
			case l.Holder != peer.Key{}:
				t.Errorf("node %d: piece %d was not last with %v", n.id, i, l.Holder)
			}
		}
	}
	if !slices.Equal(lost, want) {
		t.Errorf("node %d says %v is lost, want %v", n.id, lost, want)
	}
	return named
}
