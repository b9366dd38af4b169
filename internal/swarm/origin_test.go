package swarm_test

import (
	"slices"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/swarm"
)

// visits connects an origin.
func (r *rig) visits(id swarm.ConnID) {
	c := caps(id)
	c.Origin = true
	r.sw.Connect(r.now, id, c)
	r.sw.RTT(id, time.Millisecond)
}

// joins connects a tandem peer that has pieces, none if none are given, and
// serves us.
func (r *rig) joins(id swarm.ConnID, near bool, has ...int) {
	c := caps(id)
	c.Tandem, c.Near, c.Outgoing = true, near, id%2 == 1
	r.sw.Connect(r.now, id, c)
	r.sw.RTT(id, time.Millisecond)
	if len(has) > 0 {
		r.has(id, has...)
	}
	r.opens(id)
}

// tells returns the pieces of which a peer was told so.
func (r *rig) tells(k swarm.Kind, id swarm.ConnID) []int { return pieces(blocksOf(r.did(k, id))) }

func TestAnOriginIsAskedForWholePiecesInARow(t *testing.T) {
	r := newRig(t, 100, 4, false)
	r.visits(1)
	got := r.asked(1)
	if len(got) < 32 {
		t.Errorf("%d blocks asked of an origin alone, want half a megabyte", len(got))
	}
	for i, b := range got {
		if want := blk((got[0].Piece+i/4)%100, i%4); b != want {
			t.Fatalf("block %d asked for is %v, want %v", i, b, want)
		}
	}
	for k := swarm.Announce; k <= swarm.SendFetched; k++ {
		if k != swarm.SendRequest {
			r.count(k, 1, 0, "an origin is told nothing")
		}
	}
	if st := r.sw.Stats(); st.Copies != 0 || !st.Conns[0].Origin {
		t.Errorf("an origin is no copy among peers: %+v", st)
	}
}

func TestTwoPiecesAreInFlightAtLeast(t *testing.T) {
	r := newRig(t, 100, 64, false)
	r.visits(1)
	r.joins(2, false) // not alone
	all := r.asked(1)
	left := len(all)
	for i := 0; i < 400; i++ {
		r.sends(1, all[i])
		r.now = r.now.Add(300 * time.Millisecond) // a slow one
		if n := len(r.asked(1)); n > len(all) {
			left += n - len(all)
			all = r.asked(1)
		}
		if left--; left < 64 {
			t.Fatalf("after %d blocks %d are in flight", i+1, left)
		}
		if len(all)%64 != 0 {
			t.Fatalf("%d blocks asked for, which are not whole pieces", len(all))
		}
	}
}

func TestElsewhere(t *testing.T) {
	t.Run("what the origin gives to others is asked of it after a while", func(t *testing.T) {
		r := newRig(t, 4, 8, false)
		r.visits(1)
		refused := slices.DeleteFunc(r.asked(1), func(b swarm.Block) bool { return b.Piece == 2 })
		r.forget()
		r.sw.Elsewhere(r.now, 1, refused[:1], set(4, 0, 1, 3), 2*time.Second)
		r.sw.Elsewhere(r.now, 1, refused, nil, 2*time.Second)
		r.forget()
		r.pass(1900 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 0, "before the time is over")
		r.pass(400 * time.Millisecond)
		if got := len(pieces(r.asked(1))); got != 3 {
			t.Errorf("asked for %d pieces after the time, want 3", got)
		}
	})
	t.Run("with all pieces taken it is left alone", func(t *testing.T) {
		r := newRig(t, 40, 8, false)
		r.visits(1)
		b := r.asked(1)[:1]
		r.forget()
		r.sw.Elsewhere(r.now, 1, b, content.FullBitfield(40), time.Second)
		r.pass(900 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 0, "before the time is over")
		r.pass(300 * time.Millisecond)
		if len(r.asked(1)) == 0 {
			t.Error("never asked again")
		}
	})
	t.Run("it is asked no sooner than in a quarter of a second, whatever it says", func(t *testing.T) {
		r := newRig(t, 2, 8, false)
		r.visits(1)
		b := r.asked(1)
		r.forget()
		r.sw.Elsewhere(r.now, 1, b, nil, -time.Hour)
		r.pass(200 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 0, "at once")
		r.pass(400 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 16, "soon")
	})
	t.Run("a peer is asked at once for what the origin refuses", func(t *testing.T) {
		r := newRig(t, 2, 8, false)
		r.visits(1)
		b := r.asked(1)
		r.joins(2, false, 0, 1)
		r.forget()
		r.sw.Elsewhere(r.now, 1, b, nil, 10*time.Second)
		if got := r.asked(2); len(got) == 0 {
			t.Error("the peer was not asked")
		}
	})
	t.Run("a peer cannot say it", func(t *testing.T) {
		r := newRig(t, 2, 8, false)
		r.joins(2, false, 0, 1)
		b := r.asked(2)
		r.sw.Elsewhere(r.now, 2, b, content.FullBitfield(2), time.Minute)
		if st := r.sw.Stats(); st.Conns[0].Outstanding != len(b) {
			t.Errorf("%d requests outstanding, want %d", st.Conns[0].Outstanding, len(b))
		}
	})
}

