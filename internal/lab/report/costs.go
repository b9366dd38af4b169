package report

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"tandem/internal/lab"
)

// bill is what a transfer to n receivers costs.
type bill struct {
	n               int
	operator, peers float64
}

// bills returns what m costs against the number of receivers: simulated, or else by the
// bounds where these say who gave how much.
func (e evidence) bills(m lab.Model) []bill {
	for _, w := range []lab.Place{lab.InSim, lab.InBound} {
		var out []bill
		for _, r := range e.byN(w, m) {
			if r.FromOrigin+r.FromPeers == 0 || r.Done < r.N && w != lab.InBound {
				continue
			}
			operator, peers := lab.Cost(e.Scenario, m, r.FromOrigin, r.FromPeers, max(r.Took, r.Last))
			out = append(out, bill{r.N, operator, peers})
		}
		if len(out) > 1 {
			return out
		}
	}
	return nil
}

// costs is what the operator and the receivers pay against the number of receivers.
func costs(e evidence) (figure, bool) {
	all := make(map[lab.Model][]bill)
	var labels ends
	shared, free := false, true
	for _, m := range e.models {
		if b := e.bills(m); len(b) > 0 {
			all[m] = b
			end := b[len(b)-1]
			labels = append(labels, label{float64(end.n), end.operator, string(m), lookOf(m).paint})
			shared = shared || slices.ContainsFunc(b, func(b bill) bool { return b.peers > 0 })
			free = free && !slices.ContainsFunc(b, func(b bill) bool { return b.operator+b.peers > 0 })
		}
	}
	if len(all) == 0 || free { // a line of zeros says nothing
		return figure{}, false
	}
	f := figure{
		name: "cost", title: "Cost against the number of receivers",
		see: seenInCosts(e, all), key: "Line: what the operator pays.", table: costTable(e, all),
	}
	if shared {
		f.key += " Dotted: operator and receivers together."
	} else {
		f.key += " Receivers pay nothing in this scenario: their bytes have no price."
	}
	alt := "Dollars against the number of receivers, both logarithmic. " + f.see
	f.panels = []panel{plotted("cost", alt, func() chart { return drawCosts(e, all, labels) }, labels)}
	return f, true
}

func drawCosts(e evidence, all map[lab.Model][]bill, labels ends) chart {
	p := empty("receivers", "dollars for one transfer to all")
	var xs, ys []float64
	for _, m := range e.models {
		for _, b := range all[m] {
			xs, ys = append(xs, float64(b.n)), append(ys, b.operator, b.operator+b.peers)
		}
	}
	if !logScale(&p.X, xs, logCounts, count) || !logScale(&p.Y, ys, logCounts, dollarTick) {
		return p
	}
	p.Add(grid(true))
	for _, m := range e.models {
		b, l := all[m], lookOf(m)
		total := positive(points(len(b), func(i int) (float64, float64) { return float64(b[i].n), b[i].operator + b[i].peers }))
		own := positive(points(len(b), func(i int) (float64, float64) { return float64(b[i].n), b[i].operator }))
		if !slices.Equal([]plotter.XY(total), []plotter.XY(own)) {
			path{total, draw.LineStyle{Color: l.faded(0.8), Width: 1.25, Dashes: dotted()}, false}.add(p.Plot)
		}
		path{own, draw.LineStyle{Color: l.hex, Width: 2}, false}.add(p.Plot)
		dots(p.Plot, own, l, false)
	}
	p.Add(labels)
	return p
}

func dollarTick(v float64) string { return "$" + count(v) }

// seenInCosts compares the models at the largest number that all were run with.
func seenInCosts(e evidence, all map[lab.Model][]bill) string {
	n := 0
	for _, b := range all[e.models[0]] {
		common := true
		for _, m := range e.models {
			common = common && slices.ContainsFunc(all[m], func(o bill) bool { return o.n == b.n })
		}
		if common {
			n = max(n, b.n)
		}
	}
	if n == 0 {
		return "What the operator pays, and what everybody pays together."
	}
	var parts []string
	for _, m := range e.models {
		i := slices.IndexFunc(all[m], func(o bill) bool { return o.n == n })
		parts = append(parts, fmt.Sprintf("%s costs the operator %s", m, dollars(all[m][i].operator)))
	}
	return fmt.Sprintf("With %s, %s.", plural(n, "receiver"), list(parts))
}

func costTable(e evidence, all map[lab.Model][]bill) sheet {
	t := sheet{head: []string{"Receivers"}}
	var sizes []int
	for _, m := range e.models {
		if len(all[m]) == 0 {
			continue
		}
		t.head = append(t.head, string(m)+", operator", string(m)+", receivers")
		for _, b := range all[m] {
			sizes = append(sizes, b.n)
		}
	}
	slices.Sort(sizes)
	for _, n := range slices.Compact(sizes) {
		row := []string{grouped(int64(n))}
		for _, m := range e.models {
			if len(all[m]) == 0 {
				continue
			}
			operator, peers := "", ""
			if i := slices.IndexFunc(all[m], func(o bill) bool { return o.n == n }); i >= 0 {
				operator, peers = dollars(all[m][i].operator), dollars(all[m][i].peers)
			}
			row = append(row, operator, peers)
		}
		t.rows = append(t.rows, row)
	}
	return t
}
