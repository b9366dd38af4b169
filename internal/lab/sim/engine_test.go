package sim

import (
	"context"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// mixed are ten with uplinks from 5 to 50 Mbit/s.
func mixed() []lab.Group {
	var list []lab.Group
	for i := range 10 {
		list = append(list, receivers(1, 5+45*float64(i)/9, 100))
	}
	return list
}

// fluid returns B2 in seconds.
func fluid(s lab.Scenario) float64 {
	n, origin, up, down := 0.0, float64(s.Origin.Up)*float64(s.Origin.Count), 0.0, 1e18
	for _, g := range s.Receivers {
		n += float64(g.Count)
		up += float64(g.Count) * float64(g.Up)
		down = min(down, float64(g.Down))
	}
	f := float64(s.Size)
	return max(f/origin, f/down, n*f/(origin+up))
}

func newSwarm(s lab.Scenario, seed uint64) *engine {
	e := newEngine(context.Background(), lab.Run{Model: lab.PeerToPeer, Place: lab.InSim, Scenario: s, Seed: seed})
	e.setup = 0
	return e
}

func swarmed(tb testing.TB, s lab.Scenario, seed uint64) *lab.Result {
	tb.Helper()
	r, err := newSwarm(s, seed).run(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// What the machines of package swarm take block by block (make bench-sim, last
// finisher by B2): pieces are as good within 3 percent.
func TestSwarmAgreesWithTheBlockLevelSimulation(t *testing.T) {
	for _, c := range []struct {
		name   string
		s      lab.Scenario
		last   float64
		oneOut float64 // in F/u_s
	}{
		{"A: 10 receivers", swarmOf(64<<20, 128<<10, 40, receivers(10, 20, 100)), 1.007, 1.005},
		{"B: 24 receivers", swarmOf(64<<20, 128<<10, 40, receivers(24, 20, 100)), 1.016, 1.017},
		{"C: uplinks from 5 to 50", swarmOf(64<<20, 128<<10, 40, mixed()...), 1.024, 1.004},
		{"8 receivers with weak uplinks", swarmOf(10<<20, 32<<10, 20, receivers(8, 5, 20)), 1.016, 1.029},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := swarmed(t, c.s, 1)
			last := r.Last.Seconds() / fluid(c.s)
			out := r.OneOut.Seconds() * float64(c.s.Origin.Up) / float64(c.s.Size)
			if math.Abs(last/c.last-1) > 0.03 || math.Abs(out/c.oneOut-1) > 0.03 || r.Done != r.N {
				t.Errorf("%d of %d, last %.3f, one copy out %.3f; blocks: %.3f, %.3f", r.Done, r.N, last, out, c.last, c.oneOut)
			}
		})
	}
}

// anySwarm draws a small scenario, with everything that can be in one.
func anySwarm(t *rapid.T) lab.Scenario {
	piece := int64(16<<10) << rapid.IntRange(0, 4).Draw(t, "piece")
	size := piece*rapid.Int64Range(0, 40).Draw(t, "pieces") + rapid.Int64Range(1, piece).Draw(t, "tail")
	rate := rapid.SampledFrom([]float64{1, 2, 5, 20, 100, 1000})
	s := swarmOf(size, piece, rate.Draw(t, "origin"))
	for range rapid.IntRange(1, 3).Draw(t, "groups") {
		up := rate.Draw(t, "up") * float64(rapid.IntRange(0, 1).Draw(t, "gives"))
		s.Receivers = append(s.Receivers, receivers(rapid.IntRange(1, 6).Draw(t, "count"), up, rate.Draw(t, "down")))
	}
	s.Origin.Count = rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "origins")
	s.Latency = lab.Duration(rapid.SampledFrom([]time.Duration{0, time.Millisecond, 50 * time.Millisecond}).Draw(t, "latency"))
	s.Stay.Kind = rapid.SampledFrom([]string{"leave", "for", "end"}).Draw(t, "stay")
	s.Stay.For = lab.Duration(time.Second)
	if rapid.Bool().Draw(t, "one after the other") {
		s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: rapid.SampledFrom([]float64{0.1, 2}).Draw(t, "arrivals")}
	}
	return s
}

// trouble adds what may keep receivers from finishing, or make them take longer.
func trouble(t *rapid.T, s *lab.Scenario) {
	share := rapid.SampledFrom([]float64{0, 0, 0.3, 0.7})
	s.Hostile = lab.Mischief{
		Poisoners: share.Draw(t, "poisoners"), FreeRiders: share.Draw(t, "free-riders"), Unreachable: share.Draw(t, "unreachable"),
	}
	if rapid.Bool().Draw(t, "churn") {
		s.Sessions = lab.Sessions{Mean: lab.Duration(2 * time.Second), Shape: 0.6, Away: lab.Duration(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(t, "away"))}
	}
	for range rapid.IntRange(0, 2).Draw(t, "kills") {
		s.Kills = append(s.Kills, lab.Kill{
			Who:   rapid.SampledFrom([]string{"origin", "peers"}).Draw(t, "who"),
			Share: rapid.SampledFrom([]float64{0.3, 1}).Draw(t, "share"), At: rapid.Float64Range(0, 1).Draw(t, "at"),
		})
	}
}