func TestNoticesAreGiven(t *testing.T) {
	r := newRig(t, 8, 2, false)
	r.joins(2, false)
	r.meet(3) // no tandem
	r.visits(1)
	asked := pieces(r.asked(1))
	if got := r.tells(swarm.SendFetching, 2); !slices.Equal(got, asked) {
		t.Errorf("told of %v, fetches %v", got, asked)
	}
	r.count(swarm.SendFetching, 3, 0, "others are told nothing")
	r.joins(4, false)
	if got := r.tells(swarm.SendFetching, 4); len(got) != len(asked) {
		t.Errorf("who comes later is told of %v, want %v", got, asked)
	}
	r.sends(1, blks(asked[0], 2)...)
	r.sw.PieceVerified(r.now, asked[0], true)
	r.count(swarm.SendFetched, 2, 0, "the announcement of the piece says it")
	r.sw.Disconnect(r.now, 1)
	if got := r.tells(swarm.SendFetched, 2); len(got) != len(pieces(r.asked(1)))-1 {
		t.Errorf("with the origin gone %v is taken back", got)
	}
}

func TestNearBeforeFar(t *testing.T) {
	// 1: an origin; 3: dialed by us; 4: not.
	t.Run("what a near peer has or fetches is not asked of the origin", func(t *testing.T) {
		r := newRig(t, 10, 8, false)
		r.joins(4, true, 0, 1, 2)
		r.joins(6, true)
		for i := 3; i < 9; i++ {
			r.sw.PeerFetching(r.now, 6, i, true)
		}
		r.visits(1)
		if got := pieces(r.asked(1)); !slices.Equal(got, []int{9}) {
			t.Errorf("asked the origin for pieces %v, want 9", got)
		}
		r.sw.PeerFetching(r.now, 6, 5, false)
		r.pass(400 * time.Millisecond)
		if got := pieces(r.asked(1)); !slices.Equal(got, []int{9, 5}) {
			t.Errorf("asked the origin for pieces %v, want 5 after 9", got)
		}
	})
	t.Run("of two who begin at once the one that dialed gives way", func(t *testing.T) {
		for _, id := range []swarm.ConnID{3, 4} {
			r := newRig(t, 2, 8, false)
			r.joins(id, true)
			r.visits(1)
			p := pieces(r.asked(1))[0]
			r.sw.PeerFetching(r.now, id, p, true)
			want := 0
			if id == 3 {
				want = 8
			}
			r.count(swarm.SendCancel, 1, want, "of what the other began")
		}
	})
	t.Run("nobody gives way once bytes came", func(t *testing.T) {
		r := newRig(t, 2, 8, false)
		r.joins(3, true)
		r.visits(1)
		b := r.asked(1)[0]
		r.sends(1, b)
		r.sw.PeerFetching(r.now, 3, b.Piece, true)
		r.count(swarm.SendCancel, 1, 0, "a piece that has begun to come")
	})
	t.Run("far sources are asked again when nothing comes from near", func(t *testing.T) {
		r := newRig(t, 4, 8, false)
		r.joins(4, true, 0, 1, 2, 3)
		r.visits(1)
		r.pass(2500 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 0, "while the near peer may still answer")
		r.pass(9 * time.Second) // it is snubbed as well
		if len(r.asked(1)) == 0 {
			t.Error("the origin was not asked")
		}
	})
	t.Run("a near origin comes before far peers", func(t *testing.T) {
		r := newRig(t, 4, 8, false)
		c := caps(1)
		c.Origin, c.Near = true, true
		r.sw.Connect(r.now, 1, c)
		r.joins(2, false, 0, 1, 2, 3)
		r.count(swarm.SendRequest, 2, 0, "of a far peer")
		r.sw.Costly(r.now, 1, true)
		r.sw.Disconnect(r.now, 1)
		if len(r.asked(2)) == 0 {
			t.Error("without the origin the far peer was not asked")
		}
	})
}

