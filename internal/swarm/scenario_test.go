package swarm_test

import (
	"testing"
	"time"
)

// scenario is one row of the design study: a seeder and receivers, all joined
// to each other at the start.
type scenario struct {
	name    string
	total   int
	piece   int
	seedUp  float64
	ups     []float64
	down    float64
	latency time.Duration
	kernel  int
	killAt  float64 // of the seeder, in units of F/u_s; 0: stays
	noFast  bool    // without BEP 6
	degree  int     // connections of a receiver, about; 0: to everybody
	leave   bool    // receivers leave when they are complete
	takers  int     // receivers that never unchoke anybody
	stagger time.Duration
}

// outcome is what became of one run, times in units of the bound.
type outcome struct {
	last, median float64 // x B2
	inj          float64 // x F/u_s
	complete     int
	rejects      int
	waste        float64 // share of the bytes needed
}

func equal(n int, up float64) []float64 {
	ups := make([]float64, n)
	for i := range ups {
		ups[i] = up
	}
	return ups
}

func spread(n int, lo, hi float64) []float64 {
	ups := make([]float64, n)
	for i := range ups {
		ups[i] = lo + (hi-lo)*float64(i)/float64(n-1)
	}
	return ups
}

// bound returns B2, in seconds.
func (sc *scenario) bound() float64 {
	bits, sum := float64(sc.total), sc.seedUp*mbit
	for _, u := range sc.ups {
		sum += u * mbit
	}
	return max(bits/(sc.seedUp*mbit), bits/(sc.down*mbit), float64(len(sc.ups))*bits/sum)
}

func (sc *scenario) run(seed uint64) outcome {
	w := newWorld(seed, sc.total, sc.piece)
	w.kernel = sc.kernel
	if sc.latency > 0 {
		w.latency = sc.latency
	}
	origin := w.add(sc.seedUp, sc.down, true)
	var got []*node
	for _, up := range sc.ups {
		got = append(got, w.add(up, sc.down, false))
	}
	sc.meet(w, got)
	unit := float64(sc.total) / (sc.seedUp * mbit)
	if sc.killAt > 0 {
		w.after(time.Duration(sc.killAt*unit*1e9), origin.kill)
	}
	b2 := sc.bound()
	if sc.leave {
		sc.departures(w, got)
	}
	w.run(time.Duration(10*b2*1e9), finished(got))
	o := outcome{inj: w.outAt.Seconds() / unit, rejects: w.rejects}
	var times []float64
	for _, n := range got {
		if n.done > 0 {
			o.complete++
			times = append(times, n.done.Seconds()/b2)
			o.last = max(o.last, n.done.Seconds()/b2)
		}
		o.waste += float64(n.sw.Stats().Wasted) / float64(sc.total) / float64(len(got))
	}
	o.median = middle(times)
	return o
}

// meet joins the nodes, receiver i with those before it, at its time.
func (sc *scenario) meet(w *world, got []*node) {
	chance := 1.0
	if sc.degree > 0 {
		chance = float64(sc.degree) / float64(len(got))
	}
	for i, n := range got {
		n.freeload = i < sc.takers
		w.after(time.Duration(i)*sc.stagger, func() {
			w.join(w.nodes[0], n, !sc.noFast)
			for _, o := range got[:i] {
				if w.rand.Float64() < chance {
					w.join(o, n, !sc.noFast)
				}
			}
		})
	}
}

// departures lets receivers leave as soon as they are complete.
func (sc *scenario) departures(w *world, got []*node) {
	for _, n := range got {
		if n.done > 0 && !n.dead {
			n.kill()
		}
	}
	w.after(10*time.Millisecond, func() { sc.departures(w, got) })
}

func middle(v []float64) float64 {
	for i := range v {
		for j := i; j > 0 && v[j] < v[j-1]; j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2]
}

