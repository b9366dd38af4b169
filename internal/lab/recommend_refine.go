package lab

import (
	"math"
	"time"
)

// Refine returns estimates that agree with what was found of a scenario: those of theory,
// with times and costs in the proportion that measured or else simulated Main runs of s
// stand to theory of s. So a recommender can vary s without a simulation for each step;
// the farther it goes from s, the more of it is theory. A model with which somebody never
// had everything never ends. A model without results stays as theory has it.
//
// A model does not outlive its origin if most receivers are left without when that is
// killed after one copy in the simulator, unless arrivals or stay are varied. (The very
// last are often left without, where all others leave on completion.)
func Refine(s Scenario, results []*Result, theory func(Scenario) []Estimate) func(Scenario) []Estimate {
	found := map[Model]observed{}
	for _, e := range theory(s) {
		if f, ok := find(s, results, e); ok {
			found[e.Model] = f
		}
	}
	return func(x Scenario) []Estimate {
		list := theory(x)
		for i, e := range list {
			if f, ok := found[e.Model]; ok {
				list[i] = f.refine(e, x.Stay == s.Stay && x.Arrivals == s.Arrivals)
			}
		}
		return list
	}
}

// observed is what runs of a model say beside theory.
type observed struct {
	tag                   Tag
	never                 bool
	time, operator, peers float64 // by theory's
	dies                  bool    // with its origin, one copy or not
}

func find(s Scenario, results []*Result, e Estimate) (observed, bool) {
	for _, p := range []Place{InReal, InSim} {
		group := Select(results, Main, p, e.Model, 0)
		if len(group) == 0 {
			continue
		}
		f := observed{tag: p.Tag(), never: len(Finished(group)) < len(group) || e.Time == math.MaxInt64}
		took := Summarise(group, Seconds(func(r *Result) time.Duration { return r.Last })).Median
		pays := func(of func(operator, peers float64) float64) float64 {
			return Summarise(group, func(r *Result) float64 {
				return of(Cost(s, e.Model, r.FromOrigin, r.FromPeers, r.Took))
			}).Median
		}
		f.time = proportion(took, e.Time.Seconds())
		f.operator = proportion(pays(func(o, _ float64) float64 { return o }), e.Operator)
		f.peers = proportion(pays(func(_, p float64) float64 { return p }), e.Peers)
		for _, r := range results {
			if of(r, Survival, InSim, e.Model) && r.Run.Label == LabelOneCopy && 2*r.Done < r.N {
				f.dies = true
			}
		}
		return f, true
	}
	return observed{}, false
}

// proportion is 1 where there is nothing to compare.
func proportion(found, theory float64) float64 {
	if found <= 0 || theory <= 0 {
		return 1
	}
	return found / theory
}

func (f observed) refine(e Estimate, same bool) Estimate {
	e.Tag = f.tag
	e.Operator *= f.operator
	e.Peers *= f.peers
	if v := e.Time.Seconds() * f.time; f.never || e.Time == math.MaxInt64 || v > math.MaxInt64/2/1e9 {
		e.Time = math.MaxInt64
	} else {
		e.Time = time.Duration(float64(e.Time) * f.time)
	}
	if same && f.dies {
		e.Outlives = false
	}
	return e
}
