package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"tandem/internal/lab"
)

// copies is how many receivers hold a piece against time: on average, and the rarest.
func copies(e evidence) (figure, bool) {
	f := figure{
		name: "copies", title: "Copies of each piece over time",
		key:   "Thick: the mean piece. Thin: the rarest, which decides whether anything can be lost. The time of each model is its own.",
		table: sheet{head: []string{"Share of the run"}},
	}
	var runs []*lab.Result
	most := 1.0
	for _, m := range e.models {
		if r := e.best(m, func(r *lab.Result) bool { return len(r.Copies) > 1 }); r != nil {
			runs = append(runs, r)
			for _, c := range r.Copies {
				most = max(most, c.Mean, float64(c.Min))
			}
			f.table.head = append(f.table.head, fmt.Sprintf("%s, %s: rarest", m, how(r)), "mean")
		}
	}
	if len(runs) == 0 {
		return figure{}, false
	}
	var out []string
	for _, r := range runs {
		if r.OneOut > 0 {
			out = append(out, fmt.Sprintf("%s after %s", r.Run.Model, seconds(r.OneOut)))
		}
		alt := fmt.Sprintf("Copies per piece over time with %s, %s. %s", r.Run.Model, how(r), copiesIn(r))
		pl := plotted("copies-"+string(r.Run.Model), alt, func() chart { return drawCopies(r, most) }, nil)
		pl.size, pl.phone = small(), small()
		f.panels = append(f.panels, pl)
	}
	f.see = "When every piece is out once, the content no longer hangs on the origin alone."
	if len(out) > 0 {
		f.see += " One copy is out: " + list(out) + "."
	}
	for _, share := range []float64{0.1, 0.25, 0.5, 0.75, 1} {
		row := []string{percent(share)}
		for _, r := range runs {
			c := r.Copies[int(math.Round(share*float64(len(r.Copies)-1)))]
			row = append(row, grouped(int64(c.Min)), number(c.Mean))
		}
		f.table.rows = append(f.table.rows, row)
	}
	return f, true
}

func copiesIn(r *lab.Result) string {
	half := r.Copies[len(r.Copies)/2]
	return fmt.Sprintf("Half way, the mean piece has %s copies and the rarest %d.", number(half.Mean), half.Min)
}

func drawCopies(r *lab.Result, most float64) chart {
	l := lookOf(r.Run.Model)
	p := empty("time", "receivers that hold a piece")
	p.heading, p.paint = string(r.Run.Model)+", "+how(r), l.paint
	zeroTo(&p.Y, steps(most, 5), count)
	end := max(r.Copies[len(r.Copies)-1].At.Seconds(), 1e-3)
	zeroTo(&p.X, clockSteps(end, 4), short)
	p.X.Max = end * 1.02
	p.Add(grid(false))
	n := len(r.Copies)
	mean := points(n, func(i int) (float64, float64) { return r.Copies[i].At.Seconds(), r.Copies[i].Mean })
	low := points(n, func(i int) (float64, float64) { return r.Copies[i].At.Seconds(), float64(r.Copies[i].Min) })
	if len(mean) == n { // what lies between the two
		back := slices.Clone(low)
		slices.Reverse(back)
		if area, err := plotter.NewPolygon(append(slices.Clone(mean), back...)); err == nil {
			area.Color, area.Width = l.faded(0.12), 0
			p.Add(area)
		}
	}
	path{mean, draw.LineStyle{Color: l.hex, Width: 2.25}, false}.add(p.Plot)
	path{low, draw.LineStyle{Color: l.hex, Width: 1, Dashes: bounded()}, true}.add(p.Plot)
	if r.OneOut > 0 {
		crossed := slices.ContainsFunc(r.Killed, func(k time.Duration) bool { return k >= r.OneOut })
		p.Add(upright{label{r.OneOut.Seconds(), 0, "one copy out", muted}, dotted(), 0, crossed})
	}
	for _, k := range r.Killed {
		p.Add(upright{label{k.Seconds(), 0, "kill", ink}, nil, 1, false})
	}
	return p
}
