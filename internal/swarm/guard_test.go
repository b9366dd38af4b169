package swarm_test

import (
	"slices"
	"testing"
	"time"

	"tandem/internal/swarm"
)

// R5: a seeder lets every piece out once before any goes twice.
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, r *rig)
	}{
		{"the first to ask for a piece gets it, the second is refused", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0))
			r.wants(2, blk(0, 0))
			r.count(swarm.Serve, 1, 1, "first")
			r.count(swarm.Serve, 2, 0, "second")
			r.count(swarm.SendReject, 2, 1, "second")
		}},
		{"everything is announced all the same", func(t *testing.T, r *rig) {
			if a := r.did(swarm.Announce, 1); len(a) != 1 || !a[0].Have.Full() {
				t.Errorf("announced %+v", a)
			}
		}},
		{"it is off for good once every piece was asked for", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0), blk(1, 0), blk(2, 0))
			if !r.sw.Stats().GuardOn {
				t.Fatal("off too early")
			}
			r.wants(2, blk(3, 0))
			if r.sw.Stats().GuardOn {
				t.Fatal("still on")
			}
			r.sw.Disconnect(r.now, 2)
			r.wants(1, blk(3, 0))
			r.count(swarm.SendReject, 1, 0, "after the guard")
		}},
		{"a piece is free again when its holder leaves", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0))
			r.sw.Disconnect(r.now, 1)
			r.wants(2, blk(0, 0))
			r.count(swarm.Serve, 2, 1, "after the holder left")
		}},
		{"a piece is free again when its holder takes nothing for 10 s", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0))
			r.pass(11 * time.Second)
			r.wants(2, blk(0, 0))
			r.count(swarm.SendReject, 2, 0, "after the stall")
		}},
		{"a piece is free again when its holder takes its requests back", func(t *testing.T, r *rig) {
			r.wants(1, append(blks(3, 4), blk(0, 0))...) // the window is full
			r.sw.PeerCancel(r.now, 1, blk(0, 0))
			r.wants(2, blk(0, 0))
			r.count(swarm.SendReject, 2, 0, "after the cancel")
		}},
		{"a piece passed on counts as out when its holder leaves", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0))
			r.sw.PeerHave(r.now, 2, 0)
			r.sw.Disconnect(r.now, 1)
			r.meet(3)
			r.wants(3, blk(0, 0))
			r.count(swarm.SendReject, 3, 1, "it is with connection 2")
		}},
		{"another seed switches it off", func(t *testing.T, r *rig) {
			r.has(1)
			if r.sw.Stats().GuardOn {
				t.Error("still on")
			}
		}},
		{"pieces nobody wants do not hold up the others for long", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0))
			r.pull()
			for range 11 {
				r.pass(time.Second)
				r.sw.PeerHave(r.now, 1, 1) // not stalled
			}
			r.wants(2, blk(0, 0))
			r.count(swarm.SendReject, 2, 0, "when nothing was assigned for 10 s")
		}},
		{"a client that asks again at once waits for its reject, then gets the block", func(t *testing.T, r *rig) {
			r.wants(1, blk(0, 0))
			asked := 0
			for range 40 {
				r.forget()
				r.wants(2, blk(0, 0))
				asked++
				r.pass(100 * time.Millisecond)
				for len(r.did(swarm.SendReject, 2))+len(r.did(swarm.Serve, 2)) == 0 {
					r.pass(100 * time.Millisecond)
				}
				if len(r.did(swarm.Serve, 2)) > 0 {
					break
				}
			}
			if asked != 4 {
				t.Errorf("the block came at attempt %d, want 4", asked)
			}
		}},
		{"a client that asks for everything in turn gets on", func(t *testing.T, r *rig) {
			big := newRig(t, 200, 1, true)
			big.meet(1, 2)
			for p := range 199 {
				big.wants(1, blk(p, 0))
				big.sw.Sent(big.now, 1, blockSize)
			}
			rounds := 0
			for p := 0; len(big.served(2)) == 0 && rounds < 1000; p = (p + 1) % 199 {
				big.wants(2, blk(p, 0))
				big.pass(50 * time.Millisecond)
				rounds++
			}
			if rounds > 200 {
				t.Errorf("nothing was served in %d requests", rounds)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 4, 4, true)
			r.meet(1, 2)
			c.run(t, r)
		})
	}
}

// Peers without Fast cannot be refused: they are shown two pieces at a time.
func TestOffers(t *testing.T) {
	r := newRig(t, 8, 4, true)
	r.meetOld(1)
	r.meetOld(2)
	if a := r.did(swarm.Announce, 1); len(a) != 1 || a[0].Have == nil {
		t.Fatalf("announced %+v", a)
	}
	one, two := pieces(blocksOf(r.did(swarm.SendHave, 1))), pieces(blocksOf(r.did(swarm.SendHave, 2)))
	if len(one) != 2 || len(two) != 2 {
		t.Fatalf("shown %v and %v, want two each", one, two)
	}
	for _, p := range one {
		if slices.Contains(two, p) {
			t.Errorf("piece %d is offered to both", p)
		}
	}
	r.wants(1, blk(one[0], 0))
	r.count(swarm.Serve, 1, 1, "an offer")
	r.forget()
	r.sw.PeerHave(r.now, 1, one[0])
	r.count(swarm.SendHave, 1, 1, "the next offer, once one is complete")
	r.forget()
	r.pass(11 * time.Second)
	if got := r.did(swarm.SendHave, 2); len(got) < 2 {
		t.Errorf("offers that are not taken block the next: shown %v", got)
	}
	r.pass(time.Minute)
	all := map[int]bool{}
	for _, p := range two {
		all[p] = true
	}
	for _, a := range r.did(swarm.SendHave, 2) {
		all[a.Block.Piece] = true
	}
	if len(all) != 8 {
		t.Errorf("after a minute connection 2 has been shown %d pieces, want all 8", len(all))
	}
}
