package lab

import "math"

const (
	farthest   = 64.0  // an input is varied from 1/64 to 64 times what it is
	rungs      = 4     // of the ladder, for each doubling
	nearly     = 1.005 // a turning point is found to half a percent
	yesOrNo    = 4.0   // what turning a yes or no counts as
	mostHalves = 12    // of a ladder's step: 2^(1/4) to half a percent takes 6
)

// change is one way to another verdict.
type change struct {
	flip   Flip
	size   float64  // factor by which the input changes, at least 1
	before Scenario // the nearest looked at in which the verdict still holds
	after  Scenario // in which it does not
}

// flip returns the change of the smallest size, or nil.
func flip(s Scenario, v Verdict, estimate func(Scenario) []Estimate) *Flip {
	c := smallest(s, v, estimate)
	if c == nil {
		return nil
	}
	return &c.flip
}

func smallest(s Scenario, v Verdict, estimate func(Scenario) []Estimate) *change {
	var found *change
	verdict := func(s Scenario) Model { return decide(s, estimate).model() }
	keep := func(c *change) {
		if c != nil && (found == nil || c.size < found.size) {
			found = c
		}
	}
	for _, in := range inputs() {
		for _, up := range []bool{true, false} {
			limit := farthest
			if found != nil { // no need to look farther than what is known
				limit = min(limit, found.size)
			}
			keep(in.turn(s, v.Model, verdict, up, limit))
		}
	}
	for _, sw := range switches(v) {
		if found != nil && found.size <= yesOrNo {
			break
		}
		if c := sw.turn(s, v.Model, verdict); c != nil {
			keep(c)
		}
	}
	return found
}

// turn climbs the ladder in one direction to the first step with another verdict, and
// halves that step until the turning point is known.
func (in input) turn(s Scenario, held Model, verdict func(Scenario) Model, up bool, limit float64) *change {
	at := func(factor float64) (Scenario, bool) {
		if !up {
			factor = 1 / factor
		}
		t := s.Clone()
		return t, in.scale(&t, factor)
	}
	near, before := 1.0, s
	far, after, other := 0.0, s, held
	for i := 1; ; i++ {
		f := math.Exp2(float64(i) / rungs)
		t, ok := at(f)
		if near >= limit || !ok {
			return nil
		}
		if m := verdict(t); m != held {
			far, after, other = f, t, m
			break
		}
		near, before = f, t
	}
	for range mostHalves {
		if far/near <= nearly {
			break
		}
		f := math.Sqrt(near * far)
		t, ok := at(f)
		if !ok {
			break
		}
		if m := verdict(t); m != held {
			far, after, other = f, t, m
		} else {
			near, before = f, t
		}
	}
	return &change{
		flip: Flip{Input: in.name, From: in.spell(&s), To: in.spell(&after), Model: other, Flag: in.flag(&after)},
		size: far, before: before, after: after,
	}
}

// turn looks whether turning the switch makes another model the right one. That none
// is right then is no news: some limit always does that.
func (sw toggle) turn(s Scenario, held Model, verdict func(Scenario) Model) *change {
	t := s.Clone()
	if !sw.set(&t) {
		return nil
	}
	m := verdict(t)
	if m == held || m == "" {
		return nil
	}
	return &change{
		flip: Flip{Input: sw.name, From: sw.from, To: sw.to, Model: m, Flag: sw.flag},
		size: yesOrNo, before: s, after: t,
	}
}
