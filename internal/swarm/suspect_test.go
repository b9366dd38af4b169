package swarm_test

import (
	"slices"
	"testing"

	"tandem/internal/swarm"
)

// Pieces that may be here are judged while others are fetched.
func TestSuspectPieces(t *testing.T) {
	suspect := func(pieces ...int) func(*swarm.Config) {
		return func(c *swarm.Config) { c.Suspect = set(4, pieces...) }
	}
	for _, c := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a suspect piece is not fetched, the others are", func(t *testing.T) {
			r := newRig(t, 4, 1, false, suspect(1, 3))
			r.meet(1)
			r.has(1)
			r.opens(1)
			got := pieces(r.asked(1))
			slices.Sort(got)
			if !slices.Equal(got, []int{0, 2}) {
				t.Errorf("asks for pieces %v, want 0 and 2", got)
			}
		}},
		{"a suspect piece that is found is announced, served and not fetched", func(t *testing.T) {
			r := newRig(t, 4, 1, false, suspect(1))
			r.meet(1, 2)
			r.has(1)
			r.opens(1)
			r.wants(2, blk(1, 0))
			r.count(swarm.SendReject, 2, 1, "before it is judged")
			r.sw.PieceFound(r.now, 1)
			r.count(swarm.SendHave, 2, 1, "found")
			r.wants(2, blk(1, 0))
			if got := r.served(2); !slices.Equal(got, []swarm.Block{blk(1, 0)}) {
				t.Errorf("serves %v, want the found piece", got)
			}
			if got := pieces(r.asked(1)); slices.Contains(got, 1) {
				t.Errorf("asks for pieces %v", got)
			}
			if st := r.sw.Stats(); st.Have != 1 || st.Bytes != blockSize {
				t.Errorf("counts %d pieces of %d bytes, want one block", st.Have, st.Bytes)
			}
		}},
		{"a suspect piece that is bad is fetched", func(t *testing.T) {
			r := newRig(t, 4, 1, false, suspect(0, 1, 2, 3))
			r.meet(1)
			r.has(1)
			r.opens(1)
			r.count(swarm.SendInterest, 1, 0, "nothing is known to be missing")
			r.sw.PieceLost(r.now, 2)
			r.count(swarm.SendInterest, 1, 1, "a piece is missing")
			if got := pieces(r.asked(1)); !slices.Equal(got, []int{2}) {
				t.Errorf("asks for pieces %v, want the bad one", got)
			}
		}},
		{"the transfer is complete once the last suspect piece is found", func(t *testing.T) {
			r := newRig(t, 4, 1, false, suspect(0, 1, 2, 3))
			for i := range 4 {
				r.count(swarm.Complete, 0, 0, "pieces are suspect")
				r.sw.PieceFound(r.now, i)
			}
			r.count(swarm.Complete, 0, 1, "all are found")
		}},
		{"suspect pieces nobody wants do not hold up completion", func(t *testing.T) {
			r := newRig(t, 4, 1, false, suspect(0, 1), func(c *swarm.Config) { c.Wanted = set(4, 1) })
			r.meet(1)
			r.has(1)
			r.opens(1)
			r.sw.PieceFound(r.now, 1)
			r.count(swarm.Complete, 0, 1, "all that is wanted is found")
			r.sw.PieceLost(r.now, 0)
			r.count(swarm.SendRequest, 1, 0, "nobody wants it")
		}},
		{"what is not suspect cannot be found", func(t *testing.T) {
			r := newRig(t, 4, 1, false)
			r.sw.PieceFound(r.now, 1)
			if st := r.sw.Stats(); st.Have != 0 {
				t.Errorf("has %d pieces", st.Have)
			}
		}},
	} {
		t.Run(c.name, c.run)
	}
}
