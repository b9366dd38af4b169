package swarm_test

import (
	"slices"
	"testing"
	"time"

	"tandem/internal/swarm"
)

// R2: what a connection is asked for.
func TestChoosing(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a connection goes on with its own piece before anything else", func(t *testing.T) {
			r := newRig(t, 8, 16, false)
			r.meet(1)
			r.has(1)
			r.opens(1)
			first := r.asked(1)
			if len(first) != 4 || len(pieces(first)) != 1 {
				t.Fatalf("asks for %v first, want 4 blocks of one piece", first)
			}
			r.forget()
			r.sends(1, first[0])
			if got := r.asked(1); len(got) == 0 || len(pieces(got)) != 1 || got[0].Piece != first[0].Piece {
				t.Errorf("asks for %v next, want more of piece %d", got, first[0].Piece)
			}
		}},
		{"an unstarted piece comes before a block of another's piece", func(t *testing.T) {
			r := newRig(t, 2, 16, false)
			r.meet(1, 2)
			r.has(1)
			r.has(2)
			r.opens(1, 2)
			if a, b := r.asked(1)[0].Piece, r.asked(2)[0].Piece; a == b {
				t.Errorf("both connections fetch piece %d", a)
			}
		}},
		{"the rarest piece is started first", func(t *testing.T) {
			r := newRig(t, 6, 4, false)
			r.meet(1, 2, 3)
			r.has(2, 0, 1, 2, 3)
			r.has(3, 0, 1, 2, 3, 5)
			r.has(1)
			r.opens(1)
			if got := r.asked(1)[0].Piece; got != 4 {
				t.Errorf("starts with piece %d, want 4, which only connection 1 has", got)
			}
		}},
		{"an orphaned piece comes before an unstarted one", func(t *testing.T) {
			r := newRig(t, 50, 16, false)
			r.meet(1, 2)
			r.has(1)
			r.opens(1)
			first := r.asked(1)[0]
			r.sends(1, first)
			r.sw.Disconnect(r.now, 1)
			r.has(2)
			r.opens(2)
			if got := r.asked(2)[0]; got.Piece != first.Piece || got.Begin == first.Begin {
				t.Errorf("asks for %v, want the rest of piece %d", got, first.Piece)
			}
		}},
		{"a piece of which nothing came is unstarted again", func(t *testing.T) {
			r := newRig(t, 2, 16, false)
			r.meet(1, 2)
			r.has(1, 0)
			r.opens(1)
			r.sw.Disconnect(r.now, 1)
			r.has(2)
			r.opens(2)
			if got := r.asked(2)[0]; got.Begin != 0 {
				t.Errorf("asks for %v, want the first block of a piece", got)
			}
		}},
		{"a block of another's piece is asked for when nothing else is left", func(t *testing.T) {
			r := newRig(t, 1, 16, false)
			r.meet(1, 2)
			r.has(1)
			r.has(2)
			r.opens(1, 2)
			got := append(r.asked(1), r.asked(2)...)
			if len(r.asked(2)) == 0 {
				t.Fatal("the second connection is asked for nothing")
			}
			for i, b := range got {
				if slices.Contains(got[:i], b) {
					t.Errorf("%v is asked for twice", b)
				}
			}
		}},
		{"nothing is asked of a peer that chokes us, but for what it allows", func(t *testing.T) {
			r := newRig(t, 4, 2, false)
			r.meet(1)
			r.has(1)
			if got := r.asked(1); len(got) > 0 {
				t.Fatalf("asks %v of a peer that chokes", got)
			}
			r.sw.PeerAllowed(r.now, 1, 3)
			if got := pieces(r.asked(1)); !slices.Equal(got, []int{3}) {
				t.Errorf("asks for pieces %v, want the allowed one, 3", got)
			}
		}},
		{"nothing is asked while paused", func(t *testing.T) {
			r := newRig(t, 4, 2, false)
			r.meet(1)
			r.has(1)
			r.sw.Pause(r.now, true)
			r.opens(1)
			r.count(swarm.SendRequest, 1, 0, "paused")
			r.sw.Pause(r.now, false)
			r.count(swarm.SendRequest, 1, 4, "going on")
		}},
		{"pieces that are not wanted are not fetched", func(t *testing.T) {
			r := newRig(t, 4, 2, false, func(c *swarm.Config) { c.Wanted = set(4, 1, 2) })
			r.meet(1)
			r.has(1)
			r.opens(1)
			if got := pieces(r.asked(1)); len(got) != 2 || slices.Contains(got, 0) || slices.Contains(got, 3) {
				t.Errorf("fetches pieces %v, want 1 and 2", got)
			}
		}},
	} {
		t.Run(c.name, c.run)
	}
}

