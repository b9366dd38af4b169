package sim

import (
	"math"
	"strings"
	"testing"
	"time"

	"tandem/internal/lab"
)

// One receiver gets nothing from the hybrid that the server would not give it, and needs no longer.
func TestHybridOfOneIsAServer(t *testing.T) {
	s := crowd(func(s *lab.Scenario) { s.Receivers[0].Count = 1 })
	h, c := simulate(t, lab.Hybrid, s, 1), simulate(t, lab.ClientServer, s, 1)
	if math.Abs(h.Last.Seconds()/c.Last.Seconds()-1) > 0.02 || h.FromPeers != 0 || h.FromOrigin != int64(s.Size) {
		t.Errorf("%v and %v, %d from peers", h.Last, c.Last, h.FromPeers)
	}
}

func TestHybrid(t *testing.T) {
	ten := func(change func(*lab.Scenario)) lab.Scenario {
		return crowd(func(s *lab.Scenario) {
			s.Stay.Kind = "end"
			s.Size = 8 << 20
			s.Piece = 64 << 10
			if change != nil {
				change(s)
			}
		})
	}
	copies := func(s lab.Scenario, r *lab.Result) float64 { return float64(r.FromOrigin) / float64(s.Size) }
	for _, c := range []struct {
		name  string
		s     lab.Scenario
		check func(lab.Scenario, *lab.Result) bool
	}{
		{"one copy leaves before anything leaves twice", ten(nil), func(s lab.Scenario, r *lab.Result) bool {
			return r.Done == 10 && r.OneOut.Seconds() < 1.25*float64(s.Size)/5e6/s.Payload
		}},
		{
			"an origin that may give 1.2 copies does not give more", ten(func(s *lab.Scenario) { s.Origin.Copies = 1.2 }),
			func(s lab.Scenario, r *lab.Result) bool { return r.Done == 10 && copies(s, r) < 1.25 },
		},
		{"a budget of its own is kept", ten(func(s *lab.Scenario) { s.Payload = 1 }), func(s lab.Scenario, r *lab.Result) bool {
			return r.Done == 10 && float64(r.FromOrigin) < 5e6*r.Last.Seconds()+512<<10
		}},
		{"it goes on when the origin dies with one copy out", ten(func(s *lab.Scenario) {
			s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.7}}
		}), func(_ lab.Scenario, r *lab.Result) bool {
			return r.Done == 10 && r.Recovered[0] > 0 && r.OneOut > 0 && r.OneOut < r.Killed[0]
		}},
		{"it does not when pieces are not out", ten(func(s *lab.Scenario) {
			s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.1}}
		}), func(_ lab.Scenario, r *lab.Result) bool {
			return r.Done == 0 && strings.Contains(r.Incomplete, "pieces not out") && r.Took >= r.Killed[0]+lab.Idle
		}},
		{"of two origins the other one goes on", ten(func(s *lab.Scenario) {
			s.Origin.Count = 2
			s.Kills = []lab.Kill{{Who: "origin", Share: 0.5, At: 0.1}}
		}), func(_ lab.Scenario, r *lab.Result) bool { return r.Done == 10 && r.Recovered[0] > 0 }},
		{
			"free-riders are served", ten(func(s *lab.Scenario) { s.Hostile.FreeRiders = 0.5 }),
			func(_ lab.Scenario, r *lab.Result) bool { return r.Done == 10 },
		},
		{
			"what poisoners send is thrown away, and fetched again", ten(func(s *lab.Scenario) { s.Hostile.Poisoners = 0.2 }),
			func(_ lab.Scenario, r *lab.Result) bool {
				return r.N == 8 && r.Done == 8 && r.Corrupt > 0 && r.Accepted == 0 && len(r.Notes) > 0
			},
		},
		{
			"those that nobody can dial are helped", ten(func(s *lab.Scenario) { s.Hostile.Unreachable = 1 }),
			func(_ lab.Scenario, r *lab.Result) bool { return r.Done == 10 && r.FromPeers == 0 },
		},
		{"who goes away comes back and goes on", ten(func(s *lab.Scenario) {
			s.Sessions = lab.Sessions{Mean: lab.Duration(3 * time.Second), Shape: 0.6, Away: lab.Duration(2 * time.Second)}
		}), func(_ lab.Scenario, r *lab.Result) bool { return r.Done == 10 }},
		{
			"arrivals one by one", ten(func(s *lab.Scenario) { s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 1} }),
			func(_ lab.Scenario, r *lab.Result) bool { return r.Done == 10 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := simulate(t, lab.Hybrid, c.s, 1)
			if !c.check(c.s, r) {
				t.Errorf("%d of %d in %v, one out at %v, %.2f copies, killed %v, recovered %v, %d corrupt, %q %v",
					r.Done, r.N, r.Last, r.OneOut, copies(c.s, r), r.Killed, r.Recovered, r.Corrupt, r.Incomplete, r.Notes)
			}
			if c.s.Payload == 1 {
				return
			}
			if again := simulate(t, lab.Hybrid, c.s, 1); again.Last != r.Last || again.FromOrigin != r.FromOrigin {
				t.Errorf("the same seed gives %v and %v", r.Last, again.Last)
			}
		})
	}
}

// Beyond what admit remembers receivers have peers alone, until members leave, and still finish.
func TestHybridOfMany(t *testing.T) {
	s := crowd(func(s *lab.Scenario) {
		s.Size, s.Piece = 2<<20, 64<<10
		s.Receivers[0].Count = 60
	})
	h := newHybrid(t.Context(), lab.Run{Model: lab.Hybrid, Scenario: s, Seed: 1})
	h.most = 10
	r, err := h.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	audit(t, s, r)
	if r.Done != r.N || len(r.Notes) == 0 || h.desks[0].members != 0 {
		t.Errorf("%d of %d, %v, %d members are left", r.Done, r.N, r.Notes, h.desks[0].members)
	}
}
