package swarm_test

import (
	"slices"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/swarm"
)

// noGuard lets a complete node serve without R5.
func noGuard(c *swarm.Config) { c.NoGuard = true }

// R4: whom to send to.
func TestServing(t *testing.T) {
	t.Run("everybody interested is unchoked", func(t *testing.T) {
		r := newRig(t, 4, 4, true, noGuard)
		for id := swarm.ConnID(1); id <= 60; id++ {
			r.meet(id)
			r.wants(id)
			r.count(swarm.SendUnchoke, id, 1, "interested")
		}
	})
	t.Run("two connections are sent to at a time, four blocks each", func(t *testing.T) {
		r := newRig(t, 4, 8, true, noGuard)
		for id := swarm.ConnID(1); id <= 4; id++ {
			r.meet(id)
			r.wants(id, blks(int(id)-1, 8)...)
		}
		for id, want := range []int{0, 4, 4, 0, 0} {
			if got := len(r.served(swarm.ConnID(id))); got != want {
				t.Errorf("connection %d is handed %d blocks, want %d", id, got, want)
			}
		}
	})
	t.Run("a turn lasts for a piece, then comes who was served longest ago", func(t *testing.T) {
		r := newRig(t, 8, 8, true, noGuard, func(c *swarm.Config) { c.Serving = 1 })
		for id := swarm.ConnID(1); id <= 3; id++ {
			r.meet(id)
			r.wants(id, append(blks(int(id), 8), blks(int(id)+4, 8)...)...)
		}
		var order []swarm.ConnID
		for range 6 * 8 {
			b := r.oldestServe()
			if len(order) == 0 || order[len(order)-1] != b.Conn {
				order = append(order, b.Conn)
			}
			r.now = r.now.Add(3 * time.Millisecond)
			r.sw.Sent(r.now, b.Conn, b.Block.Length)
		}
		if want := []swarm.ConnID{1, 2, 3, 1, 2, 3}; !slices.Equal(order, want) {
			t.Errorf("turns were %v, want %v", order, want)
		}
	})
	t.Run("a receiver below its share does not count", func(t *testing.T) {
		r := newRig(t, 64, 8, true, noGuard)
		for id := swarm.ConnID(1); id <= 4; id++ {
			r.meet(id)
			r.wants(id, append(blks(int(id), 8), blks(int(id)+8, 8)...)...)
		}
		r.forget()
		for range 30 { // connection 1 takes nothing, 2 takes a block every 40 ms
			r.pass(40 * time.Millisecond)
			r.sw.Sent(r.now, 2, blockSize)
		}
		if len(r.served(3))+len(r.served(4)) == 0 {
			t.Error("a receiver that takes nothing blocks the others")
		}
	})
	t.Run("the window grows with the rate, up to 1 MiB", func(t *testing.T) {
		r := newRig(t, 4, 256, true, noGuard, func(c *swarm.Config) { c.MaxQueuedIn = 1000 })
		r.meet(1)
		r.wants(1, append(blks(0, 256), blks(1, 256)...)...)
		unsent := 0
		for range 400 {
			r.pull()
			r.now = r.now.Add(16 * time.Microsecond)
			r.sw.Sent(r.now, 1, blockSize)
		}
		unsent = len(r.served(1)) - 400
		if unsent != 64 {
			t.Errorf("%d blocks are handed over and unsent at 1 GB/s, want 64", unsent)
		}
	})
	t.Run("a cancelled request is not served and gets its reject", func(t *testing.T) {
		r := newRig(t, 4, 8, true, noGuard)
		r.meet(1)
		r.wants(1, blks(0, 8)...)
		r.sw.PeerCancel(r.now, 1, blk(0, 6))
		r.count(swarm.SendReject, 1, 1, "cancelled")
		for range 7 {
			r.sw.Sent(r.now, 1, blockSize)
		}
		if got := r.served(1); len(got) != 7 || slices.Contains(got, blk(0, 6)) {
			t.Errorf("served %v", got)
		}
	})
	t.Run("who only takes is served last", func(t *testing.T) {
		r := newRig(t, 600, 16, false, func(c *swarm.Config) { c.Serving = 1; c.Have = firstHalf(600) })
		r.meet(1, 2)
		r.has(1, 599)
		r.has(2, 598)
		r.wants(1)
		r.now = r.now.Add(time.Second)
		for p := range 9 { // 2.25 MiB to connection 1
			for _, b := range blks(p, 16) {
				r.sw.PeerRequest(r.now, 1, b)
				r.sw.Sent(r.now, 1, blockSize)
			}
		}
		r.sw.PeerRequest(r.now, 1, blk(20, 0)) // has the turn
		r.sw.PeerRequest(r.now, 1, blk(21, 0))
		r.wants(2, blk(22, 0), blk(23, 0))
		r.forget()
		r.now = r.now.Add(time.Second)
		for _, id := range []swarm.ConnID{1, 2, 2} {
			r.sw.Sent(r.now, id, blockSize)
		}
		if len(r.served(2)) != 2 {
			t.Errorf("connection 2 was served %v", r.served(2))
		}
	})
	t.Run("what the store lost is refused, not served", func(t *testing.T) {
		r := newRig(t, 4, 8, true, noGuard)
		r.meet(1)
		r.wants(1, blks(0, 8)...)
		r.sw.PieceLost(r.now, 0)
		r.count(swarm.SendReject, 1, 4, "lost")
	})
}

func firstHalf(n int) *content.Bitfield {
	b := content.NewBitfield(n)
	for i := range n / 2 {
		b.Set(i)
	}
	return b
}

