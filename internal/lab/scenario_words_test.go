package lab

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFlagValuesAreReadAndWritten(t *testing.T) {
	type words struct {
		name, text string
		read       func(string) (any, error)
		want       any // nil: refused
		back       string
	}
	arrivals := func(s string) (any, error) { return ParseArrivals(s) }
	stay := func(s string) (any, error) { return ParseStay(s) }
	kill := func(s string) (any, error) { return ParseKill(s) }
	span := func(s string) (any, error) { return ParseDuration(s) }
	for _, c := range []words{
		{"all at once", "flash", arrivals, Arrivals{Kind: Flash}, "flash"},
		{"two a second", "poisson:2", arrivals, Arrivals{Poisson, 2}, "poisson:2"},
		{"thirty a minute", "poisson:30/min", arrivals, Arrivals{Poisson, 0.5}, "poisson:0.5"},
		{"nobody", "poisson:0", arrivals, nil, ""},
		{"fewer", "poisson:-1", arrivals, nil, ""},
		{"no number", "poisson:nan", arrivals, nil, ""},
		{"everybody ever", "poisson:inf", arrivals, nil, ""},
		{"no rate", "poisson", arrivals, nil, ""},
		{"a rate of all at once", "flash:2", arrivals, nil, ""},
		{"a strange unit", "poisson:2/week", arrivals, nil, ""},
		{"leave", "leave", stay, Stay{Kind: StayLeave}, "leave"},
		{"until the end", "end", stay, Stay{Kind: StayEnd}, "end"},
		{"ten minutes", "10m", stay, Stay{StayFor, Duration(10 * time.Minute)}, "10m0s"},
		{"no time", "0s", stay, nil, ""},
		{"less", "-1m", stay, nil, ""},
		{"for ever", "ever", stay, nil, ""},
		{"the origin halfway", "origin@50%", kill, Kill{KillOrigin, 1, 0.5}, "origin@50%"},
		{"a third of the peers", "peers:30%@50%", kill, Kill{KillPeers, 0.3, 0.5}, "peers:30%@50%"},
		{"half the origins, as shares", "origin:0.5@0.25", kill, Kill{KillOrigin, 0.5, 0.25}, "origin:50%@25%"},
		{"a third exactly", "origin@0.3333333333333333", kill, Kill{KillOrigin, 1, 1. / 3}, "origin@0.3333333333333333"},
		{"when?", "origin", kill, nil, ""},
		{"who?", "@50%", kill, nil, ""},
		{"somebody else", "moon@50%", kill, nil, ""},
		{"after the end", "origin@150%", kill, nil, ""},
		{"nobody of them", "peers:0%@50%", kill, nil, ""},
		{"more than all", "peers:101%@50%", kill, nil, ""},
		{"not a number", "origin@nan%", kill, nil, ""},
		{"days", "7d", span, Duration(168 * time.Hour), "168h0m0s"},
		{"days and hours", "1d12h", span, Duration(36 * time.Hour), "36h0m0s"},
		{"no unit", "5", span, nil, ""},
		{"no number of days", "d", span, nil, ""},
		{"more days than there are", "99999999999d", span, nil, ""},
		{"hours taken off a day", "1d-1h", span, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.read(c.text)
			if (err == nil) != (c.want != nil) || err == nil && got != c.want {
				t.Fatalf("%q is %+v, %v; want %+v", c.text, got, err, c.want)
			}
			if err == nil {
				if text := got.(interface{ String() string }).String(); text != c.back {
					t.Errorf("written %q, want %q", text, c.back)
				}
			} else if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q does not say what was wrong", err)
			}
		})
	}
}

func TestWordsReadWhatTheyWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Kill{rapid.SampledFrom([]string{KillOrigin, KillPeers}).Draw(t, "who"), rapid.Float64Range(1e-9, 1).Draw(t, "share"), rapid.Float64Range(0, 1).Draw(t, "at")}
		if got, err := ParseKill(k.String()); err != nil || got != k {
			t.Fatalf("%s reads as %+v, %v", k, got, err)
		}
		a := Arrivals{Poisson, rapid.Float64Range(1e-9, 1e9).Draw(t, "rate")}
		if got, err := ParseArrivals(a.String()); err != nil || got != a {
			t.Fatalf("%s reads as %+v, %v", a, got, err)
		}
		d := Duration(rapid.Int64Range(1, int64(MaxSpan)).Draw(t, "span"))
		if got, err := ParseStay(Stay{StayFor, d}.String()); err != nil || got.For != d {
			t.Fatalf("%s reads as %+v, %v", d, got, err)
		}
		var back Duration
		if text, err := json.Marshal(d); err != nil || json.Unmarshal(text, &back) != nil || back != d {
			t.Fatalf("%s is %s in JSON, and reads as %s", d, text, back)
		}
	})
}

func TestAScenarioThatCannotFinishSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Scenario)
		want   map[Model]string // "": can
	}{
		{"as it stands", func(*Scenario) {}, nil},
		{
			"the origin dies halfway", func(s *Scenario) { s.Kills = []Kill{{KillOrigin, 1, 0.5}} },
			map[Model]string{ClientServer: "the origin is killed at 50% of the bytes and nobody else gives any"},
		},
		{
			"the origin dies before it starts", func(s *Scenario) { s.Kills = []Kill{{KillOrigin, 1, 0}} },
			map[Model]string{ClientServer: "before it has given", PeerToPeer: "before it has given", Hybrid: "before it has given"},
		},
		{
			"the origin dies before a copy is out", func(s *Scenario) { s.Kills = []Kill{{KillOrigin, 1, 0.05}} },
			map[Model]string{ClientServer: "nobody else gives", PeerToPeer: "0.5 of one copy", Hybrid: "0.5 of one copy"},
		},
		{
			"the origin dies, and nobody uploads", func(s *Scenario) { s.Receivers[0].Up = 0; s.Kills = []Kill{{KillOrigin, 1, 0.5}} },
			map[Model]string{ClientServer: "nobody else gives", PeerToPeer: "nobody else gives", Hybrid: "nobody else gives"},
		},
		{"the origin dies at the end", func(s *Scenario) { s.Kills = []Kill{{KillOrigin, 1, 1}} }, nil},
		{"half of the origins die", func(s *Scenario) { s.Kills = []Kill{{KillOrigin, 0.5, 0}} }, nil},
		{
			"all receivers die at once", func(s *Scenario) { s.Kills = []Kill{{KillPeers, 1, 0}} },
			map[Model]string{ClientServer: "every receiver", PeerToPeer: "every receiver", Hybrid: "every receiver"},
		},
		{
			"a server for more than it can serve in a life", func(s *Scenario) { s.Receivers[0].Count, s.Size, s.Origin.Up = 1e6, 1<<30, 1<<20 },
			map[Model]string{ClientServer: "33.9 years: 1000000 x 1 GiB through the origin's 8.4 Mbit/s"},
		},
		{
			"too much for the slowest", func(s *Scenario) { s.Size, s.Receivers[0].Down = 1<<40, 1<<10 },
			map[Model]string{ClientServer: "slowest download", PeerToPeer: "slowest download", Hybrid: "slowest download"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, shortest)
			c.change(&s)
			for _, m := range Models() {
				if got := s.Hopeless(m); (got == "") != (c.want[m] == "") || !strings.Contains(got, c.want[m]) {
					t.Errorf("%s: %q, want %q", m, got, c.want[m])
				}
			}
		})
	}
}

func TestOrdinals(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 22: "22nd", 113: "113th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

func TestBestTimesAreThoseOfTheBounds(t *testing.T) {
	s := read(t, shortest)
	near(t, "client-server", s.atBest(ClientServer)*s.Payload, 10*67.108864/5, 1e-9)
	near(t, "peer-to-peer", s.atBest(PeerToPeer)*s.Payload, 10*67.108864/30, 1e-9)
	s.Arrivals = Arrivals{Poisson, 0.01}
	near(t, "with arrivals", s.atBest(Hybrid), 1000, 0)
	if math.IsInf(s.slowest(), 1) {
		t.Error("no slowest download")
	}
}
