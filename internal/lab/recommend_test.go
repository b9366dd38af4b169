package lab

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/units"
)

// textbook estimates by Kurose and Ross: enough of a theory to recommend by.
func textbook(s Scenario) []Estimate {
	n, size := float64(s.N()), float64(s.Size)
	var ups float64
	down := math.Inf(1)
	for _, g := range s.Receivers {
		ups += float64(g.Count) * float64(g.Up)
		down = min(down, float64(g.Down))
	}
	us := float64(s.Origin.Up)
	span := func(v float64) time.Duration { return time.Duration(v * 1e9) }
	alone := span(max(n*size/us, size/down))
	together := span(max(size/us, size/down, n*size/(us+ups)))
	a := float64(s.Origin.MTTF) / (float64(s.Origin.MTTF) + float64(s.Origin.MTTR))
	offload := min(ups/(us+ups), 1-1/n)
	out := []Estimate{
		{Model: ClientServer, Tag: Analytic, Time: alone, Availability: a, Revocation: time.Second, Audit: true, Server: true},
		{Model: PeerToPeer, Tag: Analytic, Time: together, Availability: 0.5, Outlives: true, Revocation: math.MaxInt64, Uploads: true},
		{Model: Hybrid, Tag: Analytic, Time: together, Availability: 1 - (1-a)/2, Outlives: true, Revocation: 24 * time.Hour, Uploads: true, Server: true},
	}
	for i := range out {
		share := 1.0
		if out[i].Uploads {
			share -= offload
		}
		out[i].Operator, out[i].Peers = Cost(s, out[i].Model, int64(share*n*size), int64((1-share)*n*size), out[i].Time)
	}
	return out
}

// office is ten receivers on home links, at an origin of no price.
func office() Scenario {
	return Scenario{
		Size: 64 << 20, Piece: 1 << 18,
		Origin:    Origin{Count: 1, Up: 5e6, MTTF: Duration(1000 * time.Hour), MTTR: Duration(4 * time.Hour)},
		Receivers: []Group{{Count: 10, Up: 2.5e6, Down: 12.5e6}},
		Stay:      Stay{Kind: "leave"},
	}
}

func TestRecommend(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Scenario)
		want   Model
		why    string
		margin string
	}{
		{"peers are faster where the origin's link is the limit", nil, PeerToPeer, "everybody has it after 22 s", "as cheap and as fast as hybrid"},
		{
			"client-server is enough for two receivers on slow downlinks",
			func(s *Scenario) { s.Receivers = []Group{{Count: 2, Up: 2.5e6, Down: 2.5e6}} },
			ClientServer, "client-server is enough", "simpler",
		},
		{
			"client-server is enough for a small file, since nobody changes a network for a second",
			func(s *Scenario) { s.Size = 256 << 10 }, ClientServer, "client-server is enough", "simpler",
		},
		{
			"weak uplinks leave the server alone",
			func(s *Scenario) { s.Receivers[0].Up = 10e3 }, ClientServer, "client-server is enough", "simpler",
		},
		{
			"only the server keeps a record of every download",
			func(s *Scenario) { s.Needs.Audit = true }, ClientServer, "nothing else fits", "the only one",
		},
		{
			"only the server ends access within a minute",
			func(s *Scenario) { s.Needs.Revocation = Duration(time.Minute) }, ClientServer, "access cannot be taken back", "the only one",
		},
		{
			"receivers that may not upload need the server",
			func(s *Scenario) { s.Needs.NoUpload = true }, ClientServer, "receivers would upload", "the only one",
		},
		{
			"the hybrid ends access within two days and is as fast as peers",
			func(s *Scenario) {
				s.Needs.Revocation, s.Needs.Deadline = Duration(48*time.Hour), Duration(30*time.Second)
			},
			Hybrid, "it takes 2m14s, and the deadline is 30s", "the only one",
		},
		{
			"the hybrid is there more of the time than a server alone",
			func(s *Scenario) { s.Needs.Availability = 0.997 }, Hybrid, "99.7 % are needed", "the only one",
		},
		{
			"nobody to trust leaves peers",
			func(s *Scenario) { s.Needs.NoServer = true }, PeerToPeer, "trusted with a server", "the only one",
		},
		{
			"what a record needs and what outliving needs no model has",
			func(s *Scenario) { s.Needs.Audit, s.Needs.Outlive = true, true }, "", "no model fits", "",
		},
		{
			"peers are cheaper where bytes cost",
			func(s *Scenario) { s.Prices.Egress, s.Receivers[0].Count = 0.09, 10_000 }, PeerToPeer, "everybody has it after", "as cheap and as fast as hybrid",
		},
		{
			"the server is cheapest where peers pay most",
			func(s *Scenario) { s.Prices.Peer, s.Receivers[0].Count = 1, 100 }, ClientServer, "client-server is enough", "cheaper than",
		},
		{
			"only the models asked about are looked at",
			func(s *Scenario) { s.Models = []Model{Hybrid} }, Hybrid, "everybody has it after", "the only one",
		},
		{
			"between two models the faster one at the same cost",
			func(s *Scenario) { s.Models = []Model{ClientServer, Hybrid} }, Hybrid, "the next best, client-server", "6x as fast as client-server",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := office()
			if c.change != nil {
				c.change(&s)
			}
			v := Recommend(s, textbook)
			if v.Model != c.want || !strings.Contains(v.Why, c.why) || !strings.Contains(v.Margin, c.margin) {
				t.Fatalf("%s, margin %q, because %q; want %s, %q, %q", v.Model, v.Margin, v.Why, c.want, c.margin, c.why)
			}
			if v.Model != "" && v.Estimate.Model != v.Model || len(v.Others)+min(len(v.Model), 1) != max(len(s.Models), 3*(1-min(len(s.Models), 1))) {
				t.Errorf("estimate of %s, %d others", v.Estimate.Model, len(v.Others))
			}
		})
	}
}

