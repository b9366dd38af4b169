package bound

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// ten is the scenario of docs/benchmarks.md.
func ten() lab.Scenario {
	return lab.Scenario{
		Size: 64 << 20, Piece: 64 << 10,
		Origin:    lab.Origin{Count: 1, Up: 40 * mbit, MTTF: lab.Duration(1000 * time.Hour), MTTR: lab.Duration(4 * time.Hour)},
		Receivers: []lab.Group{{Count: 10, Up: 20 * mbit, Down: 100 * mbit}},
		Arrivals:  lab.Arrivals{Kind: "flash"}, Stay: lab.Stay{Kind: "leave"},
		Payload: 1448. / 1514,
	}
}

func with(change func(*lab.Scenario)) lab.Scenario {
	s := ten()
	change(&s)
	return s
}

func TestWhichTermBinds(t *testing.T) {
	killed := func(who string, share, at float64) func(*lab.Scenario) {
		return func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: who, Share: share, At: at}} }
	}
	for _, c := range []struct {
		name   string
		model  lab.Model
		s      lab.Scenario
		by     string
		why    string
		raw    float64
		really bool // raw is never
	}{
		{"a server sends ten copies", lab.ClientServer, ten(), "B1", "origin's upload", 134.217728, false},
		{"peers share the work", lab.PeerToPeer, ten(), "B2", "all uploads", 22.36962, false},
		{"so they do with a server", lab.Hybrid, ten(), "B2", "all uploads", 22.36962, false},
		{"two servers", lab.ClientServer, with(func(s *lab.Scenario) { s.Origin.Count = 2 }), "B1", "2 origins", 67.108864, false},
		{"one slow receiver", lab.ClientServer, with(func(s *lab.Scenario) {
			s.Receivers = append(s.Receivers, lab.Group{Count: 1, Up: mbit, Down: mbit})
		}), "B1", "slowest download", 536.870912, false},
		{"large pieces and strong peers wait for the last piece", lab.PeerToPeer, with(func(s *lab.Scenario) {
			s.Piece, s.Receivers[0].Up = 16<<20, 100*mbit
		}), "B6", "last piece", 0, false},
		{"free-riders are as receivers without uplink", lab.Hybrid, with(func(s *lab.Scenario) {
			s.Hostile.FreeRiders = 1
		}), "B2", "all uploads", 134.217728, false},
		{"if nobody can be reached, the origin serves all", lab.PeerToPeer, with(func(s *lab.Scenario) {
			s.Hostile.Unreachable = 1
		}), "B4", "cannot", 134.217728, false},
		{"the origin dies late", lab.PeerToPeer, with(killed("origin", 1, 0.5)), "B2", "all uploads", 22.36962, false},
		{"the origin dies before one copy is out", lab.Hybrid, with(killed("origin", 1, 0.05)), "B2", "one copy", 0, true},
		{"the server dies halfway", lab.ClientServer, with(killed("origin", 1, 0.5)), "B1", "dies", 0, true},
		{"one of two servers dies", lab.ClientServer, with(func(s *lab.Scenario) {
			killed("origin", 0.5, 0.5)(s)
			s.Origin.Count = 2
		}), "B1", "2 origins", 67.108864, false},
		{"half the receivers die", lab.ClientServer, with(killed("peers", 0.5, 0.5)), "B1", "origin's upload", 67.108864, false},
		{"all receivers die", lab.PeerToPeer, with(killed("peers", 1, 0.5)), "B2", "all receivers", 0, true},
		{"no downlink", lab.PeerToPeer, with(func(s *lab.Scenario) { s.Receivers[0].Down = 0 }), "B2", "downloads nothing", 0, true},
		{"no origin", lab.PeerToPeer, with(func(s *lab.Scenario) { s.Origin.Up = 0 }), "B2", "uploads nothing", 0, true},
		{"nobody waits for poisoners", lab.ClientServer, with(func(s *lab.Scenario) { s.Hostile.Poisoners = 0.5 }), "B1", "origin's upload", 67.108864, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := For(c.s, c.model)
			if b.Name != c.by || !strings.Contains(b.Why, c.why) {
				t.Errorf("%s binds: %s", b.Name, b.Why)
			}
			if c.really != (b.Last == never) || c.really != (b.Raw == never) {
				t.Fatalf("last %s, raw %s", b.Last, b.Raw)
			}
			if want := c.raw; want > 0 && math.Abs(b.Raw.Seconds()-want) > 1e-5 {
				t.Errorf("%s, want %g s", b.Raw, want)
			}
			if c.raw > 0 && math.Abs(b.Last.Seconds()*c.s.Payload-c.raw) > 1e-5 {
				t.Errorf("with headers %s", b.Last)
			}
		})
	}
}

