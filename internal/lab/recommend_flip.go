package lab

import "math"

const (
	doublings  = 6     // an input is varied from 1/64 to 64 times what it is
	rungs      = 4     // of the ladder, for each doubling
	nearly     = 1.005 // a turning point is found to half a percent
	yesOrNo    = 10.0  // what turning a yes or no counts as: quantities are what people can turn
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

// smallest climbs with all inputs side by side, so that it need not go farther with any
// than the first that flips.
func smallest(s Scenario, v Verdict, estimate func(Scenario) []Estimate) *change {
	verdict := func(s Scenario) Model { return decide(s, estimate).model() }
	var climbs []*climb
	for _, in := range inputs() {
		climbs = append(climbs, &climb{in: in, up: true, near: 1, before: s}, &climb{in: in, near: 1, before: s})
	}
	for i := 1; i <= rungs*doublings; i++ {
		factor := math.Exp2(float64(i) / rungs)
		if before := math.Exp2(float64(i-1) / rungs); before <= yesOrNo && factor > yesOrNo {
			for _, sw := range switches(v) {
				if c := sw.turn(s, v.Model, verdict); c != nil {
					return c
				}
			}
		}
		var found *change
		for _, c := range climbs {
			if ch := c.step(s, factor, v.Model, verdict); ch != nil && (found == nil || ch.size < found.size) {
				found = ch
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// climb is one input on its way up, or down.
type climb struct {
	in     input
	up     bool
	near   float64 // the farthest factor at which the verdict still held
	before Scenario
	over   bool // it cannot go farther
}

func (c *climb) at(s Scenario, factor float64) (Scenario, bool) {
	if !c.up {
		factor = 1 / factor
	}
	t := s.Clone()
	return t, c.in.scale(&t, factor)
}

// step goes to the next rung. If the verdict is another one there, it halves the way
// back until the turning point is known.
func (c *climb) step(s Scenario, factor float64, held Model, verdict func(Scenario) Model) *change {
	if c.over {
		return nil
	}
	after, ok := c.at(s, factor)
	if !ok {
		c.over = true
		return nil
	}
	other := verdict(after)
	if other == held {
		c.near, c.before = factor, after
		return nil
	}
	far := factor
	for range mostHalves {
		if far/c.near <= nearly {
			break
		}
		f := math.Sqrt(c.near * far)
		t, ok := c.at(s, f)
		if !ok {
			break
		}
		if m := verdict(t); m != held {
			far, after, other = f, t, m
		} else {
			c.near, c.before = f, t
		}
	}
	in := c.in
	return &change{
		flip: Flip{Input: in.name, From: in.spell(&s), To: in.spell(&after), Model: other, Flag: in.flag(&after)},
		size: far, before: c.before, after: after,
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
