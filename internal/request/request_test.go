package request_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/request"
)

const block = 16 << 10

func TestDepth(t *testing.T) {
	for _, c := range []struct {
		name  string
		rate  float64
		rtt   time.Duration
		limit int
		want  int
	}{
		{"a connection that delivered nothing has four requests", 0, 50 * time.Millisecond, 512, 4},
		{"a slow connection has four requests", 20e3, 50 * time.Millisecond, 512, 4},
		{"20 Mbit/s over 2 ms fill a quarter of a second", 2.5e6, 2 * time.Millisecond, 512, 40},
		{"a long round trip adds its own", 2.5e6, 250 * time.Millisecond, 512, 78},
		{"a very fast connection stops at the limit", 1e9, time.Millisecond, 512, 512},
		{"a small limit holds below the least", 1e9, time.Millisecond, 3, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := request.Depth(c.rate, c.rtt+new(request.Pulse).Slack(), c.limit); got != c.want {
				t.Errorf("depth %d, want %d", got, c.want)
			}
		})
	}
}

func TestNet(t *testing.T) {
	for _, c := range []struct {
		name                        string
		depth, outstanding, missing int
		want                        int
	}{
		{"with little outstanding the depth stands", 40, 100, 1000, 40},
		{"with half of the missing outstanding only two remain", 40, 500, 1000, 2},
		{"one connection stays busy to the end", 40, 30, 35, 40},
		{"a depth of one stays one", 1, 500, 10, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := request.Net(c.depth, c.outstanding, c.missing); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestExpected(t *testing.T) {
	if got := request.Expected(0, 1e6, time.Second); got != 0 {
		t.Errorf("nothing outstanding is expected in %v", got)
	}
	if got := request.Expected(10, 10*block, 20*time.Millisecond); got != 1020*time.Millisecond {
		t.Errorf("the tenth of ten blocks a second is expected in %v", got)
	}
	for _, rate := range []float64{0, -1, 1e-9, math.SmallestNonzeroFloat64} {
		if got := request.Expected(1<<30, rate, 0); got != time.Hour {
			t.Errorf("at rate %v expected in %v, want an hour at most", rate, got)
		}
	}
}

// A steady stream is told rightly from its first moments on.
func TestRateIsRightFromTheStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64Range(50*block, 5e8).Draw(t, "rate")
		age := time.Duration(rapid.IntRange(200, 30_000).Draw(t, "ms")) * time.Millisecond
		gap := time.Duration(block / want * 1e9)
		var r request.Rate
		r.Start(0)
		steps := min(int(age/gap), 20_000)
		now := time.Duration(0)
		for range steps {
			now += gap
			r.Add(now, block)
		}
		if now < 200*time.Millisecond {
			return // too many steps for a rate that high
		}
		if got := r.Get(now); math.Abs(got/want-1) > 0.15 {
			t.Fatalf("after %v at %.0f bytes/s the average is %.0f", now, want, got)
		}
	})
}

func TestRateForgets(t *testing.T) {
	var r request.Rate
	if r.Get(time.Second) != 0 {
		t.Error("a rate that saw nothing is not 0")
	}
	now := time.Duration(0)
	for range 1000 {
		now += 10 * time.Millisecond
		r.Add(now, 10_000)
	}
	full := r.Get(now)
	if half := r.Get(now + 2*time.Second); math.Abs(half/full-math.Exp(-1)) > 0.02 {
		t.Errorf("after 2 s of silence %.3f of the rate is left, want 1/e", half/full)
	}
	if back := r.Get(now); back > full {
		t.Error("looking back in time raises the rate")
	}
}

// A first burst is not the speed of a link.
func TestRateOfABurst(t *testing.T) {
	var r request.Rate
	r.Start(0)
	r.Add(time.Microsecond, 4*block)
	if got := r.Get(time.Microsecond); got > 1.1*4*block/0.05 {
		t.Errorf("four blocks within a microsecond make %.0f bytes/s", got)
	}
}
