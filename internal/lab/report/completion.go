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

// curve is how the receivers of one run finished.
type curve struct {
	*lab.Result
	look
	main bool // the best evidence of its model
}

// completion is the share of receivers that have finished against time, a curve for each
// model.
func completion(e evidence) (figure, bool) {
	progressed := func(r *lab.Result) bool { return len(finishes(r)) > 0 }
	var curves []curve
	for _, m := range e.models {
		r := e.best(m, progressed)
		if r == nil {
			continue
		}
		if s := e.typical(lab.InSim, m); r.Run.Place == lab.InReal && s != nil && progressed(s) {
			curves = append(curves, curve{s, lookOf(m), false})
		}
		curves = append(curves, curve{r, lookOf(m), true})
	}
	if len(curves) == 0 {
		return figure{}, false
	}
	f := figure{
		name: "completion", title: "Who has it when",
		see:   seenInCurves(curves),
		key:   "Each curve ends where its last receiver has finished; ▼ on the axis is the least time that the links allow.",
		table: curveTable(curves),
	}
	if slices.ContainsFunc(curves, func(c curve) bool { return !c.main }) {
		f.key += " Bold: measured. Thin: simulated."
	}
	for _, m := range e.models {
		none := func(r *lab.Result) bool { return r.N > 0 && r.Done == 0 }
		if r := e.best(m, none); r != nil && !slices.ContainsFunc(curves, func(c curve) bool { return c.Run.Model == m }) {
			f.see += fmt.Sprintf(" %s: nobody ever has it (%s).", title(m), how(r))
		}
	}
	f.panels = []panel{{
		name: "completion", alt: "Share of receivers that have finished against time. " + f.see,
		size: wide(), phone: narrow(),
		draw: func(c draw.Canvas) { drawCurves(c, e, curves) },
	}}
	return f, true
}

// finishes returns the progress of r from the first receiver that finished on.
func finishes(r *lab.Result) []lab.Point {
	i := slices.IndexFunc(r.Progress, func(p lab.Point) bool { return p.N > 0 })
	if i < 0 || r.N <= 0 {
		return nil
	}
	return r.Progress[i:]
}

// end returns when a curve ends: its last finish, or else the end of the run.
func (c curve) end() time.Duration {
	if c.Done == c.N {
		return max(c.Last, c.Progress[len(c.Progress)-1].At)
	}
	return max(c.Took, c.Progress[len(c.Progress)-1].At)
}

// xys returns the curve from when the first receiver finished, within an axis that begins
// at from.
func (c curve) xys(from float64) plotter.XYs {
	progress := finishes(c.Result)
	n := len(progress)
	return points(n+2, func(i int) (float64, float64) {
		switch i {
		case 0:
			return max(progress[0].At.Seconds(), from), 0
		case n + 1:
			return c.end().Seconds(), float64(progress[n-1].N) / float64(c.N)
		}
		return max(progress[i-1].At.Seconds(), from), float64(progress[i-1].N) / float64(c.N)
	})
}

// drawCurves draws on a linear clock, or on a logarithmic one where the slowest model
// takes so long that the others could not be told apart.
func drawCurves(c draw.Canvas, e evidence, curves []curve) {
	p := empty("time since the first receiver started", "receivers that have it")
	low, high := math.Inf(1), 0.0
	for _, cv := range curves {
		low = min(low, max(finishes(cv.Result)[0].At.Seconds(), 1e-3))
		high = max(high, cv.end().Seconds(), 1e-3)
	}
	from := 0.0
	if high > 6*low {
		logScale(&p.X, []float64{low / 1.2, high}, logTimes, short)
		from = p.X.Min
	} else {
		zeroTo(&p.X, clockSteps(high, fit(c, 70)), short)
		p.X.Max = high * 1.02
	}
	zeroTo(&p.Y, []float64{0, 0.25, 0.5, 0.75, 1}, percent)
	p.Add(grid(false))
	var tops flags
	for _, cv := range curves {
		stroke := cv.stroke(2.25)
		if !cv.main {
			stroke.Width = 0.9
			stroke.Color = cv.faded(0.8)
		}
		path{cv.xys(from), stroke, cv.N <= 12}.add(p.Plot)
		if cv.main {
			tops = append(tops, cv.flag())
		}
	}
	for _, m := range e.models {
		if b := e.bound(m); b != nil && b.Last.Seconds() > from && b.Last.Seconds() <= p.X.Max {
			p.Add(&plotter.Scatter{
				XYs:        plotter.XYs{{X: b.Last.Seconds(), Y: 0}},
				GlyphStyle: draw.GlyphStyle{Color: lookOf(m).hex, Radius: 4, Shape: valley{}},
			})
		}
	}
	p.Add(tops)
	p.draw(c, 10, tops.height(p.below(c), p.Plot))
}

func (c curve) flag() label {
	text := fmt.Sprintf("%s %s", c.Run.Model, seconds(c.Last))
	at := c.end().Seconds()
	if c.Done < c.N {
		text = fmt.Sprintf("%s: %d of %d", c.Run.Model, c.Done, c.N)
	}
	return label{at, float64(c.Done) / float64(c.N), text, c.paint}
}

func seenInCurves(curves []curve) string {
	var out string
	for _, c := range curves {
		if !c.main {
			continue
		}
		if c.Done == c.N {
			out += fmt.Sprintf("%s: half have it after %s, all after %s (%s). ", title(c.Run.Model), seconds(reached(c.Result, 0.5)), seconds(c.Last), how(c.Result))
		} else {
			out += fmt.Sprintf("%s: %d of %s ever have it (%s). ", title(c.Run.Model), c.Done, plural(c.N, "receiver"), how(c.Result))
		}
	}
	return out[:len(out)-1]
}

// reached returns when a share of the receivers had finished, never where they had not.
func reached(r *lab.Result, share float64) time.Duration {
	want := int(math.Ceil(share * float64(r.N)))
	for _, p := range r.Progress {
		if p.N >= want {
			return p.At
		}
	}
	return never
}

func curveTable(curves []curve) sheet {
	t := sheet{head: []string{"Receivers that have it"}}
	for _, c := range curves {
		t.head = append(t.head, fmt.Sprintf("%s, %s", c.Run.Model, how(c.Result)))
	}
	for _, share := range []float64{0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1} {
		row := []string{percent(share)}
		for _, c := range curves {
			row = append(row, seconds(reached(c.Result, share)))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// fit returns how many marks fit on an axis as wide as c.
func fit(c draw.Canvas, each float64) int {
	return max(int((c.Max.X-c.Min.X).Points()/each), 2)
}