func TestEqualModels(t *testing.T) {
	never := time.Duration(math.MaxInt64)
	for _, c := range []struct {
		name string
		// cost in dollars and time: client-server, peer-to-peer, hybrid
		cost [3]float64
		time [3]time.Duration
		want Model
	}{
		{"all alike: the simplest", [3]float64{5, 5, 5}, [3]time.Duration{60e9, 60e9, 60e9}, ClientServer},
		{"under a dollar is no difference, so the fastest", [3]float64{0.9, 0, 0.5}, [3]time.Duration{60e9, 60e9, 30e9}, Hybrid},
		{"a dollar is one", [3]float64{1.5, 0, 1.5}, [3]time.Duration{10e9, 60e9, 10e9}, PeerToPeer},
		{"under 5 % of the cost is none", [3]float64{104, 100, 104}, [3]time.Duration{10e9, 60e9, 60e9}, ClientServer},
		{"more than 5 % is one", [3]float64{106, 100, 106}, [3]time.Duration{10e9, 60e9, 60e9}, PeerToPeer},
		{"under 5 % of the time is none", [3]float64{}, [3]time.Duration{104e9, 100e9, 100e9}, ClientServer},
		{"more than 5 % is one, and peers are simpler than both", [3]float64{}, [3]time.Duration{106e9, 100e9, 100e9}, PeerToPeer},
		{"under a second is none", [3]float64{}, [3]time.Duration{1.9e9, 1e9, 1e9}, ClientServer},
		{"who never ends does not count", [3]float64{0, 9, 100}, [3]time.Duration{never, never, 5e9}, Hybrid},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Recommend(office(), func(Scenario) (out []Estimate) {
				for i, m := range Models() {
					out = append(out, Estimate{Model: m, Time: c.time[i], Operator: c.cost[i], Availability: 1})
				}
				return out
			})
			if v.Model != c.want {
				t.Fatalf("%s because %q, want %s", v.Model, v.Why, c.want)
			}
			if v.Flip != nil && v.Flip.Input != "the deadline" {
				t.Errorf("what does not depend on inputs is flipped by %+v", v.Flip)
			}
		})
	}
}

func TestNothingKnownIsNoVerdict(t *testing.T) {
	v := Recommend(office(), func(Scenario) []Estimate { return nil })
	if v.Model != "" || v.Flip != nil || v.Why == "" {
		t.Fatalf("%+v", v)
	}
}

