package report

import (
	"image/color"
	"math"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tandem/internal/lab"
)

// paint is a colour that the page knows by a name, so that it can be another one in the
// dark.
type paint struct {
	hex  color.NRGBA
	name string // of the page's custom property
}

// The paints. Those of the models are Okabe and Ito's blue, vermilion and green, darker
// so that text in them can be read on white.
var (
	ink     = paint{rgb(0x1c, 0x1f, 0x23), "--text"}
	muted   = paint{rgb(0x5a, 0x62, 0x6c), "--muted"}
	line    = paint{rgb(0xe3, 0xe0, 0xda), "--line"}
	surface = paint{rgb(0xff, 0xff, 0xff), "--surface"}
	blue    = paint{rgb(0x00, 0x6a, 0xa6), "--client-server"}
	orange  = paint{rgb(0xb8, 0x4f, 0x00), "--peer-to-peer"}
	green   = paint{rgb(0x00, 0x79, 0x5a), "--hybrid"}
)

func paints() []paint { return []paint{ink, muted, line, surface, blue, orange, green} }

func rgb(r, g, b uint8) color.NRGBA { return color.NRGBA{R: r, G: g, B: b, A: 255} }

// faded returns p with an opacity of 0 to 1.
func (p paint) faded(opacity float64) color.NRGBA {
	c := p.hex
	c.A = uint8(math.Round(255 * min(max(opacity, 0), 1)))
	return c
}

// look is how a model is drawn: told apart by colour, and as well by dashes, by marks
// and by filling.
type look struct {
	paint
	dashes []vg.Length
	mark   draw.GlyphDrawer
	fill   filling
	short  string // where there is little room
}

func lookOf(m lab.Model) look {
	switch m {
	case lab.ClientServer:
		return look{blue, nil, draw.BoxGlyph{}, solid, "C-S"}
	case lab.PeerToPeer:
		return look{orange, []vg.Length{7, 3}, draw.PyramidGlyph{}, hatched, "P2P"}
	}
	return look{green, []vg.Length{1.5, 2.5}, draw.CircleGlyph{}, framed, "Hyb"}
}

// stroke returns the line of a model, width points wide.
func (l look) stroke(width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: l.hex, Width: width, Dashes: l.dashes}
}

// format is the size of a plot in points: wide for a page and for the files, narrow for
// a phone.
type format struct{ w, h vg.Length }

func wide() format   { return format{640, 330} }
func narrow() format { return format{350, 330} }

// small is for one of several plots side by side.
func small() format { return format{260, 245} }

// write returns the style of text.
func write(p paint, size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color: p.hex, Font: plotfont.From(plotfont.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler,
	}
}

// bold is write for what has to be found first.
func bold(p paint, size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	s := write(p, size, x, y)
	s.Font.Weight = font.WeightBold
	return s
}

const (
	labelSize = 10.5
	tickSize  = 10
)

// chart is a plot with words above it: what it is of, and what its upright axis counts,
// written level, as people read.
type chart struct {
	*plot.Plot
	heading string
	paint   // of the heading
	yName   string
}

// empty returns a chart without data in the house's style.
func empty(xName, yName string) chart {
	p := plot.New()
	p.BackgroundColor = nil // svg and png put theirs
	p.X.Label.Text = xName
	p.X.Label.TextStyle = write(muted, labelSize, draw.XCenter, draw.YBottom)
	p.X.Tick.Label = write(muted, tickSize, draw.XCenter, draw.YTop)
	p.Y.Tick.Label = write(muted, tickSize, draw.XRight, draw.YCenter)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding, a.Label.Padding = 0, 5
		a.Color, a.Width = muted.hex, 0.75
		a.Tick.Color, a.Tick.Width, a.Tick.Length = muted.hex, 0.75, 4
	}
	p.Y.Width, p.Y.Tick.Width, p.Y.Tick.Length = 0, 0, 4 // the grid does it
	return chart{Plot: p, yName: yName}
}

// below returns what is left of c for the data, under the words.
func (ch chart) below(c draw.Canvas) draw.Canvas {
	top := vg.Length(8)
	if ch.heading != "" {
		top += 18
	}
	if ch.yName != "" {
		top += 16
	}
	return draw.Crop(c, 0, 0, 0, -top)
}

// draw draws the words, and the plot below them. right and top are what is
// kept free beside the data and above it, for labels.
func (ch chart) draw(c draw.Canvas, right, top vg.Length) {
	at := vg.Point{X: c.Min.X, Y: c.Max.Y}
	if ch.heading != "" {
		c.FillText(bold(ch.paint, 11.5, draw.XLeft, draw.YTop), at, ch.heading)
		at.Y -= 18
	}
	c.FillText(write(muted, labelSize, draw.XLeft, draw.YTop), at, ch.yName)
	ch.Draw(draw.Crop(ch.below(c), 0, -right, 0, -top))
}

// bounded are the dashes of what theory says, dotted those of a mark.
func bounded() []vg.Length { return []vg.Length{5, 3} }
func dotted() []vg.Length  { return []vg.Length{1.5, 2.5} }

// hollow is the mark of what was simulated: the outline of the one that stands for what
// was measured.
func (l look) hollow() draw.GlyphDrawer {
	switch l.mark.(type) {
	case draw.PyramidGlyph:
		return draw.TriangleGlyph{}
	case draw.BoxGlyph:
		return draw.SquareGlyph{}
	}
	return draw.RingGlyph{}
}
