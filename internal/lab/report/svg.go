package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html"
	"strings"

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
func (p panel) png() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(p.size.w, p.size.h), vgimg.UseDPI(144))
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
	var swap []string
	for _, paint := range paints() {
		swap = append(swap, hex(paint), "var("+paint.name+")")
	}
	rest = strings.NewReplacer(swap...).Replace(rest)
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">%s`,
		class, size.w.Points(), size.h.Points(), html.EscapeString(p.alt), rest), nil
}

// drawn returns the svg element of p on c, with fonts that machines have.
func drawn(c *vgsvg.Canvas, p panel) (string, error) {
	p.draw(air(draw.New(c)))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return "", err
	}
	_, text, ok := strings.Cut(out.String(), "<svg")
	if !ok {
		return "", fmt.Errorf("plot %s: no svg element", p.name)
	}
	// Liberation Sans has the widths of Arial and Helvetica: the layout holds with any.
	text = strings.ReplaceAll(text, "font-family:Liberation Sans;font-variant:normal;", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
	return "<svg" + text, nil
}

func hex(p paint) string { return fmt.Sprintf("#%02X%02X%02X", p.hex.R, p.hex.G, p.hex.B) }

func escape(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a Builder takes everything
	return out.String()
}
