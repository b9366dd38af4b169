package sim

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/lab"
)

// crowd is a scenario of equal receivers: 10 at 20 Mbit/s up and 100 down, and an origin of 40.
func crowd(change func(*lab.Scenario)) lab.Scenario {
	s := lab.Scenario{
		Size: 16 << 20, Piece: 256 << 10, Payload: 1448. / 1514, Repeats: 1, Latency: lab.Duration(time.Millisecond),
		Origin:    lab.Origin{Count: 1, Up: 5_000_000},
		Receivers: []lab.Group{{Count: 10, Up: 2_500_000, Down: 12_500_000}},
		Arrivals:  lab.Arrivals{Kind: "flash"}, Stay: lab.Stay{Kind: "leave"}, Sessions: lab.Sessions{Shape: 0.6},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// fataler is a test, or a property's.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// simulate makes a run and checks what holds of any.
func simulate(t fataler, m lab.Model, s lab.Scenario, seed uint64) *lab.Result {
	t.Helper()
	r, err := World{}.Run(t.Context(), lab.Run{Purpose: lab.Main, Place: lab.InSim, Model: m, Scenario: s, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	audit(t, s, r)
	return r
}

// audit checks what holds of any result.
func audit(t fataler, s lab.Scenario, r *lab.Result) {
	t.Helper()
	var gave, took, origin, lacking int64
	for _, n := range r.Nodes {
		gave, took = gave+n.Gave, took+n.Took
		if n.Origin {
			origin += n.Gave
		} else if n.Done > 0 && n.Took < int64(s.Size) {
			lacking++
		}
	}
	switch {
	case r.N <= lab.MaxNodes && (gave != took || gave != r.FromOrigin+r.FromPeers || origin != r.FromOrigin):
		t.Fatalf("given %d, taken %d, by origins %d, said to be %d + %d", gave, took, origin, r.FromOrigin, r.FromPeers)
	case lacking > 0:
		t.Fatalf("%d finished with fewer bytes than there are", lacking)
	case r.Done > r.N || (r.Done < r.N) != (r.Incomplete != ""):
		t.Fatalf("%d of %d finished, %q", r.Done, r.N, r.Incomplete)
	case r.Last > r.Took || r.Median > r.P99 || r.Accepted != 0:
		t.Fatalf("last %v of %v, median %v, 99th %v, %d wrong bytes accepted", r.Last, r.Took, r.Median, r.P99, r.Accepted)
	case len(r.Copies) > maxCopies || len(r.Progress) > maxPoints+2:
		t.Fatalf("%d points of copies, %d of progress", len(r.Copies), len(r.Progress))
	case len(r.Killed) != len(r.Recovered):
		t.Fatalf("%d kills, %d recoveries", len(r.Killed), len(r.Recovered))
	}
	for _, x := range []float64{r.Jain, r.Gini} {
		if math.IsNaN(x) || x < 0 || x > 1 {
			t.Fatalf("Jain %v, Gini %v", r.Jain, r.Gini)
		}
	}
	if !slices.IsSortedFunc(r.Copies, func(a, b lab.Copies) int { return int(a.At - b.At) }) {
		t.Fatal("copies are not in order of time")
	}
	if want := int64(r.Done) * int64(s.Size); r.FromOrigin+r.FromPeers < want {
		t.Fatalf("%d bytes went to %d receivers", r.FromOrigin+r.FromPeers, r.Done)
	}
}

// payloadBound is B1, in seconds, for what content can use of links.
func payloadBound(s lab.Scenario) float64 {
	slowest := math.Inf(1)
	for _, g := range s.Receivers {
		slowest = min(slowest, float64(g.Down))
	}
	size := float64(s.Size) / s.Payload
	return max(float64(s.N())*size/(float64(s.Origin.Up)*float64(max(s.Origin.Count, 1))), size/slowest)
}

func TestServerTakesAsLongAsTheBound(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab.Scenario)
	}{
		{"the origin is what they wait for", nil},
		{"two origins", func(s *lab.Scenario) { s.Origin.Count = 2 }},
		{"their downlinks are", func(s *lab.Scenario) { s.Receivers[0].Down = 400_000 }},
		{"one downlink is", func(s *lab.Scenario) {
			s.Receivers = append(s.Receivers, lab.Group{Count: 1, Up: 1, Down: 300_000})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := crowd(c.change)
			r := simulate(t, lab.ClientServer, s, 1)
			if got, want := r.Last.Seconds(), payloadBound(s); got < want || got > want*1.03 {
				t.Errorf("%.3f s, the bound is %.3f", got, want)
			}
			if r.Done != s.N() || r.FromOrigin != int64(s.N())*int64(s.Size) || r.FromPeers != 0 || r.Wasted != 0 {
				t.Errorf("%d done, %d and %d bytes", r.Done, r.FromOrigin, r.FromPeers)
			}
		})
	}
}

// Receivers with slow links leave what they cannot take to the others.
func TestSharesAreFilledUp(t *testing.T) {
	s := crowd(func(s *lab.Scenario) {
		s.Receivers = []lab.Group{{Count: 2, Down: 500_000}, {Count: 2, Down: 12_500_000}}
		s.Payload, s.Origin.Up = 1, 5_000_000
	})
	r := simulate(t, lab.ClientServer, s, 1)
	// 2 x 0.5 MB/s, and 2 MB/s for each of the others.
	if got, want := r.Times[0].Seconds(), float64(s.Size)/2e6; math.Abs(got/want-1) > 0.03 {
		t.Errorf("the first takes %.2f s, not %.2f", got, want)
	}
	if got, want := r.Last.Seconds(), float64(s.Size)/0.5e6; math.Abs(got/want-1) > 0.03 {
		t.Errorf("the last takes %.2f s, not %.2f", got, want)
	}
}

func TestServerDies(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab.Scenario)
		done   int
		why    string
		back   bool // recovered
	}{
		{"at the start", func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0}} }, 0, "64 of 64 pieces not out", false},
		{"in the middle", func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.5}} }, 0, "32 of 64 pieces not out", false},
		{"when a fast one has all", func(s *lab.Scenario) {
			s.Receivers = []lab.Group{{Count: 1, Down: 12_500_000}, {Count: 9, Down: 300_000}}
			s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.9}}
		}, 1, "before 9 of 10 receivers", false},
		{"one of two", func(s *lab.Scenario) {
			s.Origin.Count = 2
			s.Kills = []lab.Kill{{Who: "origin", Share: 0.5, At: 0.5}}
		}, 10, "", true},
		{"half of the receivers", func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "peers", Share: 0.5, At: 0.5}} }, 5, "5 of 10 receivers left or were killed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := crowd(c.change)
			r := simulate(t, lab.ClientServer, s, 1)
			if r.Done != c.done || !strings.Contains(r.Incomplete, c.why) || len(r.Killed) != 1 || (r.Recovered[0] > 0) != c.back {
				t.Errorf("%d done, %q, killed %v, recovered %v", r.Done, r.Incomplete, r.Killed, r.Recovered)
			}
			if c.done == 0 && r.Took < r.Killed[0]+lab.Idle {
				t.Errorf("gave up after %v, killed at %v", r.Took, r.Killed[0])
			}
		})
	}
}

