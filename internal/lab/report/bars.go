package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// filling tells bars apart without colour.
type filling int

const (
	solid filling = iota
	hatched
	framed
)

// bars are groups of columns, one of each series in each group. Each column has its
// figure above it and its series' short name below.
type bars struct {
	groups []string
	series []look
	value  [][]float64 // by series and group; NaN: there is none
	text   [][]string  // what stands above the columns
}

// foot is the room that the names below the columns take.
const foot = 15

// axes sets p's axes for b.
func (b bars) axes(p *plot.Plot) {
	p.X.Min, p.X.Max = -0.5, float64(len(b.groups))-0.5
	at := make([]plot.Tick, len(b.groups))
	for i, g := range b.groups {
		at[i] = plot.Tick{Value: float64(i), Label: g}
	}
	p.X.Tick.Marker = plot.ConstantTicks(at)
	p.X.Tick.Label = write(ink, labelSize, draw.XCenter, draw.YTop)
	p.X.Tick.Length, p.X.Width, p.X.Tick.Width = foot+2, 0, 0.01
	p.X.Tick.Color = surface.faded(0)
}

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	group := x(1) - x(0)
	wide := min(group*0.86/vg.Length(len(b.series)), 46)
	zero := y(0)
	c.StrokeLine2(draw.LineStyle{Color: muted.hex, Width: 0.75}, c.Min.X, zero, c.Max.X, zero)
	for s, l := range b.series {
		for g := range b.groups {
			v := b.value[s][g]
			if math.IsNaN(v) {
				continue
			}
			mid := x(float64(g)) + (vg.Length(s)-vg.Length(len(b.series)-1)/2)*wide
			box := vg.Rectangle{Min: vg.Point{X: mid - wide*0.42, Y: zero}, Max: vg.Point{X: mid + wide*0.42, Y: y(v)}}
			fillBar(c, box, l)
			size := vg.Length(tickSize)
			if bold(l.paint, size, draw.XCenter, draw.YBottom).Width(b.text[s][g]) > wide {
				size = 8
			}
			c.FillText(bold(l.paint, size, draw.XCenter, draw.YBottom), vg.Point{X: mid, Y: box.Max.Y + 3}, b.text[s][g])
			c.FillText(write(muted, 8.5, draw.XCenter, draw.YTop), vg.Point{X: mid, Y: zero - 3}, l.short)
		}
	}
}

// fillBar draws one column.
func fillBar(c draw.Canvas, box vg.Rectangle, l look) {
	size := box.Size()
	if size.Y < 0.5 { // a line where there is nothing to fill
		c.StrokeLine2(draw.LineStyle{Color: l.hex, Width: 1.5}, box.Min.X, box.Min.Y, box.Max.X, box.Min.Y)
		return
	}
	corners := []vg.Point{box.Min, {X: box.Max.X, Y: box.Min.Y}, box.Max, {X: box.Min.X, Y: box.Max.Y}, box.Min}
	switch l.fill {
	case solid:
		c.FillPolygon(l.hex, corners)
	case hatched:
		c.FillPolygon(l.faded(0.14), corners)
		const gap = 5
		for from := -size.Y; from < size.X; from += gap { // 45 degrees, cut at the box
			a, b := max(from, 0), min(from+size.Y, size.X)
			if b > a {
				c.StrokeLine2(draw.LineStyle{Color: l.hex, Width: 1}, box.Min.X+a, box.Min.Y+a-from, box.Min.X+b, box.Min.Y+b-from)
			}
		}
	default:
		c.FillPolygon(l.faded(0.14), corners)
	}
	c.StrokeLines(draw.LineStyle{Color: l.hex, Width: 1.25}, corners)
}

// shares draws bars from 0 to 100 %.
func shares(b bars, x, y string) chart {
	p := empty(x, y)
	zeroTo(&p.Y, []float64{0, 0.25, 0.5, 0.75, 1}, percent)
	p.Y.Max = 1.08
	b.axes(p.Plot)
	p.Add(grid(false), b)
	return p
}