// check holds at every moment: links carry no more than they can, and what a node sends
// and takes is the sum of its flows.
func (e *engine) check(t *rapid.T) {
	going := 0
	for i := range e.nodes {
		v := &e.nodes[i]
		out, in, nOut, nIn := int64(0), int64(0), int32(0), int32(0)
		for g := v.firstOut; g != none; g = e.flows[g].nextOut {
			f := &e.flows[g]
			out += f.rate
			nOut++
			if f.from != int32(i) || !bit(e.row(e.have, f.from), f.piece) || bit(e.row(e.have, f.to), f.piece) || !bit(e.row(e.taken, f.to), f.piece) {
				t.Fatalf("node %d sends %d a piece that it lacks, or the other does not", i, f.to)
			}
			if f.left < 0 || f.left > f.size || f.rate < 0 {
				t.Fatalf("of %d bytes %d are left", f.size, f.left)
			}
		}
		for g := v.firstIn; g != none; g = e.flows[g].nextIn {
			in += e.flows[g].rate
			nIn++
		}
		if out != v.out || nOut != v.nOut || out > v.up || v.state != isHere && nOut+nIn > 0 {
			t.Fatalf("node %d sends %d bytes/s of %d in %d flows, and says %d in %d", i, out, v.up, nOut, v.out, v.nOut)
		}
		if int32(i) >= e.origins && (in != v.in || nIn != v.nIn || in > v.down) {
			t.Fatalf("node %d takes %d bytes/s of %d in %d flows, and says %d in %d", i, in, v.down, nIn, v.in, v.nIn)
		}
		going += int(nOut)
	}
	if going != e.going {
		t.Fatalf("%d flows under way, and it says %d", going, e.going)
	}
}

// finish runs e with a look after each event.
func (e *engine) finish(t *rapid.T) *lab.Result {
	e.start()
	for n := 0; e.happen(); n++ {
		e.check(t)
		if n > 200_000 {
			t.Fatalf("no end: %d flows under way at %v", e.going, time.Duration(e.now))
		}
	}
	return e.result()
}

// With a seeder that stays everybody finishes, with every byte once, and not before the
// bound.
func TestEverybodyFinishesWhileTheSeederStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySwarm(t)
		r := newSwarm(s, rapid.Uint64().Draw(t, "seed")).finish(t)
		if r.Done != s.N() || r.Incomplete != "" {
			t.Fatalf("%d of %d finish: %s", r.Done, s.N(), r.Incomplete)
		}
		for _, n := range r.Nodes[s.Origin.Count:] {
			if n.Took != int64(s.Size) {
				t.Fatalf("%s took %d bytes of %d", n.Name, n.Took, s.Size)
			}
		}
		if r.Wasted+r.Corrupt+r.Accepted > 0 || r.FromOrigin+r.FromPeers != int64(s.N())*int64(s.Size) {
			t.Fatalf("%d bytes of origins and %d of peers for %d receivers of %d", r.FromOrigin, r.FromPeers, s.N(), s.Size)
		}
		if b := fluid(s); s.Arrivals.Kind == "flash" && r.Last.Seconds() < b {
			t.Fatalf("the last after %v, before the bound of %.3f s", r.Last, b)
		}
	})
}

// Whatever happens, it ends, nothing wrong is accepted, and who has finished got every
// byte.
func TestTroubleEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySwarm(t)
		trouble(t, &s)
		r := newSwarm(s, rapid.Uint64().Draw(t, "seed")).finish(t)
		if r.Done > r.N || (r.Done < r.N) != (r.Incomplete != "") || r.Accepted > 0 {
			t.Fatalf("%d of %d finish, %d wrong bytes: %q", r.Done, r.N, r.Accepted, r.Incomplete)
		}
		took := int64(0)
		for _, n := range r.Nodes[s.Origin.Count:] {
			took += n.Took
			if n.Done > 0 && n.Took < int64(s.Size) {
				t.Fatalf("%s has finished with %d bytes of %d", n.Name, n.Took, s.Size)
			}
		}
		if took != r.FromOrigin+r.FromPeers {
			t.Fatalf("%d bytes taken, %d given", took, r.FromOrigin+r.FromPeers)
		}
		if len(s.Kills) == 0 && s.Sessions.Mean == 0 && r.Done < r.N {
			t.Fatalf("%d of %d finish though the seeder stays: %s", r.Done, r.N, r.Incomplete)
		}
	})
}
