package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// marked is a ticker for one axis: where lines go, and what stands beside them.
type marked struct {
	at  []float64
	say func(float64) string
}

// Ticks implements plot.Ticker.
func (m marked) Ticks(low, high float64) []plot.Tick {
	var out []plot.Tick
	for _, v := range m.at {
		if v >= low*(1-1e-9) && v <= high*(1+1e-9) {
			out = append(out, plot.Tick{Value: v, Label: m.say(v)})
		}
	}
	return out
}

// steps returns round numbers from 0 to at least high, about n of them.
func steps(high float64, n int) []float64 {
	if high <= 0 || math.IsInf(high, 0) || math.IsNaN(high) {
		return []float64{0, 1}
	}
	raw := high / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * unit
	for _, f := range []float64{1, 2, 5} {
		if f*unit >= raw*0.999 {
			step = f * unit
			break
		}
	}
	out := []float64{0}
	for i := 1; out[len(out)-1] < high*0.999; i++ {
		out = append(out, float64(i)*step)
	}
	return out
}

// clockSteps is steps for seconds: 15 s and 2 min are round, 20 min is, 2.5 h is not.
func clockSteps(high float64, n int) []float64 {
	if high < 60 {
		return steps(high, n)
	}
	for _, step := range []float64{15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400} {
		if high/step <= float64(n)+1 {
			var out []float64
			for v := 0.0; v < high+step*0.999; v += step {
				out = append(out, v)
			}
			return out
		}
	}
	days := steps(high/86400, n)
	for i := range days {
		days[i] *= 86400
	}
	return days
}

// short writes a time on an axis.
func short(seconds float64) string {
	for _, u := range []struct {
		of   float64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}} {
		if seconds >= u.of*0.9999 {
			return strconv.FormatFloat(seconds/u.of, 'g', 4, 64) + " " + u.name
		}
	}
	if seconds == 0 {
		return "0"
	}
	return strconv.FormatFloat(seconds*1000, 'g', 3, 64) + " ms"
}

// logTimes returns the marks of a logarithmic axis of seconds between low and high.
func logTimes(low, high float64) []float64 {
	sparse := []float64{0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000}
	dense := []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000}
	for d := 86400.0; d < 1e15; d *= 10 {
		sparse, dense = append(sparse, d), append(dense, d, 2*d, 5*d)
	}
	if inside(dense, low, high) <= 9 {
		return dense
	}
	return sparse
}

// logCounts returns the marks of a logarithmic axis of plain numbers.
func logCounts(low, high float64) []float64 {
	var sparse, dense []float64
	for d := 1e-9; d < 1e13; d *= 10 {
		d = math.Pow(10, math.Round(math.Log10(d)))
		sparse, dense = append(sparse, d), append(dense, d, 2*d, 5*d)
	}
	if inside(dense, low, high) <= 9 {
		return dense
	}
	return sparse
}

func inside(at []float64, low, high float64) (n int) {
	for _, v := range at {
		if v >= low && v <= high {
			n++
		}
	}
	return n
}

// count writes a number of receivers on an axis.
func count(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.4gG", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.4gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.4gk", v/1e3)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

// logScale makes a an axis of logarithms over values, with some air at both ends. It
// reports false where there is nothing to put on such an axis.
func logScale(a *plot.Axis, values []float64, marks func(low, high float64) []float64, say func(float64) string) bool {
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !(v > 0) || v > 1e18 })
	if len(values) == 0 {
		return false
	}
	low, high := slices.Min(values), slices.Max(values)
	air := max(math.Pow(high/low, 0.06), 1.25)
	a.Min, a.Max = low/air, high*air
	a.Scale = plot.LogScale{}
	a.Tick.Marker = marked{marks(a.Min, a.Max), say}
	return true
}

// zeroTo makes a an axis from 0 to the last of at.
func zeroTo(a *plot.Axis, at []float64, say func(float64) string) {
	a.Min, a.Max = 0, at[len(at)-1]
	a.Tick.Marker = marked{at, say}
}

// grid returns the lines behind the data, across only where upright is false.
func grid(upright bool) *plotter.Grid {
	g := plotter.NewGrid()
	style := draw.LineStyle{Color: line.hex, Width: 0.75}
	g.Horizontal, g.Vertical = style, draw.LineStyle{}
	if upright {
		g.Vertical = style
	}
	return g
}