// Who goes away before a piece is whole fetches it again.
func TestServerWithChurn(t *testing.T) {
	s := crowd(func(s *lab.Scenario) {
		s.Sessions = lab.Sessions{Mean: lab.Duration(10 * time.Second), Shape: 0.6, Away: lab.Duration(5 * time.Second)}
	})
	r := simulate(t, lab.ClientServer, s, 1)
	if r.Done != 10 || r.Wasted == 0 || r.FromOrigin != 10*int64(s.Size)+r.Wasted {
		t.Errorf("%d done, %d bytes wasted of %d", r.Done, r.Wasted, r.FromOrigin)
	}
	s.Sessions.Away = 0
	r = simulate(t, lab.ClientServer, s, 1)
	if r.Done == 10 || !strings.Contains(r.Incomplete, "left") {
		t.Errorf("%d done though who goes does not come back, %q", r.Done, r.Incomplete)
	}
}

// Processor sharing as the formula has it: T = (F/u) / (1 - rho).
func TestServerQueue(t *testing.T) {
	for _, rho := range []float64{0.4, 0.6} {
		s := crowd(func(s *lab.Scenario) {
			s.Payload, s.Receivers[0].Count = 1, 5_000
			s.Receivers[0].Down = 1_000_000_000
			s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: rho * 5e6 / float64(s.Size)}
		})
		r := simulate(t, lab.ClientServer, s, 1)
		want := float64(s.Size) / 5e6 / (1 - rho)
		if got := r.Mean.Seconds(); math.Abs(got/want-1) > 0.1 {
			t.Errorf("at %v of the limit a receiver takes %.2f s, not %.2f", rho, got, want)
		}
	}
}

// Whatever the receivers are like: the bound holds, all is accounted for, and it is the same twice.
func TestServerInAnyTown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := crowd(func(s *lab.Scenario) {
			s.Receivers = nil
			for range rapid.IntRange(1, 4).Draw(t, "groups") {
				s.Receivers = append(s.Receivers, lab.Group{
					Count: rapid.IntRange(1, 8).Draw(t, "count"), Down: 10_000 * 1 << rapid.IntRange(0, 12).Draw(t, "down"),
				})
			}
			s.Origin.Count = rapid.IntRange(1, 3).Draw(t, "origins")
			if rapid.Bool().Draw(t, "arrivals") {
				s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: rapid.Float64Range(0.1, 10).Draw(t, "rate")}
			}
			if rapid.Bool().Draw(t, "churn") {
				s.Sessions = lab.Sessions{Mean: lab.Duration(time.Minute), Shape: 0.6, Away: lab.Duration(time.Minute)}
			}
			for range rapid.IntRange(0, 2).Draw(t, "kills") {
				s.Kills = append(s.Kills, lab.Kill{
					Who:   rapid.SampledFrom([]string{"origin", "peers"}).Draw(t, "who"),
					Share: rapid.Float64Range(0, 1).Draw(t, "share"), At: rapid.Float64Range(0, 1).Draw(t, "at"),
				})
			}
		})
		r := simulate(t, lab.ClientServer, s, 5)
		if len(s.Kills) == 0 && s.Sessions.Mean == 0 && (r.Done != s.N() || r.Last.Seconds() < payloadBound(s)*0.999 && s.Arrivals.Kind == "flash") {
			t.Fatalf("%d of %d done in %v, the bound is %v s", r.Done, s.N(), r.Last, payloadBound(s))
		}
		if again := simulate(t, lab.ClientServer, s, 5); again.Last != r.Last || again.FromOrigin != r.FromOrigin || again.Gini != r.Gini {
			t.Fatal("the same seed gives another result")
		}
	})
}
