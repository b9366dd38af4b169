package swarm_test

import (
	"testing"
	"time"

	"tandem/internal/swarm"
)

// fetchShared has one piece of four blocks delivered, two blocks each, by
// connections 1 and 2.
func fetchShared(t *testing.T, r *rig) {
	t.Helper()
	r.meet(1, 2)
	r.has(1)
	r.opens(1)
	first := r.asked(1)
	r.sends(1, first[:2]...)
	r.sw.PeerChoke(r.now, 1, true)
	for _, b := range first[2:] {
		r.sw.PeerReject(r.now, 1, b)
	}
	r.has(2)
	r.opens(2)
	r.sends(2, r.asked(2)...)
	if n := len(r.did(swarm.Verify, 1)) + len(r.did(swarm.Verify, 2)); n != 1 {
		t.Fatalf("%d pieces to verify, want 1", n)
	}
	r.forget()
}

func TestBlame(t *testing.T) {
	t.Run("the only sender of a bad piece is banned, by its key", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		r.sends(1, r.asked(1)...)
		r.forget()
		r.sw.PieceVerified(r.now, 0, false)
		r.count(swarm.Ban, 1, 1, "bad piece")
		r.sw.Connect(r.now, 7, caps(1)) // the same key
		r.count(swarm.Ban, 7, 1, "once more")
		r.meet(2)
		r.has(2)
		r.opens(2)
		r.count(swarm.SendRequest, 2, 4, "the whole piece again")
		if st := r.sw.Stats(); st.Corrupt != 4*blockSize || st.Have != 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("of several senders the leaf hashes tell which", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		fetchShared(t, r)
		r.meet(3)
		r.has(3)
		r.forget()
		r.sw.PieceVerified(r.now, 0, false)
		r.count(swarm.JudgeBlocks, 3, 1, "ask who had no part in it")
		r.sw.BlocksJudged(r.now, 0, []int{3}, true)
		r.count(swarm.Ban, 2, 1, "sender of block 3")
		r.count(swarm.Ban, 1, 0, "sender of good blocks")
		r.opens(3)
		if got := r.asked(3); len(got) != 1 || got[0] != blk(0, 3) {
			t.Errorf("asks for %v, want the bad block alone", got)
		}
	})
	t.Run("without leaf hashes the piece comes from one connection alone", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		fetchShared(t, r)
		r.sw.PieceVerified(r.now, 0, false)
		r.opens(1)
		r.sw.BlocksJudged(r.now, 0, nil, false)
		r.count(swarm.Ban, 1, 0, "not proven")
		r.count(swarm.Ban, 2, 0, "not proven")
		r.pass(4 * time.Second)
		one, two := r.asked(1), r.asked(2)
		if len(one) > 0 && len(two) > 0 {
			t.Fatalf("asked of both: %v and %v", one, two)
		}
		culprit := swarm.ConnID(1)
		if len(two) > 0 {
			culprit = 2
		}
		r.forget()
		r.sends(culprit, append(one, two...)...)
		r.sw.PieceVerified(r.now, 0, false)
		r.count(swarm.Ban, culprit, 1, "proven")
		other := 3 - culprit
		r.pass(4 * time.Second)
		if got := r.asked(other); len(got) != 4 {
			t.Fatalf("asks %v of the other, want the whole piece", got)
		}
		r.sends(other, r.asked(other)...)
		r.sw.PieceVerified(r.now, 0, true)
		r.count(swarm.Complete, 0, 1, "in the end")
	})
	t.Run("a judgement that never comes is not waited for", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		fetchShared(t, r)
		r.meet(3)
		r.has(3)
		r.sw.PieceVerified(r.now, 0, false)
		r.opens(3)
		r.pass(61 * time.Second)
		if got := r.asked(3); len(got) != 4 {
			t.Errorf("asks for %v, want the piece", got)
		}
	})
	t.Run("blocks of a banned key in other pieces are fetched again", func(t *testing.T) {
		r := newRig(t, 2, 2, false)
		r.meet(1)
		r.has(1)
		r.opens(1)
		first := r.asked(1)
		r.sends(1, first[:3]...) // a piece, and half of the other
		r.meet(2)
		r.has(2)
		r.opens(2)
		r.forget()
		r.sw.PieceVerified(r.now, first[0].Piece, false)
		r.count(swarm.Ban, 1, 1, "bad piece")
		r.count(swarm.SendRequest, 2, 4, "nothing of it is kept")
		r.sends(2, r.asked(2)...)
		r.sw.PieceVerified(r.now, first[3].Piece, false)
		r.count(swarm.Ban, 2, 1, "alone to blame")
	})
	t.Run("an old connection of a banned key goes too", func(t *testing.T) {
		r := newRig(t, 1, 4, false)
		r.meet(1)
		r.sw.Connect(r.now, 9, caps(1))
		r.has(1)
		r.opens(1)
		r.sends(1, r.asked(1)...)
		r.sw.PieceVerified(r.now, 0, false)
		r.count(swarm.Ban, 9, 1, "same key")
	})
}
