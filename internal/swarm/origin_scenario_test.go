package swarm_test

import (
	"testing"
	"time"
)

// crowd is a scenario with an origin: receivers that all have it from the start,
// joined to each other.
type crowd struct {
	name    string
	total   int
	piece   int
	origin  float64 // Mbit/s
	ups     []float64
	down    float64
	latency time.Duration
	kernel  int
	degree  int
	stagger time.Duration
	lans    int     // the receivers are in so many, each behind its line
	lanUp   float64 // of that line
	lanDown float64

	copies  float64
	slots   int
	patient time.Duration
	spare   bool    // clients are told that the origin is costly
	quiet   bool    // nobody tells what it fetches
	killAt  float64 // of the origin, in units of F/u_s
}

// result is what became of one run.
type result struct {
	outcome
	copies  float64 // sent by the origin
	in, out float64 // most copies that entered or left a LAN
	elses   int
}

func (c *crowd) bound() float64 {
	sc := scenario{total: c.total, seedUp: c.origin, ups: c.ups, down: c.down}
	return sc.bound()
}

// defaults sets what the scenario does not say.
func (c *crowd) defaults(total, piece int) {
	if c.total == 0 {
		c.total = total
	}
	if c.piece == 0 {
		c.piece = piece
	}
	if c.down == 0 {
		c.down = 100
	}
}

func (c *crowd) run(seed uint64) result {
	w := newWorld(seed, c.total, c.piece)
	w.kernel, w.tandem = c.kernel, !c.quiet
	if c.latency > 0 {
		w.latency = c.latency
	}
	for range c.lans {
		w.addLAN(c.lanUp, c.lanDown)
	}
	o := w.addServer(c.origin)
	o.copies, o.slots, o.patient, o.spare = c.copies, c.slots, c.patient, c.spare
	var got []*node
	for i, up := range c.ups {
		n := w.add(up, c.down, false)
		if c.lans > 0 {
			n.lan = w.lans[i%c.lans]
		}
		got = append(got, n)
	}
	c.meet(w, o, got)
	unit := float64(c.total) / (c.origin * mbit)
	if c.killAt > 0 {
		w.after(time.Duration(c.killAt*unit*1e9), o.kill)
	}
	b := c.bound()
	w.run(time.Duration(10*b*1e9), finished(got))
	r := result{copies: float64(o.sent) / float64(c.total), elses: o.elses}
	r.inj = w.outAt.Seconds() / unit
	var times []float64
	for _, n := range got {
		if n.done > 0 {
			r.complete++
			times = append(times, n.done.Seconds()/b)
			r.last = max(r.last, n.done.Seconds()/b)
		}
		r.waste += float64(n.sw.Stats().Wasted) / float64(c.total) / float64(len(got))
	}
	for _, l := range w.lans {
		r.in = max(r.in, float64(l.down.bytes)/float64(c.total))
		r.out = max(r.out, float64(l.up.bytes)/float64(c.total))
	}
	r.median = middle(times)
	return r
}

// meet joins the nodes to the origin and receiver i to those before it.
func (c *crowd) meet(w *world, o *server, got []*node) {
	chance := 1.0
	if c.degree > 0 {
		chance = float64(c.degree) / float64(len(got))
	}
	for i, n := range got {
		w.after(time.Duration(i)*c.stagger, func() {
			w.visit(n, o)
			for _, p := range got[:i] {
				if w.rand.Float64() < chance {
					w.join(p, n, true)
				}
			}
		})
	}
}

var crowds = []crowd{
	{name: "G", origin: 40, ups: equal(10, 20)},
	{name: "G-256K", origin: 40, ups: equal(10, 20), piece: 256 << 10},
	{name: "G-64K", origin: 40, ups: equal(10, 20), piece: 64 << 10},
	{name: "G-24-64K", origin: 40, ups: equal(24, 20), piece: 64 << 10},
	{name: "H-64K", origin: 40, ups: equal(10, 20), piece: 64 << 10, copies: 1.2},
	{name: "G-quiet", origin: 40, ups: equal(10, 20), quiet: true},
	{name: "G-slots4", origin: 40, ups: equal(10, 20), slots: 4},
	{name: "G-C", origin: 40, ups: spread(10, 5, 50)},
	{name: "G-25ms", origin: 40, ups: equal(10, 20), latency: 25 * time.Millisecond},
	{name: "G-24", origin: 40, ups: equal(24, 20)},
	{name: "G-24-256K", origin: 40, ups: equal(24, 20), piece: 256 << 10},
	{name: "H", origin: 40, ups: equal(10, 20), copies: 1.2},
	{name: "H-256K", origin: 40, ups: equal(10, 20), copies: 1.2, piece: 256 << 10},
	{name: "H-C", origin: 40, ups: spread(10, 5, 50), copies: 1.2},
	{name: "LANs", origin: 40, ups: equal(10, 1000), down: 1000, lans: 2, lanUp: 10, lanDown: 50},
	{name: "LANs-slow", origin: 40, ups: equal(10, 1000), down: 1000, lans: 2, lanUp: 20, lanDown: 20},
	{name: "flash", origin: 5, ups: equal(200, 5), down: 20, total: 16 << 20, piece: 32 << 10, degree: 30, patient: time.Second},
	{name: "flash-slots4", origin: 5, ups: equal(200, 5), down: 20, total: 16 << 20, piece: 32 << 10, degree: 30, patient: time.Second, slots: 4},
	{name: "flash-spare", origin: 5, ups: equal(200, 5), down: 20, total: 16 << 20, piece: 32 << 10, degree: 30, patient: time.Second, slots: 4, spare: true},
}

// BenchmarkScenarioOrigin prints the study's figures for an origin and a crowd.
func BenchmarkScenarioOrigin(b *testing.B) {
	for _, c := range crowds {
		b.Run(c.name, func(b *testing.B) {
			c.defaults(64<<20, 128<<10)
			var sum result
			runs, worst := 0, 0.0
			for b.Loop() {
				runs++
				r := c.run(uint64(runs))
				sum.last += r.last
				sum.median += r.median
				sum.inj += r.inj
				sum.copies += r.copies
				sum.in += r.in
				sum.out += r.out
				sum.elses += r.elses
				sum.waste += r.waste
				if r.complete == len(c.ups) {
					sum.complete++
				}
				worst = max(worst, r.last)
			}
			n := float64(runs)
			b.ReportMetric(sum.last/n, "last/B2")
			b.ReportMetric(worst, "worst/B2")
			b.ReportMetric(sum.median/n, "median/B2")
			b.ReportMetric(sum.inj/n, "inj")
			b.ReportMetric(sum.copies/n, "copies")
			b.ReportMetric(sum.in/n, "in")
			b.ReportMetric(sum.out/n, "out")
			b.ReportMetric(float64(sum.elses)/n, "elsewhere")
			b.ReportMetric(100*sum.waste/n, "waste-%")
			b.ReportMetric(float64(sum.complete)/n, "complete")
			b.ReportMetric(0, "ns/op")
		})
	}
}