func TestFlip(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Scenario)
		input  string
		model  Model
	}{
		{"more receivers make peers worth it", func(s *Scenario) { s.Receivers = []Group{{Count: 30, Up: 2.5e6, Down: 1.6e5}} }, "receivers", PeerToPeer},
		{"a little less content meets the deadline", func(s *Scenario) {
			s.Needs = Needs{Audit: true, Deadline: Duration(2 * time.Minute)}
		}, "the size", ClientServer},
		{"a server that is there more of the time", func(s *Scenario) {
			s.Models, s.Needs.Availability = []Model{ClientServer}, 0.9965
		}, "the origin's mean time to failure", ClientServer},
		{"a yes or no where quantities change nothing", func(s *Scenario) { s.Needs.Audit, s.Needs.Outlive = true, true }, "it must outlive the origin", ClientServer},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := office()
			c.change(&s)
			v := Recommend(s, textbook)
			if v.Flip == nil || v.Flip.Input != c.input || v.Flip.Model != c.model || v.Flip.From == v.Flip.To {
				t.Fatalf("%s (%s): %+v, want %s to %s", v.Model, v.Why, v.Flip, c.input, c.model)
			}
		})
	}
}

// drawn is any scenario that could be asked about.
func drawn(t *rapid.T) Scenario {
	s := office()
	s.Size = units.Size(rapid.Int64Range(1, 1<<40).Draw(t, "size"))
	rate := rapid.Int64Range(2048, 1e10)
	s.Origin.Up = units.Rate(rate.Draw(t, "origin"))
	s.Receivers = nil
	for range rapid.IntRange(1, 3).Draw(t, "groups") {
		s.Receivers = append(s.Receivers, Group{
			Count: rapid.IntRange(1, 5000).Draw(t, "count"),
			Up:    units.Rate(rate.Draw(t, "up") * int64(rapid.IntRange(0, 1).Draw(t, "gives"))),
			Down:  units.Rate(rate.Draw(t, "down")),
		})
	}
	s.Prices.Egress = rapid.SampledFrom([]float64{0, 0.005, 0.09}).Draw(t, "egress")
	s.Prices.Staff = rapid.SampledFrom([]float64{0, 60}).Draw(t, "staff")
	s.Needs = Needs{
		Deadline:     Duration(rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "deadline")),
		Availability: rapid.SampledFrom([]float64{0, 0.9, 0.997, 0.9999}).Draw(t, "availability"),
		Revocation:   Duration(rapid.SampledFrom([]time.Duration{0, time.Minute, 48 * time.Hour}).Draw(t, "revocation")),
		NoUpload:     rapid.Bool().Draw(t, "no upload"),
	}
	return s
}

func TestJustBeforeItsFlipAVerdictHoldsAndJustAfterItDoesNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)
		whole := append([]Group(nil), s.Receivers...)
		r := decide(s, textbook)
		v := Verdict{Model: r.model(), Estimate: r.won}
		c := smallest(s, v, textbook)
		for i := range whole {
			if whole[i] != s.Receivers[i] {
				t.Fatal("looking for the flip changed the scenario")
			}
		}
		if c == nil {
			return
		}
		if got := decide(c.before, textbook).model(); got != v.Model {
			t.Fatalf("%+v: just before it is %s, not %s any more", c.flip, got, v.Model)
		}
		if got := decide(c.after, textbook).model(); got == v.Model || got != c.flip.Model {
			t.Fatalf("%+v: just after it is %s, %s before", c.flip, got, v.Model)
		}
		if c.size < 1 || c.size > 64*1.2 {
			t.Fatalf("%+v is a change by %g", c.flip, c.size)
		}
	})
}

