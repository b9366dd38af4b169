package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"

	"tandem/internal/lab"
)

// survival is the share of receivers that finish when the origin is killed, by when.
func survival(e evidence) (figure, bool) {
	runs := make(map[lab.Model][]*lab.Result)
	var at []float64
	for _, m := range e.models {
		for _, w := range []lab.Place{lab.InReal, lab.InSim} {
			if runs[m] = e.of(lab.Survival, w, m); len(runs[m]) > 0 {
				break
			}
		}
		for _, r := range runs[m] {
			at = append(at, r.Run.Vary)
		}
	}
	slices.Sort(at)
	at = slices.CompactFunc(at, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if len(at) == 0 {
		return figure{}, false
	}
	f := figure{name: "survival", title: "When the origin dies"}
	b := bars{}
	f.table.head = []string{"The origin is killed"}
	for _, m := range e.models {
		f.table.head = append(f.table.head, string(m))
		b.series = append(b.series, lookOf(m))
		b.value = append(b.value, make([]float64, len(at)))
		b.text = append(b.text, make([]string, len(at)))
	}
	for g, when := range at {
		b.groups = append(b.groups, moment(when, e.Scenario.N()))
		row := []string{spoken(when, e.Scenario.N())}
		for s, m := range e.models {
			share := survivors(runs[m], when)
			b.value[s][g], b.text[s][g] = share, bare(share)
			row = append(row, percent(share))
		}
		f.table.rows = append(f.table.rows, row)
	}
	f.see = seenInSurvival(e, runs, at)
	f.key = "Each column is a model, in the order " + list(names(e.models)) + ". Once one copy of everything is out, peers can finish without the origin."
	f.panels = []panel{plotted("survival", "Share of receivers that finish after the origin is killed. "+f.see, func() *plot.Plot {
		p := canvas("when the origin is killed", "receivers that finish")
		zeroTo(&p.Y, []float64{0, 0.25, 0.5, 0.75, 1}, percent)
		p.Y.Max = 1.08
		b.axes(p)
		p.Add(grid(false), b)
		return p
	})}
	return f, true
}

// survivors returns the mean share of receivers that finish, NaN where nobody knows.
func survivors(runs []*lab.Result, at float64) float64 {
	sum, n := 0.0, 0
	for _, r := range runs {
		if math.Abs(r.Run.Vary-at) < 1e-9 && r.N > 0 {
			sum, n = sum+float64(r.Done)/float64(r.N), n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// moment says when a kill was, for an axis: at which share of all bytes.
func moment(at float64, n int) string {
	switch {
	case at == 0:
		return "at the start"
	case n > 0 && math.Abs(at*float64(n)-1) < 1e-6:
		return "one copy out"
	}
	return "at " + percent(at)
}

func spoken(at float64, n int) string {
	if m := moment(at, n); at == 0 || m == "one copy out" {
		return m
	}
	return fmt.Sprintf("at %s of all bytes", percent(at))
}

// bare is a percentage without its sign, for where there is little room.
func bare(share float64) string {
	if math.IsNaN(share) {
		return ""
	}
	return fmt.Sprintf("%.0f", share*100)
}

func names(models []lab.Model) []string {
	var out []string
	for _, m := range models {
		out = append(out, string(m))
	}
	return out
}

func seenInSurvival(e evidence, runs map[lab.Model][]*lab.Result, at []float64) string {
	when := at[len(at)-1]
	var parts []string
	for _, m := range e.models {
		if s := survivors(runs[m], when); !math.IsNaN(s) {
			parts = append(parts, fmt.Sprintf("%s of the receivers finish by %s", percent(s), m))
		}
	}
	return fmt.Sprintf("When it is killed %s, %s.", spoken(when, e.Scenario.N()), list(parts))
}
