package report

import (
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"tandem/internal/lab"
)

// figure is one or several plots that show one thing, what to see in them, and the
// figures that they are drawn from.
type figure struct {
	name   string
	title  string
	see    string // one or two sentences: what the plots say
	key    string // how to read the marks
	panels []panel
	table  sheet
}

// sheet is a table of words: the figures beside a plot.
type sheet struct {
	head []string // of the columns; the first is that of the rows' names
	rows [][]string
}

// figures returns what the evidence suffices for, in the order a reader wants it.
func figures(e evidence) []figure {
	var out []figure
	for _, of := range []func(evidence) (figure, bool){completion, growth, givers, copies, costs, survival} {
		if f, ok := of(e); ok {
			out = append(out, f)
		}
	}
	return out
}

// plotted returns a panel that shows what make gives, with labels to its right.
func plotted(name, alt string, make func() chart, labels ends) panel {
	return panel{
		name: name, alt: alt, size: wide(), phone: narrow(),
		draw: func(c draw.Canvas) { make().draw(c, labels.room(), 0) },
	}
}

// points makes plotter's points of x and y, leaving out what cannot be shown.
func points(n int, at func(int) (x, y float64)) plotter.XYs {
	out := make(plotter.XYs, 0, n)
	for i := range n {
		x, y := at(i)
		if !math.IsNaN(x) && !math.IsNaN(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			out = append(out, plotter.XY{X: x, Y: y})
		}
	}
	return out
}

// path is a line through data, stepwise where it is a count.
type path struct {
	plotter.XYs
	draw.LineStyle
	step bool
}

// add puts l on p. Nothing is drawn of less than two points.
func (l path) add(p *plot.Plot) {
	if len(l.XYs) < 2 {
		return
	}
	pl := &plotter.Line{XYs: l.XYs, LineStyle: l.LineStyle}
	if l.step {
		pl.StepStyle = plotter.PostStep
	}
	p.Add(pl)
}

// dots puts l's mark at each of xys: filled for what was measured, hollow for what was
// simulated.
func dots(p *plot.Plot, xys plotter.XYs, l look, measured bool) {
	if len(xys) == 0 {
		return
	}
	if measured {
		p.Add(&plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: l.hex, Radius: 4.5, Shape: l.mark}})
		return
	}
	p.Add(&plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: surface.hex, Radius: 3.4, Shape: l.mark}},
		&plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: l.hex, Radius: 3.4, Shape: l.hollow()}})
}

// secs returns d in seconds, NaN for never.
func secs(d time.Duration) float64 {
	if d == never {
		return math.NaN()
	}
	return d.Seconds()
}

// how says how a run came about, in words for a heading.
func how(r *lab.Result) string { return string(tag(r.Run.Place)) }
