package lab

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"tandem/internal/units"
)

// What keeps a comparison short.
const (
	// MostReal is the number of receivers above which no real processes are started.
	MostReal = 24
	// LongestReal is the best possible time above which none are.
	LongestReal = time.Hour

	mostSimulated = 2_000_000 // receivers: more do not fit into a usual memory
	mostSecondary = 2_000     // receivers of a simulation that is not a Main one
	mostTransfers = 1 << 20   // pieces x receivers of a Main simulation
	fewTransfers  = 1 << 19   // of any other
	repeated      = 1 << 15   // of any other up to which it is repeated
	fewestPieces  = 64        // that pieces are merged to
	sweepPoints   = 12
)

// Labels of variations that their number does not tell.
const (
	LabelOrigin     = "origin"       // Survival: the origin is killed at Vary
	LabelOneCopy    = "one copy out" // Survival: the same, when about one copy is out
	LabelNobody     = "none"         // Hostile: the base line
	LabelPoisoners  = "poisoners"
	LabelFreeRiders = "free-riders"
)

// Plan returns the runs of a comparison of a complete scenario in the order they are
// made: bounds, simulations (main, sweep, survival, hostile, normalisations), real runs;
// and notes on what is left out and why. It is pure.
//
// Main runs are the scenario as it stands. All others are made in closed form and in the
// simulator only, without the scenario's kills, with at most 2,000 of its receivers
// (groups keep their shares; a sweep has its own numbers) and with pieces merged where
// there are very many. They vary one thing:
//
//   - Sweep: the number of receivers, on a ladder from 1.
//   - Survival: the origins are killed at shares of the bytes; the last of them is when
//     about one copy of everything is out.
//   - Hostile: a share of poisoners or free-riders, and none for comparison.
//   - Capacity: client-server, the origins given the receivers' uplinks, too: what peers
//     win is whose capacity is used, and this takes it away.
//   - Budget: client-server at the money that the hybrid costs its operator. On the same
//     uplink for the same time that is the same number of bytes leaving the origin, at
//     whatever price; so client-server serves fewer receivers, Vary of them. The other
//     models' side of it is Main.
//   - Origins: 1, 2 and 4 of them.
func Plan(s Scenario) (runs []Run, notes []string) {
	p := &planner{s: s}
	for _, m := range s.Models {
		if why := s.Hopeless(m); why != "" {
			p.note("%s cannot bring the file to everybody: %s.", m, why)
		}
	}
	p.bounds()
	p.simulations()
	p.reals()
	return p.runs, p.notes
}

type planner struct {
	s     Scenario
	runs  []Run
	notes []string
}

func (p *planner) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(p.notes, n) {
		p.notes = append(p.notes, n)
	}
}

func (p *planner) in(place Place) bool { return slices.Contains(p.s.Worlds, place) }

// with returns those of the scenario's models that are among these.
func (p *planner) with(models ...Model) []Model {
	return slices.DeleteFunc(slices.Clone(p.s.Models), func(m Model) bool { return !slices.Contains(models, m) })
}

// add puts the repeats of a run into the plan.
func (p *planner) add(r Run, repeats int) {
	for i := range repeats {
		r.Repeat = i
		r.Seed = p.s.Seed + uint64(i)
		r.Scenario.Seed = r.Seed
		p.runs = append(p.runs, r)
	}
}

func (p *planner) bounds() {
	if !p.in(InBound) {
		return
	}
	for _, m := range p.s.Models {
		p.add(Run{Purpose: Main, Place: InBound, Model: m, Scenario: p.s}, 1)
	}
	calm := p.s.Clone()
	calm.Kills = nil
	for _, v := range slices.Concat(p.sweep(calm), p.capacity(calm), p.budget(calm), p.origins(calm)) {
		v.Place = InBound
		p.add(v, 1)
	}
}

