package lab

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// run is a finished run of ten receivers of 64 MiB.
func run(p Place, m Model, last time.Duration, more ...func(*Result)) *Result {
	const all = 10 * 64 << 20
	r := &Result{
		Run: Run{Purpose: Main, Place: p, Model: m},
		N:   10, Done: 10, Last: last, Took: last, Median: last * 9 / 10, P99: last, First: 50 * time.Millisecond, Jain: 0.99,
		FromOrigin: all,
	}
	if m != ClientServer {
		r.FromOrigin, r.FromPeers, r.Wasted = all/5, all/5*4, 1<<20
	}
	if p == InBound {
		r.Bound = &Bound{Last: last, Raw: last * 95 / 100, Crossover: 1, Stable: 0.1, Streaming: 1e6}
	} else {
		r.Nodes = []Node{{Name: "origin", Origin: true, Gave: r.FromOrigin}}
		for range 10 {
			r.Nodes = append(r.Nodes, Node{Took: 64 << 20, Gave: r.FromPeers / 10})
		}
		r.Copies = []Copies{{At: last / 4, Min: 1, Mean: 2}, {At: last / 2, Min: 4, Mean: 5}}
		r.OneOut = last / 3
	}
	for _, f := range more {
		f(r)
	}
	return r
}

func kind(p Purpose, vary float64, label string) func(*Result) {
	return func(r *Result) { r.Run.Purpose, r.Run.Vary, r.Run.Label = p, vary, label }
}

// some is what a comparison of all worlds gives.
func some() []*Result {
	var list []*Result
	times := map[Model]time.Duration{ClientServer: 134e9, PeerToPeer: 24e9, Hybrid: 28e9}
	for _, m := range Models() {
		list = append(list, run(InBound, m, times[m]*9/10))
		for i, jitter := range []time.Duration{0, 3e9, -2e9} {
			list = append(list, run(InSim, m, times[m]+jitter, func(r *Result) { r.Run.Repeat = i }))
		}
		list = append(list, run(InReal, m, times[m]+1e9, func(r *Result) {
			r.Use = &Use{OriginCPU: 2, PeerCPU: 5, OriginRSS: 50 << 20, PeerRSS: 40 << 20}
		}))
		for n := 1; n <= 64; n *= 4 {
			last := times[m]
			if m == ClientServer {
				last = time.Duration(n) * 13e9
			}
			list = append(list, run(InSim, m, last, kind(Sweep, float64(n), "")))
		}
		for _, at := range []float64{0, 0.25, 0.5} {
			list = append(list, run(InSim, m, times[m], kind(Survival, at, KillOrigin), func(r *Result) {
				r.Killed, r.Recovered = []time.Duration{1e9}, []time.Duration{0}
				if at == 0 || m == ClientServer {
					r.Done = int(at * 4)
				} else {
					r.Recovered[0] = 2e9
				}
			}))
		}
		list = append(list, run(InSim, m, times[m], kind(Survival, 0.61, "one copy out")),
			run(InSim, m, 2*times[m], kind(Hostile, 0.05, "poisoners")), run(InSim, m, 3*times[m], kind(Hostile, 0.25, "free-riders")),
			run(InSim, m, times[m]/2, kind(Origins, 2, "")))
	}
	return append(list, run(InSim, ClientServer, 23e9, kind(Capacity, 0, "")), run(InSim, ClientServer, 25e9, kind(Budget, 2, "")))
}

func cell(t *testing.T, tab Table, row string, m Model, label string, tag Tag) Figure {
	t.Helper()
	for _, r := range tab.Rows {
		for _, f := range r.Cells[m] {
			if r.Name == row && f.Label == label && f.Tag == tag {
				return f
			}
		}
	}
	t.Fatalf("row %q has no %s %q for %s", row, tag, label, m)
	return Figure{}
}

