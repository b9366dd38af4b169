package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"tandem/internal/lab"
)

// sample is a comparison as a classroom might give it: all models and worlds, a sweep,
// survivals, the hostile, the normalisations, real runs, one of them void. It is small:
// plots are slow under the race detector.
func sample() *lab.Comparison { return classroomOf(6) }

func classroomOf(n int) *lab.Comparison {
	s := classroom(n)
	c := &lab.Comparison{
		Scenario: s, Command: "tandem compare scenarios/classroom.toml --out report",
		Commit: "4c7606f", Machine: "linux/amd64, 2 CPUs", At: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
		Notes: []string{"poisoners are not run for real: the program has no such mode"},
	}
	for _, m := range lab.Models() {
		c.Results = append(c.Results, made(s, lab.Main, lab.InBound, m, n, 0, 0))
		for i := range 3 {
			c.Results = append(c.Results, made(s, lab.Main, lab.InSim, m, n, 0, i), made(s, lab.Main, lab.InReal, m, n, 0, i))
		}
		for _, k := range []int{1, 2, 4, 16, 256} {
			c.Results = append(c.Results, made(s, lab.Sweep, lab.InBound, m, k, float64(k), 0), made(s, lab.Sweep, lab.InSim, m, k, float64(k), 0))
		}
		for _, at := range []float64{0, 1 / float64(n), 0.25, 0.5} {
			c.Results = append(c.Results, survived(made(s, lab.Survival, lab.InSim, m, n, at, 0)))
		}
		for _, label := range []string{"poisoners", "free-riders"} {
			r := made(s, lab.Hostile, lab.InSim, m, n, 0.25, 0)
			r.Run.Label = label
			c.Results = append(c.Results, r)
		}
		for _, k := range []float64{1, 2, 4} {
			c.Results = append(c.Results, made(s, lab.Origins, lab.InBound, m, n, k, 0))
		}
	}
	c.Results = append(c.Results, made(s, lab.Capacity, lab.InBound, lab.ClientServer, n, 0, 0))
	void := made(s, lab.Main, lab.InReal, lab.Hybrid, n, 0, 2)
	void.Void = "the computer was busy: 83 % of its CPU, at most 70 %"
	c.Results = append(c.Results, void)
	c.Table, c.Verdict = table(), verdict()
	return c
}

func classroom(n int) lab.Scenario {
	return lab.Scenario{
		Name: "Classroom", About: "A teacher hands the disk image of an exercise to a room.", Use: "file sharing",
		Size: 64 << 20, Piece: 256 << 10,
		Origin:    lab.Origin{Count: 1, Up: 5_000_000},
		Receivers: []lab.Group{{Count: n, Up: 2_500_000, Down: 12_500_000, Name: "laptops"}},
		Arrivals:  lab.Arrivals{Kind: "flash"}, Stay: lab.Stay{Kind: "end"},
		Kills:   []lab.Kill{{Who: "origin", Share: 1, At: 0.5}},
		Latency: lab.Duration(time.Millisecond), Payload: 1448. / 1514,
		Prices: lab.Prices{Egress: 0.09, Server: 0.02, Storage: 0.023},
		Needs:  lab.Needs{Deadline: lab.Duration(2 * time.Minute)},
		Models: lab.Models(), Worlds: lab.Places(), Repeats: 3, Seed: 1,
	}
}

// bounds are B1 and B2.
func bounds(s lab.Scenario, m lab.Model, n int) (last float64, why string) {
	f, us, u, d := float64(s.Size)/s.Payload, float64(s.Origin.Up), float64(s.Receivers[0].Up), float64(s.Receivers[0].Down)
	if m == lab.ClientServer {
		return max(float64(n)*f/us, f/d), "the origin's upload"
	}
	return max(f/us, f/d, float64(n)*f/(us+float64(n)*u)), "all uploads together"
}

