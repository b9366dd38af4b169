package swarm_test

import (
	"slices"
	"testing"
	"time"

	"tandem/internal/peer"
	"tandem/internal/swarm"
)

func TestLost(t *testing.T) {
	lost := func(first, last int, who swarm.ConnID, since time.Duration) swarm.Lost {
		l := swarm.Lost{First: first, Last: last}
		if who > 0 {
			l.Holder, l.Since = caps(who).Key, start.Add(since)
		}
		return l
	}
	for _, c := range []struct {
		name string
		set  func(r *rig)
		want []swarm.Lost
	}{
		{"what nobody ever had has no holder", func(r *rig) {
			r.joins(2, false, 0, 1, 5)
		}, []swarm.Lost{lost(2, 4, 0, 0), lost(6, 7, 0, 0)}},
		{"with an origin nothing is lost", func(r *rig) {
			r.visits(1)
		}, nil},
		{"without it, what peers lack is", func(r *rig) {
			r.joins(2, false, 0, 1, 2, 3)
			r.visits(1)
			r.sw.Disconnect(r.now, 1)
		}, []swarm.Lost{lost(4, 7, 0, 0)}},
		{"the last who had a piece is named, each run by its own", func(r *rig) {
			r.joins(2, false, 0, 1, 2)
			r.joins(4, false, 2, 3)
			r.pass(time.Second)
			r.sw.Disconnect(r.now, 2)
			r.pass(time.Second)
			r.sw.Disconnect(r.now, 4)
		}, []swarm.Lost{lost(0, 1, 2, time.Second), lost(2, 3, 4, 2*time.Second), lost(4, 7, 0, 0)}},
		{"what comes back is not lost", func(r *rig) {
			r.joins(2, false)
			r.has(2)
			r.sw.Disconnect(r.now, 2)
			r.joins(4, false, 1, 2, 3, 4, 5, 6, 7)
		}, []swarm.Lost{lost(0, 0, 2, 0)}},
		{"what is here and not yet verified is not lost", func(r *rig) {
			r.joins(2, false, 0)
			r.sends(2, blks(0, 2)...)
			r.sw.Disconnect(r.now, 2)
			r.joins(4, false, 1, 2, 3, 4, 5, 6)
		}, []swarm.Lost{lost(7, 7, 0, 0)}},
		{"what is not wanted is not lost", func(r *rig) {
			*r = *newRig(r.t, 8, 2, false, func(c *swarm.Config) { c.Wanted = set(8, 3, 5); c.Suspect = set(8, 5) })
		}, []swarm.Lost{lost(3, 3, 0, 0)}},
		{"a complete node has lost nothing", func(r *rig) {
			*r = *newRig(r.t, 8, 2, true)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 8, 2, false)
			c.set(r)
			if got := r.sw.Lost(); !slices.Equal(got, c.want) {
				t.Errorf("lost %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// Whoever comes and goes, what is remembered of them stays bounded, and the newest
// are known.
func TestLostRemembersABoundedNumber(t *testing.T) {
	const n = 1500
	r := newRig(t, n, 1, false)
	key := func(i int) peer.Key { return peer.Key{ID: peer.ID{byte(i), byte(i >> 8), 9}} }
	for i := range n {
		id := swarm.ConnID(i)
		r.sw.Connect(r.now, id, swarm.Caps{Key: key(i), Fast: true})
		r.has(id, i)
		r.sw.Disconnect(r.now, id)
		r.forget()
	}
	named := 0
	for _, l := range r.sw.Lost() {
		for i := l.First; i <= l.Last; i++ {
			switch l.Holder {
			case key(i):
				named++
			case peer.Key{}:
			default:
				t.Fatalf("piece %d was not with %v", i, l.Holder)
			}
		}
	}
	if named < 400 || named > 1024 {
		t.Errorf("%d holders are known of %d", named, n)
	}
	if l := r.sw.Lost(); l[len(l)-1].Holder != key(n-1) {
		t.Error("the newest is forgotten")
	}
}
