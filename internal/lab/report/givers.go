package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// givers is who gave how much to whom: a matrix for few nodes, columns for many.
func givers(e evidence) (figure, bool) {
	var runs []*lab.Result
	for _, m := range e.models {
		if r := e.best(m, func(r *lab.Result) bool { return len(r.Pairs) > 0 && len(r.Nodes) > 0 }); r != nil {
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 {
		return contributions(e)
	}
	f := figure{
		name: "givers", title: "Who gave to whom",
		see:   seenInGivers(runs),
		key:   "One row for each node that gave, one column for each that took; the first is the origin. The darker, the more; figures, where there is room, are MiB.",
		table: giverTable(runs),
	}
	most := int64(1)
	for _, r := range runs {
		for _, p := range r.Pairs {
			most = max(most, p.Bytes)
		}
	}
	for _, r := range runs {
		alt := fmt.Sprintf("Matrix of who gave to whom with %s, %s. Origin: %s of all bytes.", r.Run.Model, how(r), percent(fromOrigin(r)))
		pl := plotted("givers-"+string(r.Run.Model), alt, func() chart { return drawMatrix(r, most) }, nil)
		pl.size, pl.phone = small(), small()
		f.panels = append(f.panels, pl)
	}
	return f, true
}

func fromOrigin(r *lab.Result) float64 {
	all := r.FromOrigin + r.FromPeers
	if all == 0 {
		return math.NaN()
	}
	return float64(r.FromOrigin) / float64(all)
}

func seenInGivers(runs []*lab.Result) string {
	var parts []string
	for _, r := range runs {
		parts = append(parts, fmt.Sprintf("%s with %s", percent(fromOrigin(r)), r.Run.Model))
	}
	return "Of all bytes the origin gave " + list(parts) + "; receivers gave the rest to each other."
}

// matrix is a square field of figures, one for each giver and taker.
type matrix struct {
	n     int
	bytes []int64 // by giver * n + taker
	most  int64
	look
}

func drawMatrix(r *lab.Result, most int64) chart {
	l := lookOf(r.Run.Model)
	m := matrix{len(r.Nodes), nil, most, l}
	for _, p := range r.Pairs {
		m.n = max(m.n, p.From+1, p.To+1)
	}
	m.bytes = make([]int64, m.n*m.n)
	for _, p := range r.Pairs {
		if p.From >= 0 && p.To >= 0 {
			m.bytes[p.From*m.n+p.To] += p.Bytes
		}
	}
	p := empty("took", "gave")
	p.heading, p.paint = string(r.Run.Model)+", "+how(r), l.paint
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(m.n)-0.5, -0.5, float64(m.n)-0.5
	p.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}}
	var ticks []plot.Tick
	each := max(1, m.n/9)
	for i := range m.n {
		switch {
		case i < len(r.Nodes) && r.Nodes[i].Origin:
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: "origin"})
		case i%each == 0:
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: strconv.Itoa(i)})
		}
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	across := slices.Clone(ticks)
	for i := range across {
		across[i].Label = strings.Replace(across[i].Label, "origin", "o", 1)
	}
	p.X.Tick.Marker = plot.ConstantTicks(across)
	p.X.Width, p.X.Tick.Width, p.Y.Tick.Width = 0, 0, 0
	p.Add(m)
	return p
}

// shade is how dark a figure is: its square root, so that a little can be told from
// nothing beside an origin that gave the most.
func (m matrix) shade(bytes int64) float64 {
	if bytes <= 0 {
		return 0
	}
	return 0.08 + 0.92*math.Sqrt(float64(bytes)/float64(m.most))
}

// Plot implements plot.Plotter.
func (m matrix) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	w, h := x(1)-x(0), y(0)-y(1)
	c.FillPolygon(line.faded(0.3), []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	const written = 9 // nodes, at most, for figures to be readable
	for from := range m.n {
		for to := range m.n {
			mid := vg.Point{X: x(float64(to)), Y: y(float64(from))}
			bytes := m.bytes[from*m.n+to]
			dark := m.shade(bytes)
			fill := m.faded(dark)
			switch {
			case from == to:
				fill = line.hex
			case bytes <= 0:
				continue // the ground shows
			}
			gap := min(w, h) * 0.05
			a, b := vg.Point{X: mid.X - w/2 + gap, Y: mid.Y - h/2 + gap}, vg.Point{X: mid.X + w/2 - gap, Y: mid.Y + h/2 - gap}
			c.FillPolygon(fill, []vg.Point{a, {X: b.X, Y: a.Y}, b, {X: a.X, Y: b.Y}})
			if m.n <= written && bytes > 0 {
				in := ink
				if dark > 0.68 {
					in = surface
				}
				c.FillText(write(in, min(9.5, w*0.42), draw.XCenter, draw.YCenter), mid, mib(bytes))
			}
		}
	}
}

// mib writes bytes as MiB in little room.
func mib(bytes int64) string {
	v := float64(bytes) / (1 << 20)
	switch {
	case v >= 99.5:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v < 0.05:
		return "·"
	case v == math.Trunc(v) || v >= 9.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func giverTable(runs []*lab.Result) sheet {
	t := sheet{head: []string{"Node"}}
	most := 0
	for _, r := range runs {
		t.head = append(t.head, fmt.Sprintf("%s: gave", r.Run.Model), "took")
		most = max(most, len(r.Nodes))
	}
	for i := range most {
		row := []string{""}
		for _, r := range runs {
			if i >= len(r.Nodes) {
				row = append(row, "", "")
				continue
			}
			row[0] = clean(r.Nodes[i].Name, 30)
			row = append(row, units.Bytes(r.Nodes[i].Gave), units.Bytes(r.Nodes[i].Took))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// contributions is what origins and receivers gave, where there are too many for a
// matrix.
func contributions(e evidence) (figure, bool) {
	b := bars{groups: []string{"given by origins", "given by receivers"}}
	f := figure{name: "givers", title: "Who gave", table: sheet{head: []string{"", "origins", "receivers", "least of a receiver", "median", "most"}}}
	var runs []*lab.Result
	for _, m := range e.models {
		r := e.best(m, func(r *lab.Result) bool { return r.FromOrigin+r.FromPeers > 0 })
		if r == nil {
			continue
		}
		runs = append(runs, r)
		share := fromOrigin(r)
		b.series = append(b.series, lookOf(m))
		b.value = append(b.value, []float64{share, 1 - share})
		b.text = append(b.text, []string{bare(share), bare(1 - share)})
		f.table.rows = append(f.table.rows, append([]string{
			fmt.Sprintf("%s, %s", m, how(r)), units.Bytes(r.FromOrigin), units.Bytes(r.FromPeers),
		}, receiversGave(r)...))
	}
	if len(runs) == 0 {
		return figure{}, false
	}
	f.see = seenInGivers(runs)
	f.key = "Shares of all bytes, in percent."
	f.panels = []panel{plotted("givers", "Shares of all bytes that origins and receivers gave. "+f.see, func() chart { return shares(b, "", "share of all bytes") }, nil)}
	return f, true
}

// receiversGave returns what the least, the middle and the most generous receiver gave.
func receiversGave(r *lab.Result) []string {
	var gave []int64
	for _, n := range r.Nodes {
		if !n.Origin {
			gave = append(gave, n.Gave)
		}
	}
	if len(gave) == 0 {
		return []string{"", "", ""}
	}
	slices.Sort(gave)
	return []string{units.Bytes(gave[0]), units.Bytes(gave[len(gave)/2]), units.Bytes(gave[len(gave)-1])}
}