// oldestServe takes the first Serve that was not taken.
func (r *rig) oldestServe() swarm.Action {
	r.pull()
	for ; r.next < len(r.acts); r.next++ {
		if r.acts[r.next].Kind == swarm.Serve {
			r.next++
			return r.acts[r.next-1]
		}
	}
	r.t.Fatal("nothing is served")
	return swarm.Action{}
}

func TestSlotsUnderALimit(t *testing.T) {
	r := newRig(t, 4, 4, true, noGuard, func(c *swarm.Config) { c.MaxUnchoked = 4 })
	open := map[swarm.ConnID]bool{}
	ever := map[swarm.ConnID]bool{}
	for id := swarm.ConnID(1); id <= 12; id++ {
		r.meet(id)
		r.wants(id)
	}
	for range 60 {
		r.pull()
		for _, a := range r.acts {
			switch a.Kind {
			case swarm.SendUnchoke:
				open[a.Conn], ever[a.Conn] = true, true
			case swarm.SendChoke:
				delete(open, a.Conn)
			}
		}
		r.forget()
		if len(open) != 4 {
			t.Fatalf("%d peers are unchoked, want 4", len(open))
		}
		r.pass(time.Second)
	}
	if len(ever) != 12 {
		t.Errorf("%d of 12 peers had a slot within a minute", len(ever))
	}
}

func TestChokedPeersAreRefused(t *testing.T) {
	r := newRig(t, 4, 4, true, noGuard, func(c *swarm.Config) { c.MaxUnchoked = 1 })
	r.meet(1, 2)
	r.wants(1)
	r.wants(2, blk(0, 0))
	r.count(swarm.SendReject, 2, 1, "choked")
	r.sw.PeerRequest(r.now, 1, blk(0, 0))
	r.sw.PeerRequest(r.now, 1, blk(0, 1))
	r.forget()
	r.sw.PeerInterest(r.now, 1, false)
	r.count(swarm.SendChoke, 1, 1, "no longer interested")
	r.pass(200 * time.Millisecond)
	r.count(swarm.SendUnchoke, 2, 1, "next in line")
}

// What peers must not do, and what they may.
func TestFouls(t *testing.T) {
	repeat := func(n int, f func(r *rig)) func(*rig) {
		return func(r *rig) {
			for range n {
				f(r)
			}
		}
	}
	for _, c := range []struct {
		name  string
		do    func(r *rig)
		drops bool
	}{
		{"a piece out of range ends the connection", func(r *rig) { r.wants(1, swarm.Block{Piece: 99, Length: 16}) }, true},
		{"a negative piece ends the connection", func(r *rig) { r.wants(1, swarm.Block{Piece: -1, Length: 16}) }, true},
		{"a block beyond its piece ends the connection", func(r *rig) { r.wants(1, blk(0, 4)) }, true},
		{"numbers that overflow end the connection", func(r *rig) {
			r.wants(1, swarm.Block{Piece: 0, Begin: 1<<63 - 1, Length: blockSize})
		}, true},
		{"an empty request ends the connection", func(r *rig) { r.wants(1, swarm.Block{}) }, true},
		{"a request of 32 KiB is served", func(r *rig) { r.wants(1, swarm.Block{Length: 32 << 10}) }, false},
		{"a hundred requests too many are refused", repeat(356, func(r *rig) { r.wants(1, blk(1, 1)) }), false},
		{"thousands of requests end the connection", repeat(5000, func(r *rig) { r.wants(1, blk(1, 1)) }), true},
		{"one block that was not asked for is forgiven", repeat(1, func(r *rig) { r.sends(1, blk(1, 1)) }), false},
		{"blocks that were not asked for end the connection", repeat(30, func(r *rig) { r.sends(1, blk(1, 1)) }), true},
		{"blocks of odd sizes end the connection", repeat(30, func(r *rig) { r.sends(1, swarm.Block{Piece: 1, Begin: 1, Length: 3}) }), true},
		{"one piece announced all over again ends the connection", repeat(1000, func(r *rig) { r.sw.PeerHave(r.now, 1, 2) }), true},
		{"a change of interest is fine", repeat(20, func(r *rig) {
			r.sw.PeerInterest(r.now, 1, true)
			r.sw.PeerInterest(r.now, 1, false)
		}), false},
		{"endless changes of interest end the connection", repeat(1000, func(r *rig) {
			r.sw.PeerInterest(r.now, 1, true)
			r.sw.PeerInterest(r.now, 1, false)
		}), true},
		{"rejects of what was not asked for end the connection", repeat(1000, func(r *rig) { r.sw.PeerReject(r.now, 1, blk(0, 0)) }), true},
		{"a cancel of nothing is fine", repeat(1000, func(r *rig) { r.sw.PeerCancel(r.now, 1, blk(0, 0)) }), false},
		{"a slip a second is fine", repeat(600, func(r *rig) {
			r.sw.PeerHave(r.now, 1, 2)
			r.pass(time.Second)
		}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 4, 4, true, noGuard)
			r.meet(1)
			c.do(r)
			drops := r.did(swarm.Drop, 1)
			if (len(drops) > 0) != c.drops || len(drops) > 1 {
				t.Errorf("dropped %d times, want %v", len(drops), c.drops)
			}
			if c.drops && (drops[0].Text == "" || len(r.sw.Stats().Conns) != 0) {
				t.Errorf("dropped without reason or not forgotten: %+v", drops[0])
			}
		})
	}
}