func TestACostlyOriginIsSpared(t *testing.T) {
	r := newRig(t, 6, 8, false)
	r.joins(2, false, 0, 1, 2)
	r.joins(4, false)
	r.sw.PeerFetching(r.now, 4, 3, true)
	r.sw.Pause(r.now, true)
	r.visits(1)
	r.sw.Costly(r.now, 1, true)
	r.sw.Pause(r.now, false)
	got := pieces(r.asked(1))
	slices.Sort(got)
	if !slices.Equal(got, []int{4, 5}) {
		t.Errorf("asked for %v, want what nobody has or fetches: 4 and 5", got)
	}
	r.sends(1, append(blks(4, 8), blks(5, 8)...)...)
	r.pass(2500 * time.Millisecond)
	if n := len(pieces(r.asked(1))); n != 2 {
		t.Errorf("asked for %d pieces while peers may still bring the others", n)
	}
	r.pass(2 * time.Second) // they bring nothing
	if n := len(pieces(r.asked(1))); n < 3 {
		t.Errorf("asked for %d pieces when peers bring nothing", n)
	}
}

func TestASilentOriginKeepsItsRequests(t *testing.T) {
	r := newRig(t, 2, 8, false)
	r.visits(1)
	r.pass(50 * time.Second)
	r.count(swarm.SendCancel, 1, 0, "it may let us wait in its queue")
	r.pass(15 * time.Second)
	if len(r.did(swarm.SendCancel, 1)) != 16 {
		t.Error("the requests were never taken back")
	}
	r.forget()
	r.sends(1, blk(0, 0)) // it answers in the end
	if st := r.sw.Stats(); st.Wasted != 0 {
		t.Errorf("%d bytes of a late answer were wasted", st.Wasted)
	}
}

func TestWhatASilentOriginOwesPeersAreAskedFor(t *testing.T) {
	r := newRig(t, 2, 8, false)
	r.visits(1)
	r.sw.Pause(r.now, true)
	r.joins(2, false, 1)
	r.pass(11 * time.Second)
	r.sw.Pause(r.now, false)
	if got := pieces(blocksOf(r.did(swarm.SendCancel, 1))); !slices.Equal(got, []int{1}) {
		t.Errorf("took pieces %v back, want 1, which a peer has", got)
	}
	if got := pieces(r.asked(2)); !slices.Equal(got, []int{1}) {
		t.Errorf("asked the peer for %v, want 1", got)
	}
}

func TestAnOriginInOrder(t *testing.T) {
	r := newRig(t, 10, 8, false, func(c *swarm.Config) { c.Have = set(10, 8) })
	r.sw.Pause(r.now, true)
	r.visits(1)
	r.sw.InOrder(r.now, 1, 7)
	r.sw.Pause(r.now, false)
	for range 100 {
		r.sends(1, r.asked(1)...)
	}
	if got := pieces(r.asked(1)); !slices.Equal(got, []int{7, 9, 0, 1, 2, 3, 4, 5, 6}) {
		t.Errorf("asked for %v", got)
	}
}
