package lab

import (
	"fmt"
	"math"
	"time"

	"tandem/internal/units"
)

// Hopeless says why a complete scenario cannot finish under a model, with the bound, and
// "" where nothing speaks against it. It only knows what follows from the figures
// themselves: a run may still fail to finish by chance. It asks for no run, and costs
// nothing.
func (s *Scenario) Hopeless(m Model) string {
	if best := s.atBest(m); best > time.Duration(MaxSpan).Seconds() {
		return fmt.Sprintf("the best possible time is %s: %s", years(best), s.tightest(m))
	}
	help := s.uplinks() > 0 && s.Hostile.FreeRiders+s.Hostile.Poisoners < 1 && m != ClientServer
	flash := s.Arrivals.Kind != Poisson
	for _, k := range s.Kills {
		copies := k.At * float64(s.N())
		switch {
		case k.Share < 1:
			continue
		case k.Who == KillPeers && k.At == 0 && flash:
			return "every receiver is killed before it has got a byte"
		case k.Who != KillOrigin || k.At == 1:
			continue
		case k.At == 0:
			return "the origin is killed before it has given a byte, and nobody else has any"
		case !help:
			return fmt.Sprintf("the origin is killed at %s of the bytes and nobody else gives any: %s of %s can still come",
				shareText(k.At), shareText(k.At), s.total())
		case copies < 1:
			return fmt.Sprintf("the origin is killed when the receivers together have %.2g of one copy: the rest of it is lost", copies)
		}
	}
	return ""
}

func (s *Scenario) total() string {
	return fmt.Sprintf("%d x %s", s.N(), units.Bytes(int64(s.Size)))
}

// uplinks returns what all receivers can give together, bytes per second.
func (s *Scenario) uplinks() float64 {
	sum := 0.
	for _, g := range s.Receivers {
		sum += float64(g.Count) * float64(g.Up)
	}
	return sum
}

// slowest returns the slowest download, bytes per second.
func (s *Scenario) slowest() float64 {
	slow := math.Inf(1)
	for _, g := range s.Receivers {
		slow = min(slow, float64(g.Down))
	}
	return slow
}

func (s *Scenario) origins() float64 { return float64(s.Origin.Count) * float64(s.Origin.Up) }

// terms returns the three terms of the bound (B1 to B3), in seconds, kills aside: one
// copy through the origin, one through the slowest download, all of them through every
// uplink there is.
func (s *Scenario) terms(m Model) (once, slowest, all float64) {
	size := float64(s.Size) / s.Payload
	up := s.origins()
	if m != ClientServer {
		up += s.uplinks()
	}
	return size / s.origins(), size / s.slowest(), float64(s.N()) * size / up
}

// atBest returns the least time a model needs, in seconds, arrivals included.
func (s *Scenario) atBest(m Model) float64 {
	once, slowest, all := s.terms(m)
	best := max(once, slowest, all)
	if s.Arrivals.Kind == Poisson {
		best = max(best, float64(s.N())/s.Arrivals.Rate)
	}
	return best
}

// tightest says which term of the bound it is.
func (s *Scenario) tightest(m Model) string {
	once, slowest, all := s.terms(m)
	switch {
	case all >= once && all >= slowest && m == ClientServer:
		return fmt.Sprintf("%s through the origin's %s", s.total(), units.Bits(s.origins()))
	case all >= once && all >= slowest:
		return fmt.Sprintf("%s through all uplinks together, %s", s.total(), units.Bits(s.origins()+s.uplinks()))
	case once >= slowest:
		return fmt.Sprintf("%s through the origin's %s", units.Bytes(int64(s.Size)), units.Bits(s.origins()))
	}
	return fmt.Sprintf("%s through the slowest download, %s", units.Bytes(int64(s.Size)), units.Bits(s.slowest()))
}

func years(seconds float64) string {
	return fmt.Sprintf("%.3g years", seconds/(365.25*24*3600))
}
