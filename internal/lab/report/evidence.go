package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tandem/internal/lab"
)

// evidence is a comparison's results, asked for by what they are for.
type evidence struct {
	*lab.Comparison
	models []lab.Model
}

func evidenceOf(c *lab.Comparison) evidence {
	e := evidence{Comparison: c}
	seen := func(m lab.Model) bool {
		return slices.Contains(c.Scenario.Models, m) || slices.Contains(c.Table.Models, m) ||
			slices.ContainsFunc(c.Results, func(r *lab.Result) bool { return r.Run.Model == m })
	}
	for _, m := range lab.Models() {
		if seen(m) {
			e.models = append(e.models, m)
		}
	}
	return e
}

// of returns the runs that are to be believed, made for p with m in w, in order.
func (e evidence) of(p lab.Purpose, w lab.Place, m lab.Model) []*lab.Result {
	var out []*lab.Result
	for _, r := range e.Results {
		if r.Void == "" && r.Run.Purpose == p && r.Run.Place == w && r.Run.Model == m {
			out = append(out, r)
		}
	}
	return out
}

// typical returns the run of the middle one by completion among those of the scenario
// itself, or nil. Which repeat that is does not depend on the order they were made in.
func (e evidence) typical(w lab.Place, m lab.Model) *lab.Result {
	return middle(e.of(lab.Main, w, m))
}

// middle returns the median by how many finished and when the last one did, or nil.
func middle(runs []*lab.Result) *lab.Result {
	if len(runs) == 0 {
		return nil
	}
	sorted := slices.SortedStableFunc(slices.Values(runs), func(a, b *lab.Result) int {
		return cmp.Or(cmp.Compare(b.Done, a.Done), cmp.Compare(last(a), last(b)), cmp.Compare(a.Run.Repeat, b.Run.Repeat))
	})
	return sorted[(len(sorted)-1)/2]
}

// best returns the run of m that says most, measured before simulated, among those that
// fit, or nil.
func (e evidence) best(m lab.Model, fits func(*lab.Result) bool) *lab.Result {
	for _, w := range []lab.Place{lab.InReal, lab.InSim} {
		if r := middle(slices.DeleteFunc(e.of(lab.Main, w, m), func(r *lab.Result) bool { return !fits(r) })); r != nil {
			return r
		}
	}
	return nil
}

// byN groups the runs of the sweep and of the scenario itself by their number of
// receivers, ascending, the median of each. The scenario itself does not belong in the
// line where it has kills, which the sweep has not.
func (e evidence) byN(w lab.Place, m lab.Model) []*lab.Result {
	groups := make(map[int][]*lab.Result)
	runs := e.of(lab.Sweep, w, m)
	if len(runs) == 0 || len(e.Scenario.Kills) == 0 {
		runs = append(runs, e.of(lab.Main, w, m)...)
	}
	for _, r := range runs {
		if r.N > 0 {
			groups[r.N] = append(groups[r.N], r)
		}
	}
	var out []*lab.Result
	for _, runs := range groups {
		out = append(out, middle(runs))
	}
	slices.SortFunc(out, func(a, b *lab.Result) int { return cmp.Compare(a.N, b.N) })
	return out
}

// bound returns the bound of the scenario itself, or nil.
func (e evidence) bound(m lab.Model) *lab.Bound {
	for _, r := range e.of(lab.Main, lab.InBound, m) {
		if r.Bound != nil {
			return r.Bound
		}
	}
	return nil
}

// void returns the runs that are not to be believed.
func (e evidence) void() []*lab.Result {
	return slices.DeleteFunc(slices.Clone(e.Results), func(r *lab.Result) bool { return r.Void == "" })
}

// last returns the time until the last receiver, never where not all have finished.
func last(r *lab.Result) time.Duration {
	switch {
	case r.Bound != nil:
		return r.Bound.Last
	case r.Done < r.N || r.N == 0:
		return never
	}
	return r.Last
}

const never = time.Duration(math.MaxInt64)

// tag returns how the figures of a world came about.
func tag(w lab.Place) lab.Tag {
	switch w {
	case lab.InReal:
		return lab.Measured
	case lab.InSim:
		return lab.Simulated
	}
	return lab.Analytic
}
