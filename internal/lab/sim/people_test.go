package sim

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/lab"
)

func TestExactFunctions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1e-16, 1e9).Draw(t, "x")
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
			t.Fatalf("ln(%v) = %v, want %v", x, got, want)
		}
		y := rapid.Float64Range(-300, 300).Draw(t, "y")
		if got, want := exp(y), math.Exp(y); math.Abs(got/want-1) > 1e-13 {
			t.Fatalf("exp(%v) = %v, want %v", y, got, want)
		}
	})
	// To the bit, on any machine.
	if a, b := math.Float64bits(ln(0.3)), math.Float64bits(exp(1.25)); a != 0xbff34378fcbda721 || b != 0x400bec38edb0faf1 {
		t.Errorf("ln(0.3) is %#x, exp(1.25) is %#x", a, b)
	}
}

// town is a scenario with two kinds of receivers.
func town(change func(*lab.Scenario)) *lab.Scenario {
	s := &lab.Scenario{
		Size: 64 << 20, Piece: 1 << 20, Payload: 0.5, Repeats: 1, Latency: lab.Duration(time.Millisecond),
		Origin:    lab.Origin{Count: 1, Up: 5_000_000},
		Receivers: []lab.Group{{Count: 30, Up: 1000, Down: 4000, Name: "home"}, {Count: 10, Up: 200, Down: 200}},
		Arrivals:  lab.Arrivals{Kind: "flash"}, Stay: lab.Stay{Kind: "leave"},
		Sessions: lab.Sessions{Shape: 0.6},
	}
	if change != nil {
		change(s)
	}
	return s
}

func TestPeople(t *testing.T) {
	count := func(p *people, m mark) (n int) {
		for i := range p.len() {
			if p.is(int32(i), m) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name   string
		change func(*lab.Scenario)
		check  func(*testing.T, *lab.Scenario, *people)
	}{
		{"links are what content can use of them, group by group", nil, func(t *testing.T, s *lab.Scenario, p *people) {
			if p.len() != 40 || p.up[29] != 500 || p.down[29] != 2000 || p.up[30] != 100 {
				t.Errorf("%v %v", p.up, p.down)
			}
			if a, b := p.name(s, 0), p.name(s, 30); a != "home 1" || b != "receiver 31" {
				t.Errorf("called %q and %q", a, b)
			}
		}},
		{"a flash crowd comes at once, unmarked, to stay", nil, func(t *testing.T, _ *lab.Scenario, p *people) {
			for k := range p.len() {
				if i, at := p.at(k); int(i) != k || at != 0 || p.session(i, 0) != forever {
					t.Errorf("%d comes as number %d at %d", i, k, at)
				}
			}
			if p.honest != 40 || count(p, poisoner|freeRider|unreachable) != 0 {
				t.Error("some are marked")
			}
		}},
		{"of arrivals the first comes at 0, and groups are mixed", func(s *lab.Scenario) {
			s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 2}
		}, func(t *testing.T, _ *lab.Scenario, p *people) {
			last, few := int64(-1), 0
			for k := range p.len() {
				i, at := p.at(k)
				if k == 0 && at != 0 || at < last {
					t.Errorf("number %d at %d after %d", k, at, last)
				}
				if last = at; k < 20 && i >= 30 {
					few++
				}
			}
			if few == 0 || few == 10 {
				t.Errorf("%d of the ten of the second group come in the first half", few)
			}
			if mean := float64(last) / 39e9; mean < 0.3 || mean > 0.8 {
				t.Errorf("one every %.2f s, for 0.5", mean)
			}
		}},
		{"so many are marked as the shares say, and nobody is both bad and idle", func(s *lab.Scenario) {
			s.Hostile = lab.Mischief{Poisoners: 0.1, FreeRiders: 0.25, Unreachable: 0.5}
		}, func(t *testing.T, _ *lab.Scenario, p *people) {
			if count(p, poisoner) != 4 || count(p, freeRider) != 10 || count(p, unreachable) != 20 || p.honest != 36 {
				t.Errorf("%d %d %d", count(p, poisoner), count(p, freeRider), count(p, unreachable))
			}
			for i := range p.len() {
				if p.is(int32(i), poisoner) && p.is(int32(i), freeRider) {
					t.Errorf("%d is both", i)
				}
				if p.is(int32(i), freeRider) != (p.up[i] == 0) {
					t.Errorf("free-rider %d has an uplink of %v", i, p.up[i])
				}
			}
		}},
		{"who is marked does not depend on when they come", func(s *lab.Scenario) {
			s.Hostile.Poisoners = 0.2
		}, func(t *testing.T, s *lab.Scenario, p *people) {
			s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 2}
			if q := newPeople(s, 7); !slices.Equal(p.marks, q.marks) {
				t.Error("others are marked")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := town(c.change)
			p := newPeople(s, 7)
			c.check(t, s, p)
		})
	}
}

func TestSessionsAreWeibull(t *testing.T) {
	s := town(func(s *lab.Scenario) {
		s.Receivers[0].Count = 20_000
		s.Sessions = lab.Sessions{Mean: lab.Duration(time.Hour), Shape: 0.6, Away: lab.Duration(time.Minute)}
	})
	p := newPeople(s, 3)
	var sum, away float64
	long := 0
	for i := range 20_000 {
		d := p.session(int32(i), 1)
		sum += float64(d)
		away += float64(p.gone(int32(i), 1))
		if d > int64(time.Hour) {
			long++
		}
	}
	if mean := sum / 20_000 / float64(time.Hour); math.Abs(mean-1) > 0.05 {
		t.Errorf("mean %.3f h", mean)
	}
	if mean := away / 20_000 / float64(time.Minute); math.Abs(mean-1) > 0.05 {
		t.Errorf("away for %.3f min", mean)
	}
	want := math.Exp(-math.Pow(math.Gamma(1+1/0.6), 0.6)) // outlive the mean
	if share := float64(long) / 20_000; math.Abs(share-want) > 0.02 {
		t.Errorf("%.3f are longer than the mean, not %.3f", share, want)
	}
	if q := newPeople(s, 3); p.session(5, 1) != q.session(5, 1) || p.session(5, 1) == p.session(5, 2) || p.session(5, 1) == p.session(6, 1) {
		t.Error("sessions are not drawn by receiver and number")
	}
}

func TestPeopleAreTheSeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := town(func(s *lab.Scenario) {
			s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: rapid.Float64Range(0.01, 1e6).Draw(t, "rate")}
			s.Hostile = lab.Mischief{
				Poisoners: rapid.Float64Range(0, 1).Draw(t, "bad"), FreeRiders: rapid.Float64Range(0, 1).Draw(t, "idle"),
			}
		})
		seed := rapid.Uint64().Draw(t, "seed")
		p, q := newPeople(s, seed), newPeople(s, seed)
		if !slices.Equal(p.start, q.start) || !slices.Equal(p.marks, q.marks) || !slices.Equal(p.order, q.order) {
			t.Fatal("two draws of a seed differ")
		}
		if p.honest < 0 || p.honest > p.len() || slices.Min(p.start) != 0 {
			t.Fatalf("%d honest of %d, the first at %d", p.honest, p.len(), slices.Min(p.start))
		}
	})
}