// R3 within one connection: the queue follows the rate quickly.
func TestDepthFollowsRate(t *testing.T) {
	r := newRig(t, 4096, 8, false)
	r.meet(1)
	r.has(1)
	r.opens(1)
	queue := r.asked(1)
	r.forget()
	deepest := 0
	for range 4000 { // a block every 20 microseconds: 800 MB/s
		r.now = r.now.Add(20 * time.Microsecond)
		r.sends(1, queue[0])
		queue = append(queue[1:], r.asked(1)...)
		r.forget()
		deepest = max(deepest, len(queue))
	}
	if deepest != 250 {
		t.Errorf("after 80 ms at 800 MB/s the queue reached %d, want what the peer takes, 250", deepest)
	}
	r.sw.ReqQ(1, 2000)
	r.sends(1, queue[0])
	if got := len(queue) - 1 + len(r.asked(1)); got != 512 {
		t.Errorf("the queue of a peer that takes 2000 is %d, want 512", got)
	}
}

// The safety net: many connections together reserve at most half of what is
// missing.
func TestRequestsReserveLittle(t *testing.T) {
	r := newRig(t, 20, 4, false)
	for id := swarm.ConnID(1); id <= 12; id++ {
		r.meet(id)
		r.has(id)
		r.opens(id)
	}
	n := 0
	for _, c := range r.sw.Stats().Conns {
		n += c.Outstanding
		if c.Outstanding < 2 {
			t.Errorf("connection %d has %d requests, want at least 2", c.Conn, c.Outstanding)
		}
	}
	if n > 80/2+2*2 {
		t.Errorf("%d of 80 blocks are reserved", n)
	}
}

// R6.
func TestEndgame(t *testing.T) {
	r := newRig(t, 1, 4, false)
	r.meet(1, 2, 3, 4)
	r.has(1)
	r.opens(1) // slow: all four blocks wait there
	all := r.asked(1)
	for id := swarm.ConnID(2); id <= 4; id++ {
		r.has(id)
		r.opens(id)
	}
	r.pass(time.Second)
	copies := map[swarm.Block]int{}
	quick := swarm.ConnID(0)
	for id := swarm.ConnID(1); id <= 4; id++ {
		for _, b := range r.asked(id) {
			if copies[b]++; copies[b] > 2 {
				t.Errorf("%v is asked of three connections, want at most two", b)
			}
			quick = id
		}
	}
	if quick == 1 || len(all) != 4 {
		t.Fatal("no block was duplicated")
	}
	twice := r.asked(quick)[0]
	if !r.sw.PeerBlock(r.now, quick, twice) {
		t.Error("the first copy is not to be stored")
	}
	if got := blocksOf(r.did(swarm.SendCancel, 1)); !slices.Contains(got, twice) {
		t.Errorf("cancels %v at the slow connection, want %v", got, twice)
	}
	if r.sw.PeerBlock(r.now, 1, twice) {
		t.Error("the second copy is to be stored")
	}
	if r.sw.Stats().Wasted != blockSize {
		t.Errorf("wasted is %d", r.sw.Stats().Wasted)
	}
}

func TestStalls(t *testing.T) {
	t.Run("a connection that answers nothing for 10 s loses its blocks to others", func(t *testing.T) {
		r := newRig(t, 2, 8, false)
		r.meet(1, 2)
		r.has(1, 0)
		r.opens(1)
		stolen := r.asked(1)
		r.has(2)
		r.opens(2)
		for _, b := range r.asked(2) {
			r.sends(2, b)
		}
		r.forget()
		r.pass(9 * time.Second)
		r.count(swarm.SendCancel, 1, 0, "after 9 s")
		r.pass(2 * time.Second)
		r.count(swarm.SendCancel, 1, len(stolen), "after 11 s")
		for _, c := range r.sw.Stats().Conns {
			if c.Conn == 1 && c.Outstanding > 1 {
				t.Errorf("the snubbed connection has %d requests, want at most one", c.Outstanding)
			}
		}
	})
	t.Run("a block whose request was stolen is still taken", func(t *testing.T) {
		r := newRig(t, 1, 8, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		b := r.asked(1)[3]
		r.pass(11 * time.Second)
		if !r.sw.PeerBlock(r.now, 1, b) {
			t.Error("refused")
		}
	})
	t.Run("a late copy of what is here is wasted and no foul", func(t *testing.T) {
		r := newRig(t, 2, 8, false)
		r.meet(1, 2)
		r.has(1, 0)
		r.opens(1)
		all := r.asked(1)
		r.pass(11 * time.Second)
		r.has(2)
		r.opens(2)
		r.sends(2, all...)
		r.sends(1, all...)
		r.count(swarm.Drop, 1, 0, "late blocks")
	})
	t.Run("a request is timed out after 30 s while others are answered", func(t *testing.T) {
		r := newRig(t, 4, 16, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		skipped := r.asked(1)[0]
		for range 8 {
			asked := r.asked(1)
			r.pass(4 * time.Second)
			r.sends(1, asked[len(asked)-1])
		}
		if got := blocksOf(r.did(swarm.SendCancel, 1)); !slices.Contains(got, skipped) {
			t.Errorf("cancelled %v, want %v among them", got, skipped)
		}
	})
	t.Run("a choke without Fast returns what was asked", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		r.meetOld(1)
		r.meet(2)
		r.has(1)
		r.opens(1)
		r.has(2)
		r.sw.PeerChoke(r.now, 1, true)
		r.opens(2)
		if got := r.asked(2); len(got) != 4 {
			t.Errorf("asks %v of the other, want all four blocks", got)
		}
	})
	t.Run("a choke with Fast keeps what was asked until it is rejected, or never answered", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		asked := r.asked(1)
		r.sw.PeerChoke(r.now, 1, true)
		if got := r.sw.Stats().Conns[0].Outstanding; got != 4 {
			t.Errorf("%d outstanding after the choke, want 4", got)
		}
		r.sw.PeerReject(r.now, 1, asked[0])
		r.pass(11 * time.Second)
		if got := r.sw.Stats().Conns[0].Outstanding; got != 0 {
			t.Errorf("%d outstanding after 11 s, want 0", got)
		}
	})
	t.Run("a refused piece is not asked of that peer for 3 s", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		for _, b := range r.asked(1) {
			r.sw.PeerReject(r.now, 1, b)
		}
		r.forget()
		r.pass(2900 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 0, "within 3 s")
		r.pass(300 * time.Millisecond)
		r.count(swarm.SendRequest, 1, 4, "after 3 s")
	})
	t.Run("a peer that rejects everything it announced is left alone ever longer", func(t *testing.T) {
		r := newRig(t, 4000, 1, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		rejects := 0
		for range 300 {
			for _, b := range r.asked(1) {
				r.forget()
				r.sw.PeerReject(r.now, 1, b)
				rejects++
			}
			r.pass(100 * time.Millisecond)
		}
		if rejects > 500 {
			t.Errorf("%d requests were made of it in 30 s", rejects)
		}
	})
}

