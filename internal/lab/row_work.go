package lab

import (
	"fmt"
	"math"
	"time"
)

// Rows on how well the work is done: growth, losses, chance, speed.

func (t *sheet) scalability() {
	growth := metric{"growth of time with receivers (log-log slope)", "", lower, nil, func(v float64) string { return fmt.Sprintf("%.2f", v) }}
	for _, p := range strongest() {
		figures := map[Model]Figure{}
		for _, m := range t.models {
			if v, ok := slope(t.increasing(m, p)); ok {
				figures[m] = growth.figure(v, p.Tag())
			}
		}
		t.put(figures, lower)
	}
	t.crossover()
	t.main(metric{"origin sends per receiver", "B", lower, func(r *Result) (float64, bool) {
		_, ok := moved(r)
		return float64(r.FromOrigin) / float64(max(r.N, 1)), ok
	}, nil})
	t.one(metric{"arrivals it sustains", "a second", higher, nil, func(v float64) string {
		if v == never {
			return "no limit"
		}
		return digits3(v) + " a second"
	}}, Analytic, func(m Model) (float64, bool) {
		b := t.bounds(m)
		return valueOf(b, func(b *Bound) float64 { return b.Stable }), b != nil
	})
	k := metric{"", "s", lower, last, nil}
	for _, n := range []float64{1, 2, 4} {
		k.label = fmt.Sprintf("last receiver with %g origins", n)
		if n == 1 {
			k.label = "last receiver with 1 origin"
		}
		t.each(k, func(m Model, p Place) []*Result { return Select(t.results, Origins, p, m, n) })
	}
	k.label = "last receiver, all uplinks at the origin"
	t.each(k, func(m Model, p Place) []*Result { return t.any(Capacity, p, m) })
	t.each(metric{"for the hybrid's money it serves", "receivers", neither, func(r *Result) (float64, bool) {
		return r.Run.Vary, r.Run.Vary > 0
	}, func(v float64) string {
		return fmt.Sprintf("%s of %s receivers", digits3(v), digits3(float64(t.s.N())))
	}}, func(m Model, p Place) []*Result { return t.any(Budget, p, m) })
}

// any returns the repeats of a purpose that has one variation.
func (t *sheet) any(purpose Purpose, p Place, m Model) []*Result {
	for _, vary := range Varied(t.results, purpose, p, m) {
		return Select(t.results, purpose, p, m, vary)
	}
	return nil
}

// slope returns by which power of n the values grow at the upper half of the points.
func slope(n, v []float64) (float64, bool) {
	from := len(n) / 2
	if len(n) < 3 {
		from = 0
	}
	n, v = n[from:], v[from:]
	if len(n) < 2 {
		return 0, false
	}
	var mx, my, sxy, sxx float64
	for i := range n {
		mx, my = mx+math.Log(n[i]), my+math.Log(v[i])
	}
	mx, my = mx/float64(len(n)), my/float64(len(n))
	for i := range n {
		dx := math.Log(n[i]) - mx
		sxy, sxx = sxy+dx*(math.Log(v[i])-my), sxx+dx*dx
	}
	return sxy / sxx, sxx > 0
}

// crossover puts from how many receivers on a model with peers is faster than the
// server alone.
func (t *sheet) crossover() {
	label := "faster than the server alone from"
	for _, p := range []Place{InReal, InSim} {
		figures := map[Model]Figure{}
		n, alone := t.increasing(ClientServer, p)
		for _, m := range t.models {
			if m == ClientServer || len(n) == 0 {
				continue
			}
			k := metric{label: label, unit: "receivers"}
			at, v := t.increasing(m, p)
			if from := overtakes(n, alone, at, v); from > 0 {
				figures[m] = k.figure(from, p.Tag())
			} else {
				f := k.figure(never, p.Tag())
				f.Text = fmt.Sprintf("not up to %s receivers", digits3(n[len(n)-1]))
				figures[m] = f
			}
		}
		t.put(figures, neither)
	}
	t.one(metric{label: label, unit: "receivers", text: func(v float64) string {
		return "above " + digits3(v) + " receivers (u_s/d_min)"
	}}, Analytic, func(m Model) (float64, bool) {
		b := t.bounds(m)
		return valueOf(b, func(b *Bound) float64 { return b.Crossover }), m != ClientServer && b != nil && b.Crossover > 0
	})
}

