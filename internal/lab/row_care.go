package lab

import (
	"fmt"
	"math"
	"slices"
)

// Rows on what it costs, what is to be looked after, and who must be trusted.

func (t *sheet) cost() {
	pays := func(of func(operator, peers float64) float64) func(*Result) (float64, bool) {
		return func(r *Result) (float64, bool) {
			_, ok := moved(r)
			return of(Cost(t.s, r.Run.Model, r.FromOrigin, r.FromPeers, r.Took)), ok && finished(r)
		}
	}
	t.main(
		metric{"the operator pays", "$", lower, pays(func(o, _ float64) float64 { return o }), nil},
		metric{"receivers pay, together", "$", lower, pays(func(_, p float64) float64 { return p }), nil},
		metric{"everybody together", "$", lower, pays(func(o, p float64) float64 { return o + p }), nil},
		metric{"leaves the origin", "B", lower, func(r *Result) (float64, bool) {
			_, ok := moved(r)
			return float64(r.FromOrigin), ok
		}, nil},
		metric{"offload: peers give", "%", higher, func(r *Result) (float64, bool) {
			all, ok := moved(r)
			return percentage(float64(r.FromPeers), all), ok
		}, nil},
	)
	machine := func(of func(*Use) float64, per func(*Result) float64) func(*Result) (float64, bool) {
		return func(r *Result) (float64, bool) {
			if r.Use == nil || per(r) <= 0 {
				return 0, false
			}
			return of(r.Use) / per(r), true
		}
	}
	whole := func(r *Result) float64 { return (float64(r.FromOrigin) + float64(r.FromPeers)) / gigabyte }
	perRun := func(*Result) float64 { return 1 }
	t.main(
		metric{"origin, CPU-seconds per GB fetched", "", lower, machine(func(u *Use) float64 { return u.OriginCPU }, whole), nil},
		metric{"receivers, CPU-seconds per GB fetched", "", lower, machine(func(u *Use) float64 { return u.PeerCPU }, whole), nil},
		metric{"origin, memory", "B", lower, machine(func(u *Use) float64 { return float64(u.OriginRSS) }, perRun), nil},
		metric{"a receiver, memory at most", "B", lower, machine(func(u *Use) float64 { return float64(u.PeerRSS) }, perRun), nil},
	)
}

func (t *sheet) maintenance() {
	steps := map[Model]fact{}
	for _, m := range Models() {
		list := setUp(m)
		steps[m] = fact{len(list), fmt.Sprintf("%d: %s", len(list), commas(list))}
	}
	t.say("steps to set up", steps, lower)
	t.say("steps to add a receiver", joining(), lower)
	t.say("steps when the origin is dead", recovering(), lower)
	t.say("to be backed up", backups(), lower)
}

func (t *sheet) security() {
	wrong := metric{"wrong bytes in finished files", "B", lower, simOrReal(func(r *Result) (float64, bool) {
		return float64(r.Accepted), r.N > 0
	}), nil}
	// The worst of all runs, hostile ones too: one wrong byte in one of them is too many.
	t.each(wrong, func(m Model, p Place) []*Result { return t.worst(m, p, func(r *Result) int64 { return r.Accepted }) })
	unasked := metric{"requests without permission that got a byte", "", lower, func(r *Result) (float64, bool) {
		return float64(r.Unasked), r.Run.Place == InReal && r.N > 0
	}, nil}
	t.each(unasked, func(m Model, p Place) []*Result { return t.worst(m, p, func(r *Result) int64 { return r.Unasked }) })
	t.hostile()
	t.say("must be trusted with the content", trusted(), lower)
	t.one(metric{"learn a receiver's address, at most", "", lower, nil, machines}, Counted, func(m Model) (float64, bool) {
		// docs/security.md: who may take part in a share learns the addresses of the
		// others who do. A server alone is the only one that does.
		k, n := max(t.s.Origin.Count, 1), t.s.N()
		if m == ClientServer {
			return float64(k), n > 0
		}
		return float64(k + n - 1), n > 0
	})
	t.say("access that is taken back ends", revoking(), lower)
}

func machines(n float64) string {
	if n == 1 {
		return "1 machine"
	}
	return digits3(n) + " machines"
}

// worst returns the one run that shows most of what must not be.
func (t *sheet) worst(m Model, p Place, of func(*Result) int64) []*Result {
	var worst *Result
	for _, r := range t.results {
		if r == nil || r.Void != "" || r.Run.Model != m || r.Run.Place != p {
			continue
		}
		if worst == nil || of(r) > of(worst) {
			worst = r
		}
	}
	if worst == nil {
		return nil
	}
	return []*Result{worst}
}

// hostile puts how much longer it takes with bad nodes about.
func (t *sheet) hostile() {
	for _, label := range []string{LabelPoisoners, LabelFreeRiders} {
		for _, p := range []Place{InReal, InSim} {
			for _, share := range t.varied(Hostile, p) {
				figures := map[Model]Figure{}
				for _, m := range t.models {
					if f, ok := t.slowdown(label, m, p, share); ok {
						figures[m] = f
					}
				}
				t.put(figures, lower)
			}
		}
	}
}

// slowdown is the last honest receiver's time by what it is without bad nodes.
func (t *sheet) slowdown(label string, m Model, p Place, share float64) (Figure, bool) {
	clean := Finished(Select(t.results, Hostile, p, m, 0)) // the base line: as many receivers
	if len(clean) == 0 {
		clean = Finished(Select(t.results, Main, p, m, 0))
	}
	usual := Summarise(clean, func(r *Result) float64 { return r.Last.Seconds() })
	if usual.Median <= 0 {
		return Figure{}, false
	}
	group := slices.DeleteFunc(Select(t.results, Hostile, p, m, share), func(r *Result) bool { return r.Run.Label != label })
	k := metric{fmt.Sprintf("time with %g %% %s", math.Round(1000*share)/10, label), "x", lower, func(r *Result) (float64, bool) {
		if v, ok := last(r); v == never || !ok {
			return v, ok
		}
		return r.Last.Seconds() / usual.Median, true
	}, nil}
	return k.sum(group, p)
}
