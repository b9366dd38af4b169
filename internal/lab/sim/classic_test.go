package sim

import (
	"math"
	"testing"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// classic is a crowd with small content.
func classic(n int, up, down units.Rate) lab.Scenario {
	return crowd(func(s *lab.Scenario) {
		s.Size, s.Piece = 8<<20, 64<<10
		s.Stay.Kind = "end"
		s.Receivers = []lab.Group{{Count: n, Up: up, Down: down}}
	})
}

func last(t testing.TB, m lab.Model, s lab.Scenario) float64 {
	t.Helper()
	r := simulate(t, m, s, 1)
	if r.Done != r.N {
		t.Fatalf("%s: %d of %d finished: %s", m, r.Done, r.N, r.Incomplete)
	}
	return r.Last.Seconds()
}

func TestTimeAgainstReceivers(t *testing.T) {
	var few, many [3]float64
	const n, more = 8, 32
	for k, m := range lab.Models() {
		few[k], many[k] = last(t, m, classic(n, 2_500_000, 12_500_000)), last(t, m, classic(more, 2_500_000, 12_500_000))
	}
	slope := func(k int) float64 { return math.Log(many[k]/few[k]) / math.Log(float64(more)/n) }
	if s := slope(0); s < 0.98 || s > 1.02 {
		t.Errorf("client-server takes N^%.3f", s)
	}
	s := classic(1, 2_500_000, 12_500_000)
	flat := float64(s.Size) / float64(s.Receivers[0].Up) / s.Payload // F/u
	if slope(1) > 0.2 || many[1] < 0.9*flat || many[1] > 1.25*flat {
		t.Errorf("peer-to-peer takes N^%.3f, %.2f s at %d; F/u is %.2f s", slope(1), many[1], more, flat)
	}
	if slope(2) > 0.3 {
		t.Errorf("the hybrid takes N^%.3f", slope(2))
	}
}

// Up to u_s/d_min receivers a server gives each all it can take, and peers cannot help.
func TestCrossover(t *testing.T) {
	const down = 1_250_000 // u_s/d_min = 4
	for _, c := range []struct {
		n     int
		peers bool // are faster
	}{{2, false}, {4, false}, {8, true}, {12, true}} {
		s := classic(c.n, 2_500_000, down)
		a, b := last(t, lab.ClientServer, s), last(t, lab.PeerToPeer, s)
		if (b < a) != c.peers {
			t.Errorf("%d receivers: client-server %.2f s, peer-to-peer %.2f s", c.n, a, b)
		}
	}
}

// What peers win by is whose capacity is used.
func TestWithTheSameCapacityAServerIsNoSlower(t *testing.T) {
	for _, n := range []int{3, 10, 25} {
		s := classic(n, 2_500_000, 12_500_000)
		peers := last(t, lab.PeerToPeer, s)
		s.Origin.Up += units.Rate(n) * s.Receivers[0].Up
		if server := last(t, lab.ClientServer, s); server > peers {
			t.Errorf("%d receivers: client-server %.2f s with all uplinks, peer-to-peer %.2f s", n, server, peers)
		}
	}
}

// The hybrid comes close to the better of the two, where content is more than what goes out
// while its origin finds out that there is a crowd: some seconds.
func TestHybridIsLikeTheBetterOfTheTwo(t *testing.T) {
	for _, c := range []struct {
		n        int
		up, down units.Rate
		within   float64
	}{
		{1, 2_500_000, 12_500_000, 1.05},
		{3, 2_500_000, 12_500_000, 1.05},
		{10, 2_500_000, 12_500_000, 1.05},
		{4, 2_500_000, 1_250_000, 1.05},
		{3, 100_000, 1_250_000, 1.05},
		{10, 1_250_000, 2_500_000, 1.05},
		// With more of them than copies of its content leave the origin, pieces on its crowded
		// link are what they wait for at the end; so it was measured with 24 on shaped links.
		{20, 2_500_000, 12_500_000, 1.08},
	} {
		s := classic(c.n, c.up, c.down)
		s.Size, s.Piece = 32<<20, 128<<10
		best := min(last(t, lab.ClientServer, s), last(t, lab.PeerToPeer, s))
		if got := last(t, lab.Hybrid, s); got > c.within*best {
			t.Errorf("%d receivers %v up %v down: hybrid %.2f s, the better of the others %.2f s", c.n, c.up, c.down, got, best)
		}
	}
}
