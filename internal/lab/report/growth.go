package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"tandem/internal/lab"
)

// growth is the time of the last receiver against the number of receivers.
func growth(e evidence) (figure, bool) {
	sizes := e.sizes()
	if len(sizes) < 2 {
		return figure{}, false
	}
	f := figure{
		name: "growth", title: "Time against the number of receivers",
		key:   "Dashed: the least time that the links allow. Line: simulated. Filled points: measured. Both axes are logarithmic: a straight rising line is growth in proportion.",
		table: growthTable(e, sizes),
	}
	f.see = crossing(e)
	var labels ends
	for _, m := range e.models {
		if at, ok := lastPoint(e, m); ok {
			labels = append(labels, label{at.X, at.Y, string(m), lookOf(m).paint})
		}
	}
	alt := "Time of the last receiver against the number of receivers, both logarithmic. " + f.see
	f.panels = []panel{plotted("growth", alt, func() chart { return drawGrowth(e, labels) }, labels)}
	return f, true
}

// sizes returns the numbers of receivers for which there are runs, ascending.
func (e evidence) sizes() []int {
	var out []int
	for _, w := range []lab.Place{lab.InBound, lab.InSim} {
		for _, m := range e.models {
			for _, r := range e.byN(w, m) {
				out = append(out, r.N)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// series returns the time of the last receiver against their number.
func (e evidence) series(w lab.Place, m lab.Model) plotter.XYs {
	runs := e.byN(w, m)
	return positive(points(len(runs), func(i int) (float64, float64) { return float64(runs[i].N), secs(last(runs[i])) }))
}

// positive leaves out what has no logarithm.
func positive(xys plotter.XYs) plotter.XYs {
	return slices.DeleteFunc(xys, func(p plotter.XY) bool { return p.X <= 0 || p.Y <= 0 })
}

// measured returns every real run, so that their spread shows.
func (e evidence) measured(m lab.Model) plotter.XYs {
	runs := append(e.of(lab.Main, lab.InReal, m), e.of(lab.Sweep, lab.InReal, m)...)
	return positive(points(len(runs), func(i int) (float64, float64) { return float64(runs[i].N), secs(last(runs[i])) }))
}

// lastPoint returns the right end of a model's line.
func lastPoint(e evidence, m lab.Model) (at plotter.XY, ok bool) {
	for _, w := range []lab.Place{lab.InSim, lab.InBound} {
		if xys := e.series(w, m); len(xys) > 0 {
			return xys[len(xys)-1], true
		}
	}
	return at, false
}

func drawGrowth(e evidence, labels ends) chart {
	p := empty("receivers", "time of the last receiver")
	var xs, ys []float64
	type drawn struct {
		xys  plotter.XYs
		draw func(plotter.XYs)
	}
	var all []drawn
	for _, m := range e.models {
		l := lookOf(m)
		all = append(all,
			drawn{e.series(lab.InBound, m), func(xys plotter.XYs) {
				path{xys, draw.LineStyle{Color: l.faded(0.75), Width: 1, Dashes: bounded()}, false}.add(p.Plot)
			}},
			drawn{e.series(lab.InSim, m), func(xys plotter.XYs) {
				path{xys, draw.LineStyle{Color: l.hex, Width: 2}, false}.add(p.Plot)
				dots(p.Plot, xys, l, false)
			}},
			drawn{e.measured(m), func(xys plotter.XYs) { dots(p.Plot, xys, l, true) }})
	}
	for _, d := range all {
		for _, at := range d.xys {
			xs, ys = append(xs, at.X), append(ys, at.Y)
		}
	}
	if !logScale(&p.X, xs, logCounts, count) || !logScale(&p.Y, ys, logTimes, short) {
		return p
	}
	p.Add(grid(true))
	if at := e.crossover(); at > max(p.X.Min, 1) && at < p.X.Max {
		p.Add(upright{label{at, 0, "peers cannot help up to " + number(at), muted}, dotted(), 1, false})
	}
	if at := overtaken(e); at > p.X.Min && at < p.X.Max {
		p.Add(upright{label{at, 0, "crossover: " + number(math.Ceil(at)), ink}, nil, 0, false})
	}
	for _, d := range all {
		d.draw(d.xys)
	}
	p.Add(labels)
	return p
}

// crossover returns u_s/d_min: up to so many receivers the origin alone feeds everybody's
// downlink, and peers cannot help. 0: not known.
func (e evidence) crossover() float64 {
	for _, m := range e.models {
		if b := e.bound(m); b != nil && b.Crossover > 0 {
			return b.Crossover
		}
	}
	return 0
}

// ahead is by how much peers have to be faster to count as faster.
const ahead = 1.05

// overtaken returns the number of receivers from which on the swarm is faster than the
// server by more than 5 %, between two that were run by interpolation; 0 where it is
// from the first one on, or never, or not known.
func overtaken(e evidence) float64 {
	at, ok := overtakenFrom(e)
	if !ok || at.first {
		return 0
	}
	return at.n
}

type overtake struct {
	n     float64
	first bool      // already at the least number that was run
	who   lab.Model // with whom the server was compared
	world lab.Place // by what evidence
}

func overtakenFrom(e evidence) (overtake, bool) {
	for _, w := range []lab.Place{lab.InSim, lab.InBound} {
		server := e.series(w, lab.ClientServer)
		for _, m := range []lab.Model{lab.Hybrid, lab.PeerToPeer} {
			ratios := quotients(server, e.series(w, m))
			if len(ratios) < 2 {
				continue
			}
			// From the right: a dip at few receivers must not hide where it tips for good.
			i := len(ratios)
			for i > 0 && ratios[i-1].Y > ahead {
				i--
			}
			switch {
			case i == len(ratios):
				return overtake{math.Inf(1), false, m, w}, true
			case i == 0:
				return overtake{ratios[0].X, true, m, w}, true
			}
			a, b := ratios[i-1], ratios[i]
			share := (math.Log(ahead) - math.Log(a.Y)) / (math.Log(b.Y) - math.Log(a.Y))
			return overtake{math.Exp(math.Log(a.X) + share*(math.Log(b.X)-math.Log(a.X))), false, m, w}, true
		}
	}
	return overtake{}, false
}

// quotients returns a/b where both are known.
func quotients(a, b plotter.XYs) plotter.XYs {
	var out plotter.XYs
	for _, p := range a {
		if i := slices.IndexFunc(b, func(q plotter.XY) bool { return q.X == p.X }); i >= 0 {
			out = append(out, plotter.XY{X: p.X, Y: p.Y / b[i].Y})
		}
	}
	return out
}

// crossing says from how many receivers on peers are faster.
func crossing(e evidence) string {
	at, ok := overtakenFrom(e)
	if !ok {
		return "How the time grows with the number of receivers."
	}
	how := map[lab.Place]string{lab.InSim: "simulated", lab.InBound: "by the bounds"}[at.world]
	switch {
	case at.first:
		return fmt.Sprintf("With %s or more, %s is faster than client-server by more than 5 %% (%s).", plural(int(at.n), "receiver"), at.who, how)
	case math.IsInf(at.n, 1):
		return fmt.Sprintf("At no number of receivers that was tried is %s faster than client-server by more than 5 %% (%s).", at.who, how)
	}
	return fmt.Sprintf("From %s on, %s is faster than client-server by more than 5 %% (%s); with fewer, a server alone is as fast.",
		plural(int(math.Ceil(at.n)), "receiver"), at.who, how)
}

func growthTable(e evidence, sizes []int) sheet {
	t := sheet{head: []string{"Receivers"}}
	type column struct {
		m lab.Model
		w lab.Place
	}
	var columns []column
	for _, m := range e.models {
		for _, w := range lab.Places() {
			if len(e.byN(w, m)) > 0 {
				columns = append(columns, column{m, w})
				t.head = append(t.head, fmt.Sprintf("%s, %s", m, tag(w)))
			}
		}
	}
	for _, n := range sizes {
		row := []string{grouped(int64(n))}
		for _, c := range columns {
			text := ""
			if i := slices.IndexFunc(e.byN(c.w, c.m), func(r *lab.Result) bool { return r.N == n }); i >= 0 {
				text = lastOf(e.byN(c.w, c.m)[i])
			}
			row = append(row, text)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// lastOf says when the last receiver finished, or how many did.
func lastOf(r *lab.Result) string {
	if r.Bound == nil && r.Done < r.N {
		return fmt.Sprintf("%s of %s", grouped(int64(r.Done)), grouped(int64(r.N)))
	}
	return seconds(last(r))
}
