package lab

import (
	"math"
	"slices"
	"time"

	"tandem/internal/units"
)

// sweep varies the number of receivers.
func (p *planner) sweep(s Scenario) []Run {
	var runs []Run
	for _, m := range s.Models {
		for _, n := range ladder(s.N()) {
			runs = append(runs, Run{Purpose: Sweep, Model: m, Scenario: s.WithReceivers(n), Vary: float64(n)})
		}
	}
	return runs
}

// ladder returns the numbers of receivers that a sweep tries: powers of two from 1 to
// four times as many as there are and at least 64, and the number itself; no more than
// 20,000, or, if there are more, as many as there are, at most 100,000. Long ladders
// are thinned out evenly.
func ladder(n int) []int {
	top := min(max(4*n, 64), max(20_000, min(n, ManyReceivers)))
	var steps []int
	for i := 1; i < top; i *= 2 {
		steps = append(steps, i)
	}
	steps = append(steps, top)
	if most := sweepPoints - 1; len(steps) > most {
		thin := steps[:0:0]
		for i := range most {
			thin = append(thin, int(math.Round(math.Pow(float64(top), float64(i)/float64(most-1)))))
		}
		steps = thin
	}
	if n <= top {
		steps = append(steps, n)
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}

// survival kills the origins at a few moments.
func (p *planner) survival(s Scenario) []Run {
	var runs []Run
	out := oneCopyOut(&s)
	if out >= 1 {
		p.note("One copy is out only with the last byte: the origin's upload is the limit, and no kill of it can be survived.")
	} else if s.Stay.Kind == StayLeave && s.Arrivals.Kind != Poisson {
		p.note("Who has everything leaves at once, so that after the origin's death the last one may find nobody who has its last pieces: with --stay end it does.")
	}
	for _, m := range s.Models {
		kill := func(at float64, label string) {
			c := s.Clone()
			c.Kills = []Kill{{Who: KillOrigin, Share: 1, At: at}}
			runs = append(runs, Run{Purpose: Survival, Model: m, Scenario: c, Vary: at, Label: label})
		}
		for _, at := range []float64{0, 0.25, 0.5} {
			kill(at, LabelOrigin)
		}
		if out < 1 {
			kill(out, LabelOneCopy)
		}
	}
	return runs
}

// copyMargin is how much more than one copy the origins have given by then.
const copyMargin = 1.2

// oneCopyOut returns the share of all bytes at which the origins have given one copy of
// everything, with a fifth to spare; 1 or more when that is only at the end. The fifth is
// what the product is held to on real links (docs/benchmarks.md, "seeder killed 1.20 x
// F/u_s"): all finish there, since they stay. Where they leave at once no margin saves the
// last one, and the plan's notes say so. While
// origins give one copy, receivers give what their uplinks allow, so that together
// 1 + sum u_i/u_s copies have come in by then, of those who have arrived. (At 1/N of the bytes no copy is out yet:
// what came in is the same pieces, many times.)
func oneCopyOut(s *Scenario) float64 {
	n := float64(s.N())
	each := s.uplinks() / n * (1 - s.Hostile.FreeRiders - s.Hostile.Poisoners)
	here := n
	if s.Arrivals.Kind == Poisson {
		once, _, _ := s.terms(Hybrid)
		here = min(n, 1+s.Arrivals.Rate*once)
	}
	at := copyMargin * (1 + here*each/s.origins()) / n
	if at >= 1 {
		return 1
	}
	return math.Ceil(at*1000) / 1000 // people read it
}

// hostile varies who takes part.
func (p *planner) hostile(s Scenario) []Run {
	var runs []Run
	n := float64(s.N())
	for _, m := range p.with(PeerToPeer, Hybrid) {
		add := func(label string, share, poisoners, riders float64) {
			if share > 0 && share*n < 0.5 {
				p.note("%s %% %s of %d receivers are nobody, and left out.", number(share*100), label, s.N())
				return
			}
			c := s.Clone()
			c.Hostile.Poisoners, c.Hostile.FreeRiders = poisoners, riders
			runs = append(runs, Run{Purpose: Hostile, Model: m, Scenario: c, Vary: share, Label: label})
		}
		add(LabelNobody, 0, 0, 0)
		add(LabelPoisoners, 0.05, 0.05, 0)
		add(LabelPoisoners, 0.20, 0.20, 0)
		add(LabelFreeRiders, 0.25, 0, 0.25)
		add(LabelFreeRiders, 0.50, 0, 0.50)
	}
	return runs
}

// capacity gives client-server's origins the receivers' uplinks.
func (p *planner) capacity(s Scenario) []Run {
	var runs []Run
	for _, m := range p.with(ClientServer) {
		c := s.Clone()
		c.Origin.Up = units.Rate((s.origins() + s.uplinks()) / float64(s.Origin.Count))
		runs = append(runs, Run{Purpose: Capacity, Model: m, Scenario: c})
	}
	return runs
}

// budget lets client-server serve as many as the bytes are for that leave the hybrid's
// origin.
func (p *planner) budget(s Scenario) []Run {
	if len(p.with(ClientServer, Hybrid)) < 2 {
		return nil
	}
	n, served := s.N(), 0
	if copies := s.needed(); copies > float64(n)-0.5 {
		served = n
	} else {
		served = max(1, int(copies))
	}
	if served == n {
		p.note("At the hybrid's budget client-server serves all receivers: peers spare the origin nothing that counts.")
		return nil
	}
	return []Run{{Purpose: Budget, Model: ClientServer, Scenario: s.WithReceivers(served), Vary: float64(served)}}
}

// needed returns how many copies the hybrid's origin has to give at least, while
// everybody has the file as early as can be: at least one, and what the receivers' uplinks
// cannot carry in that time. Of receivers that come one by one only those help that are
// there together.
func (s *Scenario) needed() float64 {
	once, slowest, _ := s.terms(Hybrid)
	n, size := float64(s.N()), float64(s.Size)/s.Payload
	each := s.uplinks() / n * (1 - s.Hostile.FreeRiders - s.Hostile.Poisoners)
	if s.Arrivals.Kind != Poisson {
		all := n * size / (s.origins() + n*each)
		return max(1, n-max(once, slowest, all)*n*each/size)
	}
	there := max(once, slowest) + s.stays()
	together := 1 - math.Exp(-s.Arrivals.Rate*there)
	return max(1, n*(1-together*min(1, there*each/size)))
}

// stays returns how long a receiver serves after it has everything, in seconds.
func (s *Scenario) stays() float64 {
	switch {
	case s.Stay.Kind == StayFor:
		return time.Duration(s.Stay.For).Seconds()
	case s.Stay.Kind == StayEnd && s.Arrivals.Kind == Poisson:
		return float64(s.N()) / s.Arrivals.Rate
	}
	return 0
}

// origins varies their number.
func (p *planner) origins(s Scenario) []Run {
	var runs []Run
	for _, m := range p.with(ClientServer, Hybrid) {
		for _, k := range []int{1, 2, 4} {
			c := s.Clone()
			c.Origin.Count = k
			runs = append(runs, Run{Purpose: Origins, Model: m, Scenario: c, Vary: float64(k)})
		}
	}
	return runs
}
