package sim

import (
	"math"
	"testing"

	"tandem/internal/lab"
)

// One receiver gets nothing from the hybrid that the server would not give it, and needs no longer.
func TestHybridOfOneIsAServer(t *testing.T) {
	s := crowd(func(s *lab.Scenario) { s.Receivers[0].Count = 1 })
	h, c := simulate(t, lab.Hybrid, s, 1), simulate(t, lab.ClientServer, s, 1)
	if math.Abs(h.Last.Seconds()/c.Last.Seconds()-1) > 0.01 || h.FromPeers != 0 || h.FromOrigin != int64(s.Size) {
		t.Errorf("%v and %v, %d from peers", h.Last, c.Last, h.FromPeers)
	}
}