var scenarios = []scenario{
	{name: "A", seedUp: 40, ups: equal(10, 20)},
	{name: "A-64K", seedUp: 40, ups: equal(10, 20), piece: 64 << 10},
	{name: "A-256K", seedUp: 40, ups: equal(10, 20), piece: 256 << 10},
	{name: "A-25ms", seedUp: 40, ups: equal(10, 20), latency: 25 * time.Millisecond},
	{name: "A-kernel64K", seedUp: 40, ups: equal(10, 20), kernel: 64 << 10},
	{name: "A-kernel256K", seedUp: 40, ups: equal(10, 20), kernel: 256 << 10},
	{name: "A-noFast", seedUp: 40, ups: equal(10, 20), noFast: true},
	{name: "B", seedUp: 40, ups: equal(24, 20)},
	{name: "B-64K", seedUp: 40, ups: equal(24, 20), piece: 64 << 10},
	{name: "C", seedUp: 40, ups: spread(10, 5, 50)},
	{name: "C-64K", seedUp: 40, ups: spread(10, 5, 50), piece: 64 << 10},
	{name: "D", seedUp: 40, ups: equal(50, 20), degree: 30},
	{name: "F-A", seedUp: 40, ups: equal(10, 20), leave: true},
	{name: "F-C", seedUp: 40, ups: spread(10, 5, 50), leave: true},
	{name: "I", seedUp: 40, ups: equal(10, 20), takers: 3},
	{name: "stagger-3s", seedUp: 40, ups: equal(10, 20), stagger: 3 * time.Second},
	{name: "crowd", seedUp: 5, ups: equal(200, 5), down: 20, total: 16 << 20, piece: 32 << 10, degree: 30},
	{name: "E-1.10", seedUp: 40, ups: equal(10, 20), killAt: 1.10},
	{name: "E-1.15", seedUp: 40, ups: equal(10, 20), killAt: 1.15},
	{name: "E-1.20", seedUp: 40, ups: equal(10, 20), killAt: 1.20},
}

// BenchmarkScenario prints the study's figures for the machines as they are.
func BenchmarkScenario(b *testing.B) {
	for _, sc := range scenarios {
		b.Run(sc.name, func(b *testing.B) {
			if sc.piece == 0 {
				sc.piece = 128 << 10
			}
			if sc.total == 0 {
				sc.total, sc.down = 64<<20, 100
			}
			var sum outcome
			runs, worst := 0, 0.0
			for b.Loop() {
				runs++
				o := sc.run(uint64(runs))
				sum.last += o.last
				sum.median += o.median
				sum.inj += o.inj
				sum.rejects += o.rejects
				sum.waste += o.waste
				if o.complete == len(sc.ups) {
					sum.complete++
				}
				worst = max(worst, o.last)
			}
			n := float64(runs)
			b.ReportMetric(sum.last/n, "last/B2")
			b.ReportMetric(worst, "worst/B2")
			b.ReportMetric(sum.median/n, "median/B2")
			b.ReportMetric(sum.inj/n, "inj")
			b.ReportMetric(float64(sum.rejects)/n, "rejects")
			b.ReportMetric(100*sum.waste/n, "waste-%")
			b.ReportMetric(float64(sum.complete)/n, "complete")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A reduced A: ten receivers, 16 MiB, pieces in proportion.
func TestSwarmComesCloseToTheBound(t *testing.T) {
	for _, c := range []struct {
		name   string
		killAt float64
		limit  float64
	}{
		{"seeder stays", 0, 1.06},
		{"seeder is killed when one copy is out", 1.20, 1.12},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := scenario{total: 16 << 20, piece: 32 << 10, seedUp: 40, ups: equal(10, 20), down: 100, killAt: c.killAt}
			o := sc.run(1)
			t.Logf("%+v", o)
			if o.complete != 10 || o.last > c.limit {
				t.Errorf("seed 1: %d of 10 complete, last at %.3f of the bound, want 10 and at most %.2f", o.complete, o.last, c.limit)
			}
		})
	}
}