func TestFiguresBesideTheTime(t *testing.T) {
	s := with(func(s *lab.Scenario) { s.Payload = 1 })
	server, peers := For(s, lab.ClientServer), For(s, lab.PeerToPeer)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"a server of 40 Mbit/s cannot fill one downlink of 100", peers.Crossover, 0.4},
		{"ten watch at 24 Mbit/s", peers.Streaming, 3e6},
		{"or at 4 without peers", server.Streaming, 5e5},
		{"peers give five sixths", peers.Offload, 5. / 6},
		{"of a server nobody takes anything off", server.Offload, 0},
		{"a server serves one in 13.4 s", server.Stable, 5e6 / (64 << 20)},
		{"a swarm 1,024 times as many", peers.Stable, 5e6 / (64 << 10)},
		{"those who stay sustain it", For(with(func(s *lab.Scenario) { s.Stay.Kind = "end" }), lab.PeerToPeer).Stable, math.MaxFloat64},
		{"a second at 20 Mbit/s is more than one piece", For(with(func(s *lab.Scenario) {
			s.Stay = lab.Stay{Kind: "for", For: lab.Duration(time.Second)}
		}), lab.Hybrid).Stable, math.MaxFloat64},
		{"two copies of ten leave eight to the peers", For(with(func(s *lab.Scenario) {
			s.Origin.Copies, s.Receivers[0].Up = 2, mbit
		}), lab.Hybrid).Offload, 0.8},
		{"rounds need equal uplinks", float64(peers.Rounds), 0},
		{"1,024 + 3 rounds of 64 KiB", For(with(func(s *lab.Scenario) {
			s.Payload, s.Receivers[0].Up = 1, 40*mbit
		}), lab.PeerToPeer).Rounds.Seconds(), 1027 * (64 << 10) / 5e6},
	} {
		if math.Abs(c.got-c.want) > 1e-9*math.Abs(c.want)+1e-9 {
			t.Errorf("%s: %g, want %g", c.name, c.got, c.want)
		}
	}
}

// drawScenario draws anything that Complete may leave.
func drawScenario(t *rapid.T) lab.Scenario {
	rate := rapid.Custom(func(t *rapid.T) units.Rate { return units.Rate(rapid.Int64Range(1<<10, 1<<30).Draw(t, "rate")) })
	s := lab.Scenario{
		Size:     units.Size(rapid.Int64Range(1, 1<<40).Draw(t, "size")),
		Piece:    units.Size(1) << rapid.IntRange(14, 24).Draw(t, "piece"),
		Origin:   lab.Origin{Count: rapid.IntRange(1, 4).Draw(t, "origins"), Up: rate.Draw(t, "origin"), MTTF: 1e15, MTTR: 1e13},
		Arrivals: lab.Arrivals{Kind: "flash"}, Stay: lab.Stay{Kind: rapid.SampledFrom([]string{"leave", "end"}).Draw(t, "stay")},
		Payload: rapid.Float64Range(0.5, 1).Draw(t, "payload"),
	}
	for range rapid.IntRange(1, 4).Draw(t, "groups") {
		s.Receivers = append(s.Receivers, lab.Group{Count: rapid.IntRange(1, 1e6).Draw(t, "count"), Up: rate.Draw(t, "up") - 1024, Down: rate.Draw(t, "down")})
	}
	share := rapid.Float64Range(0, 0.4)
	s.Hostile = lab.Mischief{Poisoners: share.Draw(t, "poisoners"), FreeRiders: share.Draw(t, "free-riders"), Unreachable: share.Draw(t, "unreachable")}
	if rapid.Bool().Draw(t, "kill") {
		s.Kills = []lab.Kill{{Who: rapid.SampledFrom([]string{"origin", "peers"}).Draw(t, "who"), Share: share.Draw(t, "share"), At: share.Draw(t, "at")}}
	}
	if rapid.Bool().Draw(t, "arrivals") {
		s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: rapid.Float64Range(1e-3, 1e3).Draw(t, "arrivals per second")}
	}
	return s
}

