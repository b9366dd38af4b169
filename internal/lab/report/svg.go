package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panel is one plot.
type panel struct {
	name string // of its files, and of its place on the page
	alt  string // says in words what the plot says
	// draw draws the plot on a canvas. It may be asked for several sizes.
	draw func(c draw.Canvas)
	size format
	// phone is the size on a phone.
	phone format
}

// png returns the plot as a picture, for slides and mails.
func (p panel) png(dpi int) ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(p.size.w, p.size.h), vgimg.UseDPI(dpi))
	p.draw(air(draw.New(c)))
	var out bytes.Buffer
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&out)
	return out.Bytes(), err
}

// air leaves a margin.
func air(c draw.Canvas) draw.Canvas { return draw.Crop(c, 6, -6, 6, -6) }

// svg returns the plot as a file of its own, on white.
func (p panel) svg() ([]byte, error) {
	c := vgsvg.New(p.size.w, p.size.h)
	c.SetColor(surface.hex)
	c.Fill(vg.Rectangle{Max: vg.Point{X: p.size.w, Y: p.size.h}}.Path())
	text, err := drawn(c, p)
	if err != nil {
		return nil, err
	}
	head, rest, _ := strings.Cut(text, ">")
	return fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n%s role=\"img\">\n<title>%s</title>%s",
		head, escape(p.alt), rest), nil
}

// inline returns the plot as a part of the page, in its colours, without background. It
// stands alone for readers that do not see: one picture, described by alt.
func (p panel) inline(size format, class string) (string, error) {
	p.size = size
	text, err := drawn(vgsvg.New(size.w, size.h), p)
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(text, ">")
	rest = colour.ReplaceAllStringFunc(rest, named)
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">%s`,
		class, size.w.Points(), size.h.Points(), html.EscapeString(p.alt), rest), nil
}

// ruler is a canvas that keeps how wide each text was laid out.
type ruler struct {
	*vgsvg.Canvas
	widths []vg.Length
}

// FillString implements vg.Canvas.
func (r *ruler) FillString(face font.Face, at vg.Point, text string) {
	r.widths = append(r.widths, face.Width(text))
	r.Canvas.FillString(face, at, text)
}

// drawn returns the svg element of p on c, with fonts that machines have. Where they are
// wider than the one that the plot was laid out with, text is set closer.
func drawn(canvas *vgsvg.Canvas, p panel) (string, error) {
	c := &ruler{Canvas: canvas}
	p.draw(air(draw.New(c)))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return "", err
	}
	_, text, ok := strings.Cut(out.String(), "<svg")
	if !ok {
		return "", fmt.Errorf("plot %s: no svg element", p.name)
	}
	pieces := strings.Split(text, "<text ")
	for i, w := range c.widths {
		if i+1 < len(pieces) && w > 0 {
			pieces[i+1] = fmt.Sprintf(`textLength="%.4g" lengthAdjust="spacingAndGlyphs" %s`, w.Points(), pieces[i+1])
		}
	}
	text = strings.Join(pieces, "<text ")
	// Liberation Sans has the widths of Arial and Helvetica: close to what it was.
	text = strings.ReplaceAll(text, "font-family:Liberation Sans;font-variant:normal;", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
	return "<svg" + text, nil
}

var colour = regexp.MustCompile(`#[0-9A-F]{6}`)

// named returns the page's name for a colour of a plot. Opacity has rounded it by one.
func named(hex string) string {
	v, err := strconv.ParseUint(hex[1:], 16, 24)
	if err != nil {
		return hex
	}
	near := func(is uint8, shift int) bool {
		d := int(is) - int(v>>shift&0xff)
		return d >= -1 && d <= 1
	}
	for _, p := range paints() {
		if near(p.hex.R, 16) && near(p.hex.G, 8) && near(p.hex.B, 0) {
			return "var(" + p.name + ")"
		}
	}
	return hex
}

func escape(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a Builder takes everything
	return out.String()
}