func made(s lab.Scenario, p lab.Purpose, w lab.Place, m lab.Model, n int, vary float64, repeat int) *lab.Result {
	best, why := bounds(s, m, n)
	r := &lab.Result{
		Run: lab.Run{Purpose: p, Place: w, Model: m, Scenario: s, Repeat: repeat, Seed: 1 + uint64(repeat), Vary: vary},
		N:   n, Done: n,
	}
	more := map[lab.Model]float64{lab.ClientServer: 1.02, lab.PeerToPeer: 1.38, lab.Hybrid: 1.29}[m]
	switch w {
	case lab.InBound:
		r.Last = secondsOf(best)
		r.Bound = &lab.Bound{Last: secondsOf(best), Raw: secondsOf(best * s.Payload), Name: "B2", Why: why, Crossover: 0.4, Offload: 0.9, Stable: 0.07, Streaming: 2e6}
		return r
	case lab.InReal:
		more += 0.03
		r.Use = &lab.Use{Shaping: "network namespaces", Busy: 0.41, Calibrated: 1.004, OriginCPU: 1.2, PeerCPU: 9.1, OriginRSS: 41 << 20, PeerRSS: 38 << 20}
	}
	more *= 1 + 0.01*float64(repeat)
	spread(r, best*more)
	given(s, r)
	return r
}