func TestTable(t *testing.T) {
	tab := NewTable(office(), some())
	for _, c := range []struct {
		row   string
		m     Model
		label string
		tag   Tag
		text  string
		best  bool
	}{
		{"performance", PeerToPeer, "last receiver", Simulated, "24 s", false}, // by less than the spread
		{"performance", PeerToPeer, "last receiver", Measured, "25 s", true},
		{"performance", ClientServer, "last receiver", Analytic, "2m1s", false},
		{"performance", PeerToPeer, "last receiver", Analytic, "22 s", true},
		{"performance", ClientServer, "of the best possible, last receiver", Measured, "89.3 %", false},
		{"performance", Hybrid, "first byte after", Simulated, "50 ms", false},
		{"architecture and roles", Hybrid, "receivers that gave as well as took", Measured, "100 %", false},
		{"architecture and roles", ClientServer, "receivers that gave as well as took", Measured, "0 %", false},
		{"architecture and roles", PeerToPeer, "what a receiver gave, of what it took", Simulated, "80 %", false},
		{"resource sharing", PeerToPeer, "upload that can serve", Analytic, "240.0 Mbit/s", false},
		{"data storage", PeerToPeer, "copies of the rarest piece halfway", Simulated, "4", false},
		{"communication", ClientServer, "bytes that come from the origin", Measured, "100 %", false},
		{"communication", PeerToPeer, "round trips to find who has it, at most", Analytic, "4", false},
		{"scalability", ClientServer, "growth of time with receivers (log-log slope)", Simulated, "1.00", false},
		{"scalability", PeerToPeer, "growth of time with receivers (log-log slope)", Simulated, "0.00", false},
		{"scalability", PeerToPeer, "faster than the server alone from", Simulated, "4 receivers", false},
		{"scalability", ClientServer, "last receiver with 2 origins", Simulated, "67 s", false},
		{"scalability", ClientServer, "last receiver, all uplinks at the origin", Simulated, "23 s", false},
		{"scalability", ClientServer, "for the hybrid's money it serves", Simulated, "2 of 10 receivers", false},
		{"reliability", ClientServer, "finish when the origin dies before the first byte", Simulated, "0 %", false},
		{"reliability", ClientServer, "finish when the origin dies at 25 %", Simulated, "10 %", false},
		{"reliability", Hybrid, "finish when the origin dies after one copy is out", Simulated, "100 %", false},
		{"reliability", ClientServer, "others go on after that", Simulated, "never", false},
		{"reliability", Hybrid, "others go on after that", Simulated, "2.0 s", false},
		{"reliability", ClientServer, "the origin is there", Analytic, "99.6 %", false},
		{"security", Hybrid, "time with 5 % poisoners", Simulated, "2.00x", false},
		{"security", PeerToPeer, "time with 25 % free-riders", Simulated, "3.00x", false},
		{"security", PeerToPeer, "must be trusted with the content", Counted, "0: but whoever holds the ticket can pass it on", true},
		{"security", ClientServer, "learn a receiver's address, at most", Counted, "1 machine", true},
		{"cost", ClientServer, "offload: peers give", Measured, "0 %", false},
		{"cost", Hybrid, "origin, memory", Measured, "50 MiB", false},
		{"maintenance", PeerToPeer, "steps to set up", Counted, "1: share", true},
		{"flexibility", PeerToPeer, "a receiver that joins adds upload of", Analytic, "20.0 Mbit/s", false},
	} {
		t.Run(string(c.m)+": "+c.label, func(t *testing.T) {
			f := cell(t, tab, c.row, c.m, c.label, c.tag)
			if f.Text != c.text || f.Best != c.best {
				t.Fatalf("%q, best %v; want %q, %v", f.Text, f.Best, c.text, c.best)
			}
		})
	}
}