// overtakes returns the least n from which on the second curve stays below the first by
// what counts as a difference; 0: nowhere.
func overtakes(n, first, at, second []float64) float64 {
	from := 0.0
	for i, j := 0, 0; i < len(n); i++ {
		for j < len(at) && at[j] < n[i] {
			j++
		}
		if j == len(at) || at[j] != n[i] {
			continue
		}
		faster := second[j] < first[i] && !sameTime(seconds(second[j]), seconds(first[i]))
		if faster && from == 0 {
			from = n[i]
		} else if !faster {
			from = 0
		}
	}
	return from
}

func seconds(v float64) time.Duration {
	return time.Duration(min(v, math.MaxInt64/2/1e9) * 1e9)
}

func valueOf(b *Bound, of func(*Bound) float64) float64 {
	if b == nil {
		return 0
	}
	return of(b)
}

func done(r *Result) (float64, bool) {
	return percentage(float64(r.Done), float64(r.N)), r.N > 0
}

func (t *sheet) reliability() {
	t.main(metric{"receivers that finish", "%", higher, done, nil})
	for _, p := range strongest() {
		for _, at := range t.varied(Survival, p) {
			t.killed(p, at)
		}
	}
	t.main(metric{"fetched twice", "%", lower, simOrReal(func(r *Result) (float64, bool) {
		all, ok := moved(r)
		return percentage(float64(r.Wasted), all), ok
	}), nil})
	t.one(metric{"the origin is there", "%", neither, nil, func(v float64) string { return percent(v / 100) }}, Analytic, func(Model) (float64, bool) {
		up, down := t.s.Origin.MTTF, t.s.Origin.MTTR
		one := percentage(float64(up), float64(up+down)) / 100
		return 100 * (1 - math.Pow(1-one, float64(max(t.s.Origin.Count, 1)))), up > 0
	})
}

// varied returns the variations of a purpose over all models.
func (t *sheet) varied(purpose Purpose, p Place) []float64 {
	var all []*Result
	for _, r := range t.results {
		if r != nil {
			same := *r
			same.Run.Model = ClientServer
			all = append(all, &same)
		}
	}
	return Varied(all, purpose, p, ClientServer)
}

// killed puts who finishes when the origin dies at a moment.
func (t *sheet) killed(p Place, at float64) {
	label := ""
	group := func(m Model, q Place) []*Result {
		if q != p {
			return nil
		}
		list := Select(t.results, Survival, p, m, at)
		for _, r := range list {
			label = r.Run.Label
		}
		return list
	}
	for _, m := range t.models {
		group(m, p)
	}
	k := metric{"finish when the origin dies " + moment(at, label), "%", higher, done, nil}
	t.each(k, group)
	if at == 0.5 {
		t.each(metric{"others go on after that", "s", lower, recovered, nil}, group)
	}
}

// moment says when a kill takes place: at a share of all receivers' bytes, or at what
// the plan calls it.
func moment(at float64, label string) string {
	switch {
	case label == LabelOneCopy:
		return "after one copy is out"
	case at == 0:
		return "before the first byte"
	}
	return fmt.Sprintf("at %.3g %%", 100*at)
}

// recovered is how long the first kill kept somebody waiting, of those who still lacked
// something.
func recovered(r *Result) (float64, bool) {
	if len(r.Killed) == 0 || len(r.Recovered) == 0 {
		return 0, false
	}
	if r.Recovered[0] == 0 {
		return never, true
	}
	return r.Recovered[0].Seconds(), true
}