func TestWhatIsSpelledIsWhatWasLookedAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)
		factor := math.Exp2(rapid.Float64Range(-6, 6).Draw(t, "factor"))
		if sizeInput().scale(&s, factor) {
			if got, err := units.ParseSize(spellSize(s.Size)); err != nil || got != s.Size {
				t.Fatalf("size %d is written %s and read %d, %v", s.Size, spellSize(s.Size), got, err)
			}
		}
		if in := rateInput("", "", func(s *Scenario) []*units.Rate { return []*units.Rate{&s.Origin.Up} }); in.scale(&s, factor) {
			if got, err := units.ParseRate(in.spell(&s)); err != nil || got != s.Origin.Up {
				t.Fatalf("rate %d is written %s and read %d, %v", s.Origin.Up, in.spell(&s), got, err)
			}
		}
		if in := timeInput("", "", func(s *Scenario) *Duration { return &s.Needs.Deadline }); in.scale(&s, factor) {
			if got, err := time.ParseDuration(in.spell(&s)); err != nil || got != time.Duration(s.Needs.Deadline) {
				t.Fatalf("time %d is written %s and read %d, %v", s.Needs.Deadline, in.spell(&s), got, err)
			}
		}
		n := s.N()
		if receiversInput().scale(&s, factor) && s.N() != int(math.Round(float64(n)*factor)) {
			t.Fatalf("%d receivers times %g are %d", n, factor, s.N())
		}
	})
}

func TestRefinedEstimatesAreWhatWasFound(t *testing.T) {
	s := office()
	s.Prices = Prices{Egress: 0.09, Peer: 0.01}
	results := []*Result{
		run(InSim, PeerToPeer, 30*time.Second), run(InSim, Hybrid, 31*time.Second), run(InReal, Hybrid, 40*time.Second),
		run(InReal, ClientServer, time.Second, func(r *Result) { r.Void = "the machine was busy" }),
		run(InSim, Hybrid, time.Second, kind(Survival, 0.6, LabelOneCopy), func(r *Result) { r.Done = 3 }),
	}
	estimate := Refine(s, results, textbook)
	by := func(list []Estimate) (c, p, h Estimate) { return list[0], list[1], list[2] }
	c, p, h := by(estimate(s))
	theory, inTheory, _ := by(textbook(s))
	if c != theory {
		t.Errorf("without results that count client-server is %+v", c)
	}
	near := func(a, b time.Duration) bool { return a-b < time.Millisecond && b-a < time.Millisecond }
	if !near(p.Time, 30*time.Second) || p.Tag != Simulated || !near(h.Time, 40*time.Second) || h.Tag != Measured || h.Outlives || !p.Outlives {
		t.Errorf("peer-to-peer %+v, hybrid %+v", p, h)
	}
	operator, peers := Cost(s, PeerToPeer, results[0].FromOrigin, results[0].FromPeers, results[0].Took)
	if math.Abs(p.Operator-operator) > 1e-9 || math.Abs(p.Peers-peers) > 1e-9 {
		t.Errorf("peer-to-peer costs %g and %g, found %g and %g", p.Operator, p.Peers, operator, peers)
	}
	double := s.Clone()
	double.Receivers[0].Count *= 2
	_, p2, h2 := by(estimate(double))
	_, inTheory2, _ := by(textbook(double))
	if got, want := p2.Time.Seconds()/p.Time.Seconds(), inTheory2.Time.Seconds()/inTheory.Time.Seconds(); math.Abs(got-want) > 1e-6 || h2.Outlives {
		t.Errorf("twice the receivers take %g times as long, in theory %g", got, want)
	}
	broken := Refine(s, []*Result{run(InSim, PeerToPeer, time.Second, func(r *Result) { r.Done = 9 })}, textbook)
	if _, p, _ := by(broken(s)); p.Time != math.MaxInt64 {
		t.Errorf("with one receiver left without it takes %s", p.Time)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		money(0): "$0", money(0.0042): "$0.0042", money(12.4): "$12.40", money(1234567): "$1,234,567", money(999): "$999.00",
		percent(1): "100 %", percent(0.5): "50 %", percent(0.996): "99.6 %", percent(0.999999): "99.9999 %", percent(0): "0 %",
		percent(1. / 3): "33.3 %", took(math.MaxInt64): "forever", took(2 * time.Second): "2.0 s",
		spellTime(90 * time.Minute): "1h30m", spellTime(time.Hour): "1h", spellTime(10 * time.Second): "10s",
		spellSize(64 << 20): "64MiB", spellSize(1e9): "1GB", spellSize(3): "3B", spellRate(5e6): "40Mbit", spellRate(0): "0",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