func TestTheTableHasTheRowsOfTheTextbooksInTheirOrder(t *testing.T) {
	want := strings.Split("architecture and roles,resource sharing,data storage,communication,scalability,reliability,stability,cost,maintenance,security,performance,flexibility,typical uses", ",")
	for name, results := range map[string][]*Result{"all worlds": some(), "nothing was run": nil} {
		var got []string
		for _, r := range NewTable(office(), results).Rows {
			got = append(got, r.Name)
			if r.Asks == "" {
				t.Errorf("%s: %s asks nothing", name, r.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: rows %q", name, got)
		}
	}
}

// A reader of JSON refuses infinities, and one of cells goes by labels.
func TestFiguresAreFiniteTaggedAndInOneOrder(t *testing.T) {
	results := append(some(), run(InSim, ClientServer, 0, func(r *Result) { *r = Result{Run: r.Run} }), // nothing happened
		run(InReal, Hybrid, 1, func(r *Result) { r.Void = "busy" }), nil)
	tab := NewTable(office(), results)
	for _, r := range tab.Rows {
		var order []string
		for _, m := range tab.Models {
			at := 0
			for _, f := range r.Cells[m] {
				if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) || f.Text == "" || f.Label == "" || f.Tag == "" || strings.Contains(f.Text, "NaN") {
					t.Errorf("%s, %s: %+v", r.Name, m, f)
				}
				key := f.Label + "/" + string(f.Tag)
				i := slices.Index(order, key)
				if i < 0 {
					order = slices.Insert(order, at, key)
					i = at
				}
				if i < at {
					t.Errorf("%s, %s: %s stands elsewhere than in other columns", r.Name, m, key)
				}
				at = i + 1
			}
		}
	}
	if _, err := json.Marshal(tab); err != nil {
		t.Error(err)
	}
}

func TestOneRunMoreThanTheSpreadIsBest(t *testing.T) {
	figures := func(values ...float64) map[Model]Figure {
		out := map[Model]Figure{}
		for i, v := range values {
			out[Models()[i]] = Figure{Value: v, Spread: 1}
		}
		return out
	}
	for _, c := range []struct {
		name   string
		of     map[Model]Figure
		better sense
		want   Model
	}{
		{"lower by more than both spreads", figures(10, 13, 20), lower, ClientServer},
		{"lower by less", figures(10, 11.9, 20), lower, ""},
		{"higher is better where it is", figures(10, 13, 20), higher, Hybrid},
		{"where neither is better there is no best", figures(1, 100, 200), neither, ""},
		{"one model alone is no best", figures(1), lower, ""},
		{"never is worse than anything", figures(never, 10, 99), lower, PeerToPeer},
		{"all never", figures(never, never, never), lower, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := best1(c.of, c.better); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
	for name, close := range map[string]map[Model]Figure{
		"a hundredth":        {ClientServer: {Value: 1000}, PeerToPeer: {Value: 1010}},
		"less than one cent": {ClientServer: {Value: 0.001, Unit: "$"}, PeerToPeer: {Value: 0.009, Unit: "$"}},
	} {
		if got, ok := best1(close, lower); ok {
			t.Errorf("%s makes %s the best", name, got)
		}
	}
}

func TestGrowthAndCrossover(t *testing.T) {
	n := []float64{1, 2, 4, 8, 16, 32}
	if v, ok := slope(n, []float64{10, 20, 40, 80, 160, 320}); !ok || math.Abs(v-1) > 1e-9 {
		t.Errorf("what grows in proportion has slope %g, %v", v, ok)
	}
	if v, ok := slope(n, []float64{9, 9, 9, 9, 9, 9}); !ok || math.Abs(v) > 1e-9 {
		t.Errorf("what does not grow has slope %g, %v", v, ok)
	}
	if _, ok := slope(n[:1], n[:1]); ok {
		t.Error("one point has a slope")
	}
	first := []float64{10, 20, 40, 80, 160, 320}
	for _, c := range []struct {
		name   string
		second []float64
		want   float64
	}{
		{"below from four on", []float64{12, 21, 25, 26, 27, 28}, 4},
		{"never below", []float64{12, 22, 44, 88, 170, 330}, 0},
		{"below once, and then no more", []float64{12, 22, 20, 88, 170, 330}, 0},
		{"by less than counts", []float64{9.9, 19.8, 39.5, 79, 158, 316}, 0},
	} {
		if got := overtakes(n, first, n, c.second); got != c.want {
			t.Errorf("%s: from %g, want %g", c.name, got, c.want)
		}
	}
}