func (t *sheet) stability() {
	for _, p := range []Place{InReal, InSim} {
		figures := map[Model]Figure{}
		k := metric{"variation of the last receiver's time", "%", neither, nil, nil}
		for _, m := range t.models {
			group := Finished(Select(t.results, Main, p, m, 0))
			if v := variation(group); len(group) > 1 {
				f := k.figure(v, p.Tag())
				f.Runs = len(group)
				figures[m] = f
			}
		}
		t.put(figures, neither)
	}
	t.main(metric{"fairness among receivers (Jain)", "", higher, simOrReal(func(r *Result) (float64, bool) {
		return r.Jain, r.Jain > 0
	}), func(v float64) string { return fmt.Sprintf("%.3f", v) }})
	t.one(metric{"load, of what it sustains", "%", lower, nil, nil}, Analytic, func(m Model) (float64, bool) {
		b := t.bounds(m)
		ok := t.s.Arrivals.Kind == Poisson && b != nil && b.Stable > 0
		return percentage(t.s.Arrivals.Rate, valueOf(b, func(b *Bound) float64 { return b.Stable })), ok
	})
}

// variation is the standard deviation of the last receiver's times by their mean, as a
// percentage.
func variation(group []*Result) float64 {
	v := Summarise(group, func(r *Result) float64 { return r.Last.Seconds() })
	if v.Runs < 2 || v.Mean == 0 {
		return 0
	}
	var squares float64
	for _, r := range group {
		d := r.Last.Seconds() - v.Mean
		squares += d * d
	}
	return 100 * math.Sqrt(squares/float64(v.Runs-1)) / v.Mean
}

func (t *sheet) performance() {
	t.main(
		metric{"last receiver", "s", lower, last, nil},
		metric{"median receiver", "s", lower, func(r *Result) (float64, bool) {
			return r.Median.Seconds(), r.Median > 0
		}, nil},
		metric{"slowest hundredth by median (p99/p50)", "x", lower, func(r *Result) (float64, bool) {
			return r.P99.Seconds() / max(r.Median.Seconds(), 1e-9), r.Median > 0 && r.P99 > 0
		}, nil},
		metric{"first byte after", "s", lower, func(r *Result) (float64, bool) {
			return r.First.Seconds(), r.First > 0
		}, firstByte},
	)
	against := func(label string, best func(*Bound) time.Duration, of func(*Result) time.Duration) {
		for _, p := range []Place{InReal, InSim} {
			t.efficiency(label, p, best, of)
		}
	}
	least := func(b *Bound) time.Duration { return b.Last }
	against("of the best possible, last receiver", least, func(r *Result) time.Duration { return r.Last })
	against("the same, of the links' whole rates", func(b *Bound) time.Duration { return b.Raw }, func(r *Result) time.Duration { return r.Last })
	against("of the best possible, median receiver", least, func(r *Result) time.Duration { return r.Median })
}

// firstByte has milliseconds.
func firstByte(v float64) string {
	if v < 1 {
		return fmt.Sprintf("%.0f ms", 1000*v)
	}
	return spell(v, "s")
}

// efficiency puts T_bound by a time of the model's runs.
func (t *sheet) efficiency(label string, p Place, best func(*Bound) time.Duration, of func(*Result) time.Duration) {
	figures := map[Model]Figure{}
	for _, m := range t.models {
		b := t.bounds(m)
		if b == nil || best(b) == math.MaxInt64 {
			continue
		}
		k := metric{label, "%", higher, func(r *Result) (float64, bool) {
			return percentage(best(b).Seconds(), of(r).Seconds()), finished(r) && of(r) > 0
		}, func(v float64) string { return trimZeros(fmt.Sprintf("%.1f", v)) + " %" }}
		if f, ok := k.sum(Select(t.results, Main, p, m, 0), p); ok {
			figures[m] = f
		}
	}
	t.put(figures, higher)
}
