package lab

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tandem/internal/units"
)

// metric is one figure of a run.
type metric struct {
	label  string
	unit   string
	better sense
	// of returns the figure of one run, false where the run does not tell. Never is
	// math.MaxFloat64.
	of   func(*Result) (float64, bool)
	text func(float64) string // nil: as the unit is written
}

// never is a figure without end.
const never = math.MaxFloat64

// main puts a metric of the scenario as it stands, from every world that tells.
func (t *sheet) main(list ...metric) {
	for _, k := range list {
		t.each(k, func(m Model, p Place) []*Result { return Select(t.results, Main, p, m, 0) })
	}
}

// each puts a metric of groups of repeats, the strongest world first.
func (t *sheet) each(k metric, group func(Model, Place) []*Result) {
	for _, p := range strongest() {
		figures, k := map[Model]Figure{}, k
		for _, m := range t.models {
			list := group(m, p)
			if f, ok := k.sum(list, p); ok {
				f.Label += t.fewer(list[0])
				figures[m] = f
			}
		}
		t.put(figures, k.better)
	}
}

// fewer says with how many receivers a run was made that has not all of them.
func (t *sheet) fewer(r *Result) string {
	n := r.Run.Scenario.N()
	if n == 0 || n >= t.s.N() || r.Run.Purpose == Budget {
		return ""
	}
	return fmt.Sprintf(", of %s receivers", digits3(float64(n)))
}

func strongest() []Place { return []Place{InReal, InSim, InBound} }

// sum makes one figure of the repeats of a run.
func (k metric) sum(group []*Result, p Place) (Figure, bool) {
	var tell []*Result
	for _, r := range group {
		if v, ok := k.of(r); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
			tell = append(tell, r)
		}
	}
	if len(tell) == 0 {
		return Figure{}, false
	}
	v := Summarise(tell, func(r *Result) float64 { v, _ := k.of(r); return v })
	if v.Most == never { // one that never ends: no mean, no spread
		v = Summary{Runs: v.Runs, Median: never}
	}
	f := k.figure(v.Median, p.Tag())
	f.Runs, f.Spread = v.Runs, v.Spread
	if p == InBound {
		f.Runs = 0
	}
	return f, true
}

func (k metric) figure(v float64, tag Tag) Figure {
	f := Figure{Label: k.label, Value: v, Unit: k.unit, Tag: tag}
	switch {
	case k.text != nil:
		f.Text = k.text(v)
	case v == never:
		f.Text = "never"
	default:
		f.Text = spell(v, k.unit)
	}
	return f
}

// one puts a figure by what is known of each model; put nothing by returning false.
func (t *sheet) one(k metric, tag Tag, of func(Model) (float64, bool)) {
	figures := map[Model]Figure{}
	for _, m := range t.models {
		if v, ok := of(m); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
			figures[m] = k.figure(v, tag)
		}
	}
	t.put(figures, k.better)
}

// say puts what was counted, or a text.
func (t *sheet) say(label string, of map[Model]fact, better sense) {
	figures := map[Model]Figure{}
	for _, m := range t.models {
		if f, ok := of[m]; ok {
			figures[m] = Figure{Label: label, Value: float64(f.n), Unit: "", Text: f.text, Tag: Counted}
		}
	}
	t.put(figures, better)
}

// spell writes a figure for people.
func spell(v float64, unit string) string {
	switch unit {
	case "s":
		return units.Seconds(time.Duration(min(v, math.MaxInt64/2/1e9) * 1e9))
	case "B":
		return units.Bytes(int64(min(v, math.MaxInt64/2)))
	case "B/s":
		return units.Bits(v)
	case "$":
		return money(v)
	case "%":
		return percentText(v)
	case "x":
		return fmt.Sprintf("%.2fx", v)
	}
	return strings.TrimSpace(digits3(v) + " " + unit)
}

// percentText writes a percentage; what is not quite all or nothing does not look so.
func percentText(v float64) string {
	text := trimZeros(fmt.Sprintf("%.1f", v))
	switch {
	case text == "100" && v < 100:
		text = ">99.9"
	case text == "0" && v > 0:
		text = "<0.1"
	}
	return text + " %"
}

// digits3 writes a number with three digits, large ones with commas.
func digits3(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1000, a >= 0.001 && a < 100:
		return fmt.Sprintf("%.3g", v)
	case a >= 100:
		return thousands(math.Round(v))
	}
	return fmt.Sprintf("%.2g", v)
}

// finished says whether every receiver of a run has everything, and the run knows.
func finished(r *Result) bool { return r.N > 0 && r.Done >= r.N }

// last is the last receiver's time.
func last(r *Result) (float64, bool) {
	if !finished(r) {
		return never, true
	}
	return r.Last.Seconds(), r.Last > 0
}

// moved is all content that went anywhere, in a run that tells.
func moved(r *Result) (float64, bool) {
	all := float64(r.FromOrigin) + float64(r.FromPeers)
	return all, all > 0
}

// share makes a percentage.
func percentage(part, of float64) float64 {
	if of == 0 {
		return 0
	}
	return 100 * part / of
}

// bounds returns what theory says of a model, or nil.
func (t *sheet) bounds(m Model) *Bound {
	for _, r := range Select(t.results, Main, InBound, m, 0) {
		if r.Bound != nil {
			return r.Bound
		}
	}
	return nil
}

// simOrReal tells runs that moved bytes from those of theory.
func simOrReal(of func(*Result) (float64, bool)) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Run.Place == InBound {
			return 0, false
		}
		return of(r)
	}
}

// receivers are the nodes of a run that are no origins.
func receivers(r *Result) []Node {
	return slices.DeleteFunc(slices.Clone(r.Nodes), func(n Node) bool { return n.Origin })
}