// most is what rounding down to nanoseconds and float64 may change.
func most(d time.Duration) time.Duration {
	if d > never-d/1e9-2 {
		return never
	}
	return d + d/1e9 + 2
}

func TestHybridIsNeverWorseThanEither(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		h := For(s, lab.Hybrid)
		for _, m := range []lab.Model{lab.ClientServer, lab.PeerToPeer} {
			// What spreads last is no worry of a server that sends every copy itself, nor is
			// who can be reached.
			if b := For(s, m); h.Last > most(b.Last) {
				t.Fatalf("hybrid %s (%s), %s %s", h.Last, h.Why, m, b.Last)
			}
		}
	})
}

func TestMoreCapacityIsNeverSlower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		more := s
		more.Receivers = append([]lab.Group(nil), s.Receivers...)
		by := units.Rate(rapid.Int64Range(1, 1<<30).Draw(t, "more"))
		switch rapid.IntRange(0, 4).Draw(t, "of what") {
		case 0:
			more.Origin.Up += by
		case 1:
			more.Origin.Count++
			more.Kills = nil // a share of more origins rounds otherwise
			s.Kills = nil
		case 2:
			more.Receivers[0].Up += by
		case 3:
			more.Receivers[0].Down += by
		case 4:
			more.Payload = min(1, s.Payload*1.1)
		}
		for _, m := range lab.Models() {
			if a, b := For(s, m), For(more, m); b.Last > most(a.Last) || b.Raw > most(a.Raw) || b.Streaming < a.Streaming*(1-1e-9) {
				t.Fatalf("%s: %+v, with more %+v", m, a, b)
			}
		}
	})
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		s.Kills = nil
		m := rapid.SampledFrom(lab.Models()).Draw(t, "model")
		b := For(s, m)
		k := rapid.IntRange(2, 5).Draw(t, "times")
		near := func(what string, got time.Duration, want float64) {
			if w := want * float64(b.Last); math.Abs(float64(got)-w) > 1e-9*w+float64(k)+2 && w < math.MaxInt64/2 {
				t.Fatalf("%s: %s, not %g x %s", what, got, want, b.Last)
			}
		}
		one := s
		one.Origin.Up *= units.Rate(s.Origin.Count)
		one.Origin.Count = 1
		near("one origin as strong as all", For(one, m).Last, 1)

		big := s
		big.Size *= units.Size(k)
		big.Piece *= units.Size(k)
		near("everything larger", For(big, m).Last, float64(k))

		if b.Raw > most(b.Last) {
			t.Fatalf("whole links take %s, and what content can use of them %s", b.Raw, b.Last)
		}
		if b.Offload < 0 || b.Offload > 1 || m == lab.ClientServer && b.Offload != 0 {
			t.Fatalf("offload %g", b.Offload)
		}
		if _, err := json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	})
}

func TestARunByFormula(t *testing.T) {
	s := ten()
	r, err := World{}.Run(t.Context(), lab.Run{Place: lab.InBound, Model: lab.PeerToPeer, Scenario: s})
	if err != nil {
		t.Fatal(err)
	}
	if r.Last != r.Bound.Last || r.Done != 10 || r.N != 10 || r.FromOrigin+r.FromPeers != 10*64<<20 || r.Incomplete != "" {
		t.Errorf("%+v", r)
	}
	s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.5}}
	if r, err = (World{}).Run(t.Context(), lab.Run{Model: lab.ClientServer, Scenario: s}); err != nil || r.Done != 0 || r.Incomplete == "" || r.Last != 0 {
		t.Errorf("a run that cannot end: %+v, %v", r, err)
	}
}
