package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"
	"pgregory.net/rapid"

	"tandem/internal/lab"
)

func TestAxesReachTheirDataWithFewMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		high := math.Pow(10, rapid.Float64Range(-3, 9).Draw(t, "power of ten"))
		n := rapid.IntRange(2, 10).Draw(t, "marks")
		for name, at := range map[string][]float64{"steps": steps(high, n), "clock": clockSteps(high, n)} {
			if at[0] != 0 || at[len(at)-1] < high*0.998 || len(at) > 2*n+3 || !slices.IsSorted(at) {
				t.Fatalf("%s to %g by %d: %v", name, high, n, at)
			}
		}
		low := high / math.Pow(10, rapid.Float64Range(0.7, 6).Draw(t, "decades"))
		for name, marks := range map[string]func(low, high float64) []float64{"times": logTimes, "counts": logCounts} {
			if k := inside(marks(low, high), low, high); k > 10 || low > 1e-3 && high < 1e9 && k < 1 {
				t.Fatalf("%s: %d marks from %g to %g", name, k, low, high)
			}
		}
	})
}

func TestLabelsDoNotCoverEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rec recorder.Canvas
		c := draw.NewCanvas(&rec, 600, 300)
		p := plot.New()
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
		var all ends
		var tops flags
		for range rapid.IntRange(1, 6).Draw(t, "labels") {
			x, y := rapid.Float64Range(0, 1).Draw(t, "x"), rapid.Float64Range(0, 1).Draw(t, "y")
			all, tops = append(all, label{x, y, "label", ink}), append(tops, label{x, y, "a flag 99 s", ink})
		}
		all.Plot(c, p)
		heights := written(&rec)
		slices.SortFunc(heights, func(a, b vg.Point) int { return int(math.Copysign(1, float64(a.Y-b.Y))) })
		for i := 1; i < len(heights); i++ {
			if d := heights[i].Y - heights[i-1].Y; d < endLine-0.01 {
				t.Fatalf("labels are %v apart", d)
			}
		}
		rec.Reset()
		tops.Plot(c, p)
		wide := bold(ink, labelSize, draw.XLeft, draw.YBottom).Width(tops[0].text)
		at := written(&rec)
		for i := range at {
			for j := range i {
				if at[i].Y == at[j].Y && math.Abs(float64(at[i].X-at[j].X)) < float64(wide) {
					t.Fatalf("flags %v and %v cover each other", at[i], at[j])
				}
			}
		}
	})
}

func written(rec *recorder.Canvas) []vg.Point {
	var out []vg.Point
	for _, a := range rec.Actions {
		if s, ok := a.(*recorder.FillString); ok {
			out = append(out, s.Point)
		}
	}
	return out
}

func TestModelsAreToldApartWithoutColour(t *testing.T) {
	for i, a := range lab.Models() {
		for _, b := range lab.Models()[:i] {
			x, y := lookOf(a), lookOf(b)
			if slices.Equal(x.dashes, y.dashes) || x.mark == y.mark || x.fill == y.fill || x.short == y.short || x.hollow() == y.hollow() {
				t.Errorf("%s and %s look alike: %+v, %+v", a, b, x, y)
			}
		}
	}
}

// sweep is a comparison whose last receivers finish after the given seconds, by number
// of receivers.
func sweep(server, swarm map[int]float64) evidence {
	c := &lab.Comparison{Scenario: classroom(8)}
	for m, times := range map[lab.Model]map[int]float64{lab.ClientServer: server, lab.PeerToPeer: swarm} {
		for n, s := range times {
			c.Results = append(c.Results, &lab.Result{
				Run: lab.Run{Purpose: lab.Sweep, Place: lab.InSim, Model: m}, N: n, Done: n, Last: time.Duration(s * 1e9),
			})
		}
	}
	return evidenceOf(c)
}

func TestTheCrossoverIsWherePeersWinForGood(t *testing.T) {
	server := map[int]float64{1: 10, 2: 20, 4: 40, 8: 80}
	for _, c := range []struct {
		name     string
		swarm    map[int]float64
		from, to float64
		says     string
	}{
		{"between two that were run", map[int]float64{1: 20, 2: 25, 4: 25, 8: 25}, 2, 4, "From 3 receivers on"},
		{"from the first one on", map[int]float64{1: 5, 2: 5, 4: 5, 8: 5}, 0, 0, "With 1 receiver or more"},
		{"at no number", map[int]float64{1: 10, 2: 20, 4: 40, 8: 80}, math.Inf(1), math.Inf(1), "At no number"},
		{"a dip at few does not count", map[int]float64{1: 5, 2: 25, 4: 41, 8: 30}, 4, 8, "From 5 receivers on"},
		{"nothing to compare with", nil, 0, 0, "How the time grows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := sweep(server, c.swarm)
			if at := overtaken(e); at < c.from || at > c.to {
				t.Errorf("overtaken at %g", at)
			}
			if says := crossing(e); !strings.HasPrefix(says, c.says) {
				t.Errorf("it says %q", says)
			}
		})
	}
}

func TestKillsDoNotBendTheSweep(t *testing.T) {
	c := sample() // its scenario kills the origin
	for _, r := range c.Results {
		if r.Run.Purpose == lab.Main {
			r.Done = 0
		}
	}
	e := evidenceOf(c)
	for _, r := range e.byN(lab.InSim, lab.Hybrid) {
		if r.Run.Purpose == lab.Main {
			t.Errorf("%v is in the sweep", r.Run)
		}
	}
}

func TestSurvivalIsByMomentAndLabel(t *testing.T) {
	c := sample()
	for _, r := range c.Results {
		if r.Run.Purpose == lab.Survival && r.Run.Vary == 0.25 {
			again := *r
			again.Run.Label, again.Done = lab.LabelOneCopy, 1
			c.Results = append(c.Results, &again)
		}
	}
	f, ok := survival(evidenceOf(c))
	var names []string
	for _, r := range f.table.rows {
		names = append(names, r[0])
	}
	want := []string{"at the start", "at 17 % of all bytes", "at 25 % of all bytes", "when one copy of everything is out", "at 50 % of all bytes"}
	if !ok || !slices.Equal(names, want) {
		t.Errorf("the moments are %q", names)
	}
	if row := f.table.rows[3]; row[3] != "17 %" {
		t.Errorf("one copy out: %q", row)
	}
}
