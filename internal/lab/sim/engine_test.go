package sim

import (
	"context"
	"testing"
	"time"

	"tandem/internal/lab"
	"tandem/internal/units"
)

const mbit = 1e6 / 8

// swarmOf is a complete scenario with links in Mbit/s that content can use whole.
func swarmOf(size, piece int64, origin float64, groups ...lab.Group) lab.Scenario {
	return lab.Scenario{
		Name: "test", Size: units.Size(size), Piece: units.Size(piece),
		Origin: lab.Origin{Count: 1, Up: units.Rate(origin * mbit)}, Receivers: groups,
		Arrivals: lab.Arrivals{Kind: "flash"}, Stay: lab.Stay{Kind: "end"}, Sessions: lab.Sessions{Shape: 0.6},
		Latency: lab.Duration(time.Millisecond), Payload: 1,
	}
}

// receivers are n with equal links in Mbit/s.
func receivers(n int, up, down float64) lab.Group {
	return lab.Group{Count: n, Up: units.Rate(up * mbit), Down: units.Rate(down * mbit)}
}

// fluid returns B2 in seconds.
func fluid(s lab.Scenario) float64 {
	n, up, down := 0.0, float64(s.Origin.Up), 1e18
	for _, g := range s.Receivers {
		n += float64(g.Count)
		up += float64(g.Count) * float64(g.Up)
		down = min(down, float64(g.Down))
	}
	f := float64(s.Size)
	return max(f/float64(s.Origin.Up), f/down, n*f/up)
}

func simulated(tb testing.TB, s lab.Scenario, seed uint64) *lab.Result {
	tb.Helper()
	e := newEngine(context.Background(), lab.Run{Model: lab.PeerToPeer, Place: lab.InSim, Scenario: s, Seed: seed})
	e.setup = 0
	r, err := e.run(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestStudy(t *testing.T) {
	var c []lab.Group
	for i := range 10 {
		c = append(c, receivers(1, 5+45*float64(i)/9, 100))
	}
	for _, p := range []int64{64 << 10, 128 << 10, 256 << 10} {
		for _, x := range []struct {
			name string
			g    []lab.Group
		}{{"A", []lab.Group{receivers(10, 20, 100)}}, {"B", []lab.Group{receivers(24, 20, 100)}}, {"C", c}, {"D", []lab.Group{receivers(50, 20, 100)}}} {
			for seed := range uint64(2) {
				s := swarmOf(64<<20, p, 40, x.g...)
				r := simulated(t, s, seed+1)
				b := fluid(s)
				t.Logf("%s %d K: last %.3f median %.3f inj %.3f done %d origin %.2f %s", x.name, p>>10, r.Last.Seconds()/b, r.Median.Seconds()/b, r.OneOut.Seconds()/(float64(s.Size)/float64(s.Origin.Up)), r.Done, float64(r.FromOrigin)/float64(s.Size), r.Incomplete)
			}
		}
	}
}
