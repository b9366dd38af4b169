package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tandem/internal/lab"
)

// moment is when the origin was killed in a run.
type moment struct {
	label string
	at    float64 // share of all bytes
}

func momentOf(r *lab.Result) moment { return moment{r.Run.Label, r.Run.Vary} }

// String says when it was, for an axis.
func (m moment) String() string {
	switch {
	case m.label != "" && m.label != lab.LabelOrigin:
		return clean(m.label, 30)
	case m.at == 0:
		return "at the start"
	}
	return "at " + percent(m.at)
}

// said says when it was, in a sentence.
func (m moment) said() string {
	switch {
	case m.label == lab.LabelOneCopy:
		return "when one copy of everything is out"
	case m.label != "" && m.label != lab.LabelOrigin, m.at == 0:
		return m.String()
	}
	return fmt.Sprintf("at %s of all bytes", percent(m.at))
}

// survival is the share of receivers that finish when the origin is killed, by when.
func survival(e evidence) (figure, bool) {
	runs := make(map[lab.Model][]*lab.Result)
	var moments []moment
	for _, m := range e.models {
		for _, w := range []lab.Place{lab.InReal, lab.InSim} {
			if runs[m] = e.of(lab.Survival, w, m); len(runs[m]) > 0 {
				break
			}
		}
		for _, r := range runs[m] {
			if !slices.Contains(moments, momentOf(r)) {
				moments = append(moments, momentOf(r))
			}
		}
	}
	slices.SortFunc(moments, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.label, b.label)) })
	if len(moments) == 0 {
		return figure{}, false
	}
	f := figure{name: "survival", title: "When the origin dies"}
	b := bars{}
	f.table.head = []string{"The origin is killed"}
	for _, m := range e.models {
		f.table.head = append(f.table.head, string(m))
		b.series = append(b.series, lookOf(m))
		b.value = append(b.value, make([]float64, len(moments)))
		b.text = append(b.text, make([]string, len(moments)))
	}
	for g, when := range moments {
		b.groups = append(b.groups, when.String())
		row := []string{when.said()}
		for s, m := range e.models {
			share := survivors(runs[m], when)
			b.value[s][g], b.text[s][g] = share, bare(share)
			row = append(row, percent(share))
		}
		f.table.rows = append(f.table.rows, row)
	}
	f.see = seenInSurvival(e, runs, moments)
	f.key = "Each column is a model, in the order " + list(names(e.models)) + ". Once one copy of everything is out, peers can finish without the origin."
	f.panels = []panel{plotted("survival", "Share of receivers that finish after the origin is killed. "+f.see, func() chart { return shares(b, "when the origin is killed", "receivers that finish") }, nil)}
	return f, true
}

// survivors returns the mean share of receivers that finish, NaN where nobody knows.
func survivors(runs []*lab.Result, when moment) float64 {
	sum, n := 0.0, 0
	for _, r := range runs {
		if momentOf(r) == when && r.N > 0 {
			sum, n = sum+float64(r.Done)/float64(r.N), n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
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

func seenInSurvival(e evidence, runs map[lab.Model][]*lab.Result, moments []moment) string {
	when := moments[len(moments)-1]
	var parts []string
	for _, m := range e.models {
		if s := survivors(runs[m], when); !math.IsNaN(s) {
			parts = append(parts, fmt.Sprintf("%s of the receivers finish by %s", percent(s), m))
		}
	}
	return fmt.Sprintf("When it is killed %s, %s.", when.said(), list(parts))
}