func (p *planner) simulations() {
	if !p.in(InSim) {
		return
	}
	p.mains()
	calm := p.s.Clone()
	calm.Kills = nil
	if n := calm.N(); n > mostSecondary {
		p.note("Survival, hostile receivers and more origins are simulated with %d receivers of the same mix instead of %d.", mostSecondary, n)
		calm = calm.WithReceivers(mostSecondary)
	}
	for _, v := range slices.Concat(p.sweep(p.s), p.survival(calm), p.hostile(calm), p.capacity(p.s), p.budget(p.s), p.origins(calm)) {
		v.Place = InSim
		if v.Purpose != Survival {
			v.Scenario.Kills = nil
		}
		if tooLong(&v.Scenario, v.Model) || v.Scenario.N() > mostSimulated {
			continue // the bound says it
		}
		v.Scenario = merged(v.Scenario, fewTransfers)
		if v.Scenario.Piece != p.s.Piece && v.Model != ClientServer {
			p.note("Variations with very many pieces are simulated with merged ones, at least %d.", fewestPieces)
		}
		p.add(v, p.secondaryRepeats(&v.Scenario))
	}
	if len(p.s.Kills) > 0 {
		p.note("The scenario's kills are in the main runs only; variations are made without them.")
	}
}

func (p *planner) mains() {
	n := p.s.N()
	if n > mostSimulated {
		p.note("The main simulation is left out above %d receivers: it would need more memory than machines usually have.", mostSimulated)
		return
	}
	for _, m := range p.s.Models {
		if tooLong(&p.s, m) {
			p.note("%s is not simulated: it would take more than 10 years.", m)
			continue
		}
		s := p.s
		if n <= ManyReceivers && m != ClientServer { // above, the simulator merges itself
			if s = merged(s, mostTransfers); s.Piece != p.s.Piece {
				p.note("The main simulation is made with pieces of %s.", units.Bytes(int64(s.Piece)))
			}
		}
		p.add(Run{Purpose: Main, Place: InSim, Model: m, Scenario: s}, p.s.Repeats)
	}
}

func (p *planner) reals() {
	if !p.in(InReal) {
		return
	}
	if n := p.s.N(); n > MostReal {
		p.note("Real runs are left out above %d receivers, and these are %d: a machine would measure itself.", MostReal, n)
		return
	}
	if p.s.Origin.Count > 1 {
		p.note("Real runs are left out with more than one origin: the links of one are shaped.")
		return
	}
	for _, m := range p.s.Models {
		if best := p.s.atBest(m); best > LongestReal.Seconds() {
			p.note("No real run of %s: it would take %s at best, and an hour is the most that is waited for.", m, units.Seconds(spanOf(best)))
			continue
		}
		p.add(Run{Purpose: Main, Place: InReal, Model: m, Scenario: p.s}, p.s.Repeats)
	}
}

// secondaryRepeats returns how often a variation is simulated: as often as Main runs
// while that costs next to nothing. Nearly all of a comparison's time is variations.
func (p *planner) secondaryRepeats(s *Scenario) int {
	return int(max(1, min(float64(p.s.Repeats), 3, repeated/(pieces(s)*float64(s.N())))))
}

func tooLong(s *Scenario, m Model) bool {
	return s.atBest(m) > time.Duration(MaxSpan).Seconds()
}

func spanOf(v float64) time.Duration {
	return time.Duration(min(v, math.MaxInt64/2e9) * 1e9)
}

func pieces(s *Scenario) float64 { return math.Ceil(float64(s.Size) / float64(s.Piece)) }

// merged returns s with pieces doubled until pieces x receivers are at most most, or so
// few pieces are left that their number would be felt.
func merged(s Scenario, most float64) Scenario {
	n := float64(s.N())
	for n*pieces(&s) > most && pieces(&s) >= 2*fewestPieces {
		s.Piece *= 2
	}
	return s
}

// WithReceivers returns s with another number of receivers, at least 1: groups keep
// their shares (largest remainders), and those that are left with nobody are dropped.
func (s *Scenario) WithReceivers(n int) Scenario {
	c := s.Clone()
	n = max(n, 1)
	now := s.N()
	if now == 0 || n == now {
		return c
	}
	type part struct {
		group int
		rest  float64
	}
	left := n
	parts := make([]part, len(c.Receivers))
	for i := range c.Receivers {
		exact := float64(n) * float64(c.Receivers[i].Count) / float64(now)
		c.Receivers[i].Count = int(exact)
		left -= int(exact)
		parts[i] = part{i, exact - math.Floor(exact)}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.rest, a.rest) })
	for i := range left {
		c.Receivers[parts[i%len(parts)].group].Count++
	}
	c.Receivers = slices.DeleteFunc(c.Receivers, func(g Group) bool { return g.Count <= 0 })
	return c
}
