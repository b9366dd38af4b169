package swarm_test

import (
	"fmt"
	"testing"
	"time"
)

// The scenarios of the study in small: 8 MiB where they do not say otherwise. The large ones are BenchmarkScenarioOrigin.
func TestACrowdAtAnOriginComesCloseToTheBound(t *testing.T) {
	for _, c := range []struct {
		crowd
		last   float64 // at most, in units of the bound
		copies float64 // sent by the origin, at most
		across float64 // copies that enter or leave a LAN, at most
		waste  float64 // part of the content
	}{
		{crowd{name: "ten receivers", origin: 40, ups: equal(10, 20)}, 1.03, 2, 0, 0.005},
		{crowd{name: "1.2 copies to spend", origin: 40, ups: equal(10, 20), copies: 1.2}, 1.08, 1.21, 0, 0.005},
		{crowd{name: "two networks of five behind a line each", origin: 40, ups: equal(10, 1000), down: 1000, lans: 2, lanUp: 20, lanDown: 20}, 2.15, 1.3, 1.1, 0.02},
		{crowd{
			name: "more than the origin can serve", total: 2 << 20, origin: 5, ups: equal(30, 5), down: 20,
			degree: 12, slots: 4, patient: time.Second, spare: true,
		}, 1.8, 2, 0, 0.04},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.defaults(8<<20, 16<<10)
			r := c.run(1)
			t.Logf("seed 1: %+v", r)
			if r.complete != len(c.ups) || r.last > c.last {
				t.Errorf("seed 1: %d of %d complete, last at %.3f of the bound, want %.2f", r.complete, len(c.ups), r.last, c.last)
			}
			if r.copies > c.copies || r.in > c.across || r.out > c.across || r.waste > c.waste {
				t.Errorf("seed 1: %.3f copies sent, %.3f in and %.3f out of a network, %.4f wasted", r.copies, r.in, r.out, r.waste)
			}
			if most := 100 * len(c.ups); r.elses > most {
				t.Errorf("seed 1: sent elsewhere %d times, want at most %d", r.elses, most)
			}
		})
	}
}

// One receiver and its origin: the line is kept full from soon after the start
// until the last block, and nothing comes twice.
func TestOneReceiverKeepsAFastLineFull(t *testing.T) {
	for _, c := range []struct {
		mbits       float64
		roundTrip   time.Duration
		total       int
		startRounds int // round trips until the line is full
	}{
		{1000, 20 * time.Millisecond, 64 << 20, 6},
		{200, 100 * time.Millisecond, 32 << 20, 6},
		{10, 50 * time.Millisecond, 1 << 20, 2},
	} {
		t.Run(fmt.Sprintf("%v Mbit/s at %v", c.mbits, c.roundTrip), func(t *testing.T) {
			w := newWorld(1, c.total+1000, 64<<10)
			w.latency = c.roundTrip / 2
			o := w.addServer(c.mbits)
			n := w.add(1000, 10_000, false)
			w.visit(n, o)
			w.run(time.Minute, finished([]*node{n}))
			best := time.Duration(float64(w.geo.total) / (c.mbits * mbit) * 1e9)
			t.Logf("done at %v, best %v", n.done, best)
			if n.done == 0 || n.done > best+time.Duration(c.startRounds)*c.roundTrip {
				t.Errorf("done at %v, want %v and %d round trips", n.done, best, c.startRounds)
			}
			if o.node.sent != int64(w.geo.total) {
				t.Errorf("%d bytes sent of %d", o.node.sent, w.geo.total)
			}
		})
	}
}
