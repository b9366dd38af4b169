package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// others are the runs that the plots do not show: the same question put otherwise.
func others(e evidence) []section {
	var out []section
	for _, o := range []struct {
		purpose lab.Purpose
		title   string
		see     string
		vary    func(lab.Run) string
	}{
		{lab.Capacity, "The same total capacity", "The server is given the uplinks of all receivers on top of its own. It then meets or beats the swarm: what peers win with is capacity that is there anyway.", func(lab.Run) string { return "the server with all uplinks" }},
		{lab.Budget, "The same budget", "As many receivers as a server alone can serve for what leaves the hybrid's origin, and so for the same money.", func(r lab.Run) string { return "with " + plural(int(r.Vary), "receiver") }},
		{lab.Origins, "More origins", "Servers add capacity, and cost.", func(r lab.Run) string { return plural(int(r.Vary), "origin") }},
		{lab.Hostile, "Hostile receivers", "A share of the receivers sends wrong bytes, or gives nothing. The time is that of the others.", hostile},
	} {
		t := variations(e, o.purpose, o.vary)
		if len(t.rows) > 0 {
			out = append(out, t.section(o.title, o.see))
		}
	}
	return out
}

// variations is a table of runs made for one purpose: a line for each variation and
// world, a column for each model.
func variations(e evidence, purpose lab.Purpose, vary func(lab.Run) string) sheet {
	type key struct {
		label string
		vary  float64
		place lab.Place
	}
	var keys []key
	runs := make(map[key]map[lab.Model][]*lab.Result)
	for _, r := range e.Results {
		if r.Run.Purpose != purpose || r.Void != "" {
			continue
		}
		k := key{strings.Replace(r.Run.Label, lab.LabelNobody, "", 1), r.Run.Vary, r.Run.Place} // the base line comes first
		if runs[k] == nil {
			runs[k] = make(map[lab.Model][]*lab.Result)
			keys = append(keys, k)
		}
		runs[k][r.Run.Model] = append(runs[k][r.Run.Model], r)
	}
	slices.SortStableFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(a.vary, b.vary), cmp.Compare(a.place, b.place))
	})
	t := sheet{head: []string{"Last receiver"}}
	for _, m := range e.models {
		t.head = append(t.head, string(m))
	}
	if len(keys) > 0 && (purpose == lab.Capacity || purpose == lab.Budget) {
		t.rows = append(t.rows, e.asItIs())
	}
	for _, k := range keys {
		name := string(tag(k.place))
		for _, rs := range runs[k] {
			name = vary(rs[0].Run) + ", " + name
			break
		}
		row := []string{name}
		for _, m := range e.models {
			text := ""
			if r := middle(runs[k][m]); r != nil {
				text = lastOf(r)
			}
			row = append(row, text)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// asItIs is the line that variations are compared with: the scenario without its kills.
func (e evidence) asItIs() []string {
	row := []string{"the case as it is"}
	for _, m := range e.models {
		text := ""
		for _, w := range []lab.Place{lab.InSim, lab.InBound} {
			runs := e.byN(w, m)
			if i := slices.IndexFunc(runs, func(r *lab.Result) bool { return r.N == e.Scenario.N() }); i >= 0 {
				text = lastOf(runs[i]) + ", " + string(tag(w))
				break
			}
		}
		row = append(row, text)
	}
	return row
}

func hostile(r lab.Run) string {
	if r.Label == lab.LabelNobody || r.Vary == 0 {
		return "nobody hostile"
	}
	return percent(r.Vary) + " " + clean(r.Label, 40)
}

// predicted compares what was simulated with what was measured.
func predicted(e evidence) section {
	t := sheet{head: []string{"Model", "measured last", "simulated", "error", "measured median", "simulated", "error"}}
	for _, m := range e.models {
		is, was := e.typical(lab.InReal, m), e.typical(lab.InSim, m)
		if is == nil || was == nil || is.Done == 0 || was.Done == 0 || last(is) == never || last(was) == never {
			continue
		}
		t.rows = append(t.rows, []string{
			string(m), seconds(is.Last), seconds(was.Last), off(was.Last.Seconds(), is.Last.Seconds()),
			seconds(is.Median), seconds(was.Median), off(was.Median.Seconds(), is.Median.Seconds()),
		})
	}
	if len(t.rows) == 0 {
		return section{}
	}
	return t.section("How well the simulator predicted", "The middle run of each world. What was only simulated in this report is off by as much, or more.")
}

// off writes the error of a prediction.
func off(was, is float64) string {
	if is == 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", (was/is-1)*100)
}

// voids are the runs that must not be believed, and why.
func voids(e evidence) section {
	t := sheet{head: []string{"Run", "why"}}
	for _, r := range e.void() {
		t.rows = append(t.rows, []string{clean(r.Run.String(), 80), clean(r.Void, 300)})
	}
	return t.section("Void runs", "Made, and left out of every figure above.")
}

// limits says what the figures do not.
func limits(e evidence) []string {
	var out []string
	add := func(text string) {
		if text = tight(clean(text, 600)); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, n := range e.Notes {
		add(n)
	}
	places := make(map[lab.Place]int)
	repeats := make(map[string]int)
	for _, r := range e.Results {
		if r.Void == "" {
			places[r.Run.Place]++
		}
		for _, n := range r.Notes {
			add(n)
		}
		if r.Run.Place != lab.InBound && r.Run.Purpose == lab.Main && r.Void == "" {
			repeats[string(r.Run.Place)+string(r.Run.Model)]++
		}
	}
	if text := machineWords(e); text != "" {
		add(text)
	}
	if places[lab.InReal] == 0 {
		add("Nothing was measured: the figures are simulated or analytic.")
	}
	if slices.ContainsFunc(slices.Collect(mapValues(repeats)), func(n int) bool { return n == 1 }) {
		add("Some figures come from one run: they have no spread, which does not mean that they have no error.")
	}
	add("The bounds say what the links allow. No program reaches them; the distance is what the program, its protocols and chance cost.")
	add("The simulator has the program's decisions and the links' rates. It has no disks, no CPUs, and no other traffic on the links.")
	add("Availability is taken as independent from node to node, which is optimistic.")
	return out
}

func mapValues(m map[string]int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// machineWords says on what the real runs were made.
func machineWords(e evidence) string {
	var shaping []string
	busy, off, n := 0.0, 0.0, 0
	for _, r := range e.Results {
		if r.Use == nil || r.Void != "" {
			continue
		}
		n++
		if s := clean(r.Use.Shaping, 40); s != "" && !slices.Contains(shaping, s) {
			shaping = append(shaping, s)
		}
		busy = max(busy, r.Use.Busy)
		if r.Use.Calibrated > 0 {
			off = max(off, math.Abs(r.Use.Calibrated-1))
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("Real runs: all nodes on one machine, links shaped by %s; its CPU was busy to %s at most, and the calibration flow off by %s at most. Real networks have other traffic, loss and distance.",
		or(strings.Join(shaping, " or "), "the system"), percent(busy), percent(off))
}

// again is what is needed to make the comparison once more.
func again(e evidence) []fact {
	var out []fact
	add := func(name, text string) {
		if text = clean(text, 200); text != "" {
			out = append(out, fact{name, text})
		}
	}
	add("Seed", fmt.Sprintf("%d", e.Scenario.Seed))
	add("Repeats", fmt.Sprintf("%d", e.Scenario.Repeats))
	add("Commit", e.Commit)
	add("Machine", e.Machine)
	return out
}

// everyRun lists the runs, the first thousand of them; results.csv has all.
func everyRun(e evidence) section {
	const most = 1000
	t := sheet{head: []string{"Run", "receivers", "finished", "last", "median", "first byte", "from origin", "from receivers", "seed"}}
	for _, r := range e.Results[:min(len(e.Results), most)] {
		name := clean(r.Run.String(), 80)
		if r.Void != "" {
			name += " (void)"
		}
		row := []string{
			name, grouped(int64(r.N)), grouped(int64(r.Done)), lastOf(r), "", "",
			units.Bytes(r.FromOrigin), units.Bytes(r.FromPeers), fmt.Sprint(r.Run.Seed),
		}
		if r.Bound != nil {
			row[2], row[6], row[7] = "", "", ""
		} else if r.Done > 0 {
			row[4], row[5] = seconds(r.Median), seconds(r.First)
		}
		t.rows = append(t.rows, row)
	}
	see := ""
	if len(e.Results) > most {
		see = fmt.Sprintf("The first %d of %d; results.csv has all.", most, len(e.Results))
	}
	return t.section("Every run", see)
}