func secondsOf(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// spread fills in the times: an S-shaped curve that ends at last.
func spread(r *lab.Result, last float64) {
	from := map[lab.Model]float64{lab.ClientServer: 0.97, lab.PeerToPeer: 0.80, lab.Hybrid: 0.76}[r.Run.Model]
	for i := range r.N {
		share := 1.0
		if r.N > 1 {
			share = float64(i) / float64(r.N-1)
		}
		at := secondsOf(last * (from + (1-from)*share*share*(3-2*share)))
		r.Times = append(r.Times, at)
		r.Progress = append(r.Progress, lab.Point{At: at, N: i + 1})
		r.Mean += at / time.Duration(r.N)
	}
	r.Last, r.Took, r.P99 = secondsOf(last), secondsOf(last), secondsOf(last*0.999)
	r.Median, r.First = r.Times[r.N/2], 300*time.Millisecond
	for i := range 60 {
		x := float64(i) / 59
		mean := float64(r.N) * math.Pow(x, 1.4)
		low := max(0, math.Floor(mean-3-6*x*(1-x)))
		if x == 1 {
			low = float64(r.N)
		}
		r.Copies = append(r.Copies, lab.Copies{At: secondsOf(last * x), Min: int(low), Mean: mean})
	}
	r.OneOut = secondsOf(last * 0.45)
}

// given fills in who gave to whom.
func given(s lab.Scenario, r *lab.Result) {
	size, all := int64(s.Size), int64(s.Size)*int64(r.N)
	share := map[lab.Model]float64{lab.ClientServer: 1, lab.PeerToPeer: 1.05 / float64(r.N), lab.Hybrid: 1.2 / float64(r.N)}[r.Run.Model]
	r.FromOrigin = min(all, int64(share*float64(all)))
	r.FromPeers = all - r.FromOrigin
	r.Jain, r.Gini = 0.98, 0.12
	r.Nodes = []lab.Node{{Name: "origin", Origin: true, Gave: r.FromOrigin}}
	for i := range r.N {
		r.Nodes = append(r.Nodes, lab.Node{Name: fmt.Sprintf("receiver %d", i+1), Took: size, Gave: r.FromPeers / int64(r.N), Done: r.Times[i]})
	}
	if r.N+1 > lab.MaxPairs {
		return
	}
	for to := 1; to <= r.N; to++ {
		r.Pairs = append(r.Pairs, lab.Pair{From: 0, To: to, Bytes: r.FromOrigin / int64(r.N)})
		for from := 1; from <= r.N && r.FromPeers > 0; from++ {
			if from != to {
				r.Pairs = append(r.Pairs, lab.Pair{From: from, To: to, Bytes: r.FromPeers / int64(r.N*(r.N-1)) * int64(1+(from*7+to*3)%5) / 3})
			}
		}
	}
}

// survived lets the receivers of a killed origin finish or not.
func survived(r *lab.Result) *lab.Result {
	n := 0
	switch {
	case r.Run.Model != lab.ClientServer && r.Run.Vary >= 0.25:
		n = r.N
	case r.Run.Model == lab.Hybrid && r.Run.Vary > 0:
		n = r.N * 3 / 4
	}
	r.Done, r.Times, r.Progress = n, r.Times[:n], r.Progress[:n]
	if n < r.N {
		r.Incomplete = "the origin died with 17 of 256 pieces not out"
	}
	if n == 0 {
		r.Last, r.Median, r.P99, r.Mean = 0, 0, 0, 0
	}
	r.Killed = []time.Duration{secondsOf(r.Run.Vary * r.Took.Seconds())}
	return r
}

func table() lab.Table {
	cell := func(label, unit string, tag lab.Tag, values ...float64) (out [3]lab.Figure) {
		for i, v := range values {
			f := lab.Figure{Label: label, Value: v, Unit: unit, Tag: tag, Text: fmt.Sprintf("%g %s", v, unit), Best: v == slices.Min(values)}
			if tag != lab.Analytic && tag != lab.Counted {
				f.Runs, f.Spread = 3, v*0.02
			}
			out[i] = f
		}
		return out
	}
	say := func(label string, texts ...string) (out [3]lab.Figure) {
		for i, t := range texts {
			out[i] = lab.Figure{Label: label, Text: t, Tag: lab.Counted}
		}
		return out
	}
	row := func(name, asks string, cells ...[3]lab.Figure) lab.Row {
		r := lab.Row{Name: name, Asks: asks, Cells: map[lab.Model][]lab.Figure{}}
		for _, c := range cells {
			for i, m := range lab.Models() {
				if c[i].Label != "" {
					r.Cells[m] = append(r.Cells[m], c[i])
				}
			}
		}
		return r
	}
	return lab.Table{Models: lab.Models(), Rows: []lab.Row{
		row("architecture and roles", "Who gives, who takes, and who may stop it all?",
			say("roles", "one gives, all others take", "every node gives and takes", "every node gives and takes, one of them by contract"),
			cell("given by the origin", "%", lab.Measured, 100, 4.4, 5),
			say("stops the service", "the server", "no single node, once a copy is out", "no single node, once a copy is out")),
		row("scalability", "How does the time grow with the receivers?",
			cell("slope of time against N", "", lab.Simulated, 0.98, 0.11, 0.1),
			cell("origin bytes per receiver", "MiB", lab.Measured, 64, 2.8, 3.2)),
		row("performance", "How long until they have it?",
			cell("last receiver", "s", lab.Measured, 338, 39, 36.5),
			cell("last receiver", "s", lab.Simulated, 331, 38, 35.5),
			cell("last receiver", "s", lab.Analytic, 322, 27.4, 27.4),
			cell("median receiver", "s", lab.Measured, 333, 36, 33)),
		row("cost", "Who pays how much?",
			cell("operator", "$", lab.Simulated, 0.147, 0.0064, 0.0075),
			cell("receivers", "$", lab.Simulated, 0, 0, 0)),
		row("typical uses", "What is it right for?",
			say("this scenario", "few receivers, strict control", "one publisher, many takers", "many takers under accounts")),
	}}
}

func verdict() lab.Verdict {
	estimate := func(m lab.Model, took time.Duration, op float64) lab.Estimate {
		return lab.Estimate{
			Model: m, Tag: lab.Simulated, Time: took, Availability: 0.996, Outlives: m != lab.ClientServer,
			Revocation: time.Minute, Audit: m != lab.PeerToPeer, Uploads: m != lab.ClientServer, Server: m != lab.PeerToPeer, Operator: op,
		}
	}
	return lab.Verdict{
		Model: lab.Hybrid, Why: "Hybrid: all 24 have it in 36 s instead of 5m38s, and it goes on when the server dies.",
		Estimate: estimate(lab.Hybrid, 36*time.Second, 0.0075),
		Others:   []lab.Estimate{estimate(lab.PeerToPeer, 39*time.Second, 0.0064), estimate(lab.ClientServer, 338*time.Second, 0.147)},
		Dropped:  map[lab.Model]string{lab.ClientServer: "5m38s is past the deadline of 2m0s"},
		Margin:   "8 % faster than peer-to-peer at the same cost within 5 %",
		Flip:     &lab.Flip{Input: "receivers", From: "24", To: "3", Model: lab.ClientServer},
	}
}
