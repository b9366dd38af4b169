package report

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// label is text beside a point of the data.
type label struct {
	x, y float64
	text string
	paint
}

// ends writes labels to the right of the data, each as near to its own height as the
// others leave room for.
type ends []label

const (
	endGap  = 7  // points between data and label
	endLine = 13 // points from label to label
)

// room returns how wide the labels are.
func (e ends) room() vg.Length {
	var most vg.Length
	for _, l := range e {
		most = max(most, bold(l.paint, labelSize, draw.XLeft, draw.YCenter).Width(l.text))
	}
	if most > 0 {
		most += endGap + 4
	}
	return most
}

// Plot implements plot.Plotter.
func (e ends) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	at := make([]vg.Length, len(e))
	sorted := slices.SortedStableFunc(slices.Values(e), func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i, l := range sorted {
		at[i] = min(max(y(l.y), c.Min.Y+endLine/2), c.Max.Y)
		if i > 0 {
			at[i] = max(at[i], at[i-1]+endLine)
		}
	}
	if n := len(at); n > 0 { // what was pushed out at the top pushes the others down
		at[n-1] = min(at[n-1], c.Max.Y)
		for i := n - 2; i >= 0; i-- {
			at[i] = min(at[i], at[i+1]-endLine)
		}
	}
	for i, l := range sorted {
		style := bold(l.paint, labelSize, draw.XLeft, draw.YCenter)
		c.FillText(style, vg.Point{X: c.Max.X + endGap, Y: at[i]}, l.text)
	}
}

// flags writes labels above the data, each over its own place, with a line down to it;
// those that would cover each other stand in rows.
type flags []label

const flagLine = 14

// rows returns the row of each flag, 0 the lowest, and how many rows there are, for data
// that is wide points wide and an axis from 0 to high.
func (f flags) rows(place func(float64) vg.Length, left, right vg.Length) (row []int, from []vg.Length, n int) {
	row, from = make([]int, len(f)), make([]vg.Length, len(f))
	type span struct{ from, to vg.Length }
	var taken [][]span
	for i, l := range f {
		wide := bold(l.paint, labelSize, draw.XLeft, draw.YBottom).Width(l.text)
		at := place(l.x)
		from[i] = max(min(at-wide/2, right-wide), left)
		me := span{from[i] - 8, from[i] + wide + 8}
		me.from, me.to = min(me.from, at-3), max(me.to, at+3)
		for row[i] = 0; row[i] < len(taken); row[i]++ {
			if !slices.ContainsFunc(taken[row[i]], func(s span) bool { return s.from < me.to && me.from < s.to }) {
				break
			}
		}
		if row[i] == len(taken) {
			taken = append(taken, nil)
		}
		for r := range row[i] + 1 { // the line down takes room in the rows below
			taken[r] = append(taken[r], span{at - 3, at + 3})
		}
		taken[row[i]] = append(taken[row[i]], me)
	}
	return row, from, len(taken)
}

// height returns how much room above the data the flags of p need on c.
func (f flags) height(c draw.Canvas, p *plot.Plot) vg.Length {
	inner := p.DataCanvas(c)
	x, _ := p.Transforms(&inner)
	_, _, n := f.rows(x, inner.Min.X, inner.Max.X)
	return vg.Length(n)*flagLine + 8
}

// Plot implements plot.Plotter.
func (f flags) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	row, from, _ := f.rows(x, c.Min.X, c.Max.X)
	for i, l := range f {
		top := c.Max.Y + 6 + vg.Length(row[i])*flagLine
		c.StrokeLine2(draw.LineStyle{Color: l.faded(0.7), Width: 0.75}, x(l.x), y(l.y), x(l.x), top)
		c.FillText(bold(l.paint, labelSize, draw.XLeft, draw.YBottom), vg.Point{X: from[i], Y: top}, l.text)
	}
}

// upright is a line across the whole height at x, with a word beside its top, in the row
// that is free.
type upright struct {
	label
	dashes []vg.Length
	row    int
	left   bool // of the line
}

// Plot implements plot.Plotter.
func (u upright) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	at := x(u.x)
	if at < c.Min.X-0.5 || at > c.Max.X+0.5 {
		return
	}
	c.StrokeLine2(draw.LineStyle{Color: u.hex, Width: 1, Dashes: u.dashes}, at, c.Min.Y, at, c.Max.Y)
	style, to := write(u.paint, tickSize, draw.XLeft, draw.YTop), vg.Point{X: at + 4, Y: c.Max.Y - 2 - vg.Length(u.row)*endLine}
	if wide := style.Width(u.text); to.X+wide > c.Max.X || u.left && at-4-wide > c.Min.X {
		style.XAlign, to.X = draw.XRight, at-4
	}
	c.FillText(style, to, u.text)
}

// valley is a triangle that stands on its point.
type valley struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (valley) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius
	c.FillPolygon(s.Color, []vg.Point{{X: at.X - r, Y: at.Y + 2*r}, {X: at.X + r, Y: at.Y + 2*r}, at})
}