func TestCompletion(t *testing.T) {
	r := newRig(t, 2, 2, false)
	r.meet(1, 2)
	r.has(1)
	r.opens(1)
	r.count(swarm.SendInterest, 1, 1, "at the announcement")
	for _, b := range r.asked(1) {
		if !r.sw.PeerBlock(r.now, 1, b) {
			t.Fatalf("%v refused", b)
		}
	}
	verify := r.did(swarm.Verify, 1)
	if len(verify) != 2 {
		t.Fatalf("%d pieces to verify, want 2", len(verify))
	}
	for _, a := range verify {
		r.sw.PieceVerified(r.now, a.Block.Piece, true)
		r.sw.PieceVerified(r.now, a.Block.Piece, true) // once is enough
	}
	r.count(swarm.SendHave, 1, 2, "to who has it")
	r.count(swarm.SendHave, 2, 2, "to who lacks it")
	r.count(swarm.SendNoInterest, 1, 1, "at the end")
	r.count(swarm.Complete, 0, 1, "at the end")
	if st := r.sw.Stats(); st.Have != 2 || st.Bytes != st.Total || st.Wasted != 0 {
		t.Errorf("%+v", st)
	}
	r.forget()
	r.sw.PieceLost(r.now, 1)
	r.count(swarm.SendInterest, 1, 1, "after a loss")
	if got := pieces(r.asked(1)); !slices.Equal(got, []int{1}) {
		t.Errorf("fetches %v after the loss, want piece 1", got)
	}
}

func TestContentWithoutBytesIsComplete(t *testing.T) {
	r := newRig(t, 0, 1, false)
	r.count(swarm.Complete, 0, 1, "at once")
	r.meet(1)
	r.has(1)
	r.opens(1)
	r.wants(1)
	r.pass(time.Second)
	r.count(swarm.SendRequest, 1, 0, "nothing to ask")
}

// A peer on parole may prove itself, but a drip does not hold a piece that
// others could deliver.
func TestParoleIsNoPlaceToHide(t *testing.T) {
	r := newRig(t, 1, 16, false)
	r.meet(1, 2)
	r.has(1)
	r.opens(1)
	half := r.asked(1)
	r.sends(1, half...)
	r.has(2)
	r.opens(2)
	for len(r.did(swarm.Verify, 1))+len(r.did(swarm.Verify, 2)) == 0 {
		r.sends(2, r.asked(2)...)
		r.sends(1, r.asked(1)...)
	}
	r.forget()
	r.sw.PieceVerified(r.now, 0, false)
	r.sw.BlocksJudged(r.now, 0, nil, false)
	drip := swarm.ConnID(1)
	if len(r.asked(2)) > 0 {
		drip = 2
	}
	r.meet(3)
	r.has(3)
	r.opens(3)
	for i := range 8 {
		r.pass(5 * time.Second)
		r.sends(drip, r.asked(drip)[i])
	}
	if len(r.asked(3)) == 0 {
		t.Error("after 40 s of drip the piece is still with the peer on parole")
	}
}
