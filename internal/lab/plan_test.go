package lab

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/units"
)

// count says how many runs there are of each kind.
func count(runs []Run) map[string]int {
	n := make(map[string]int)
	for _, r := range runs {
		n[fmt.Sprintf("%s %s", r.Place, r.Purpose)]++
	}
	return n
}

func TestThePlanOfTheUsualScenario(t *testing.T) {
	runs, notes := Plan(read(t, shortest))
	want := map[string]int{
		"bound main": 3, "bound sweep": 3 * 8, "bound capacity": 1, "bound budget": 1, "bound origins": 2 * 3,
		"sim main": 3 * 3, "sim sweep": 3 * (5*3 + 2 + 1 + 1), "sim survival": 3 * 4 * 3, "sim hostile": 2 * 5 * 3,
		"sim capacity": 3, "sim budget": 3, "sim origins": 2 * 3 * 3,
		"real main": 3 * 3,
	}
	if got := count(runs); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "with --stay end") {
		t.Errorf("notes %q", notes)
	}
	cost := 0.
	for _, r := range runs {
		if r.Place == InSim {
			cost += pieces(&r.Scenario) * float64(r.Scenario.N())
		}
	}
	if cost > 2e6 { // at a few us a transfer
		t.Errorf("%g transfers take more than a few seconds", cost)
	}
}

func TestRunsStandInTheOrderOfTheirWorlds(t *testing.T) {
	runs, _ := Plan(read(t, shortest))
	if !slices.IsSortedFunc(runs, func(a, b Run) int {
		return slices.Index(Places(), a.Place) - slices.Index(Places(), b.Place)
	}) {
		t.Error("a bound after a simulation, or a simulation after a real run")
	}
	again, _ := Plan(read(t, shortest))
	if !reflect.DeepEqual(runs, again) {
		t.Error("planned twice, differently")
	}
}

// one returns the scenario of a variation's first repeat.
func one(t *testing.T, runs []Run, place Place, purpose Purpose, m Model, vary float64) Scenario {
	t.Helper()
	for _, r := range runs {
		if r.Place == place && r.Purpose == purpose && r.Model == m && r.Vary == vary {
			return r.Scenario
		}
	}
	t.Fatalf("no run %s %s %s %g", place, purpose, m, vary)
	return Scenario{}
}

func TestVariationsVaryOneThing(t *testing.T) {
	s := read(t, shortest+"[[kill]]\nwho = \"peers\"\nshare = 0.1\nat = 0.5\n[hostile]\npoisoners = 0.1\nunreachable = 0.3\n")
	runs, notes := Plan(s)
	if got := one(t, runs, InSim, Main, Hybrid, 0); !reflect.DeepEqual(got.Kills, s.Kills) || got.Hostile != s.Hostile {
		t.Error("main is not the scenario as it stands")
	}
	if got := one(t, runs, InSim, Sweep, Hybrid, 32); got.N() != 32 || got.Kills != nil || got.Hostile != s.Hostile {
		t.Errorf("sweep: %+v", got)
	}
	if got := one(t, runs, InSim, Survival, ClientServer, 0.25); !slices.Equal(got.Kills, []Kill{{KillOrigin, 1, 0.25}}) {
		t.Errorf("survival: %+v", got.Kills)
	}
	if got := one(t, runs, InSim, Hostile, PeerToPeer, 0.5); got.Hostile != (Mischief{0, 0.5, 0.3}) {
		t.Errorf("free-riders: %+v", got.Hostile)
	}
	if got := one(t, runs, InSim, Hostile, PeerToPeer, 0.05); got.Hostile != (Mischief{0.05, 0, 0.3}) {
		t.Errorf("poisoners: %+v", got.Hostile)
	}
	if got := one(t, runs, InBound, Capacity, ClientServer, 0); got.Origin.Up != 5e6+10*25e5 {
		t.Errorf("capacity: %s", got.Origin.Up)
	}
	// The origin gives 5 of 30 MB a second: 10 receivers' bytes x 1/6 is one copy and a bit.
	if got := one(t, runs, InSim, Budget, ClientServer, 1); got.N() != 1 || got.Kills != nil {
		t.Errorf("budget: %d receivers", got.N())
	}
	if got := one(t, runs, InSim, Origins, Hybrid, 4); got.Origin.Count != 4 {
		t.Errorf("origins: %d", got.Origin.Count)
	}
	if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "kills are in the main runs only") }) {
		t.Errorf("notes %q", notes)
	}
}

func TestAKillWithOneCopyOutComesWhenOneCopyCanBeOut(t *testing.T) {
	s := read(t, shortest)
	at := oneCopyOut(&s)
	near(t, "one copy out", at, copyMargin*(1+5.)/10, 1e-9)
	runs, _ := Plan(s)
	if got := one(t, runs, InSim, Survival, PeerToPeer, at); got.Kills[0].At != at {
		t.Errorf("killed at %g", got.Kills[0].At)
	}
	s.Receivers[0].Up *= 4 // the origin's upload is all that binds
	runs, notes := Plan(s)
	if len(notes) == 0 || !strings.Contains(notes[0], "only with the last byte") || count(runs)["sim survival"] != 3*3*3 {
		t.Errorf("%v, notes %q", count(runs), notes)
	}
}

func TestWhatIsLeftOutIsTold(t *testing.T) {
	for _, c := range []struct {
		name, change, note string
		gone               []string // "place purpose"
	}{
		{"real runs of many", "-count = 25", "Real runs are left out above 24 receivers, and these are 25", []string{"real main"}},
		{"real runs of many origins", "-up = \"40Mbit\"\ncount = 2", "Real runs are left out with more than one origin", []string{"real main"}},
		{"pieces of a very large crowd", "-count = 8000", "The main simulation is made with pieces of 512 KiB", []string{"real main"}},
		{"real runs of hours", "-size = \"10GiB\"", "No real run of client-server: it would take 6h14m", nil},
		{"worlds that are not asked for", "worlds = [\"bound\"]\n", "", []string{"real main", "sim main", "sim sweep", "sim survival"}},
		{"normalisations of models that are not asked for", "models = [\"peer-to-peer\"]\n", "", []string{"bound budget", "sim budget", "sim capacity", "sim origins"}},
		{"simulations that fit no memory", "-count = 3000000", "The main simulation is left out above 2000000", []string{"sim main"}},
		{"hostile of few", "-count = 1", "5 % poisoners of 1 receivers are nobody", nil},
		{"hopeless models", "[[kill]]\nwho = \"origin\"\nat = 0.5\n", "client-server cannot bring the file to everybody: the origin is killed", nil},
		{"a budget that is no limit", "[hostile]\nfree_riders = 1\n", "At the hybrid's budget client-server serves all", []string{"sim budget"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs, notes := Plan(read(t, laid(c.change)))
			if c.note != "" && !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, c.note) }) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			for _, kind := range c.gone {
				if n := count(runs)[kind]; n != 0 {
					t.Errorf("%d runs of %s", n, kind)
				}
			}
		})
	}
}

func TestCopiesThatTheHybridsOriginHasToGive(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Scenario)
		want   float64
	}{
		{"uplinks bind: the origin's part of them", func(*Scenario) {}, 10. * 5 / 30},
		{"peers could carry it all: one", func(s *Scenario) { s.Receivers[0].Up = 125e5 }, 1},
		{"nobody uploads: all", func(s *Scenario) { s.Receivers[0].Up = 0 }, 10},
		{"everybody rides free: all", func(s *Scenario) { s.Hostile.FreeRiders = 1 }, 10},
		{"never two at once: all", func(s *Scenario) { s.Arrivals = Arrivals{Poisson, 1e-7} }, 10},
		{"many at once: what their uplinks leave", func(s *Scenario) { s.Arrivals = Arrivals{Poisson, 1000} }, 5},
		{"those before stay: one", func(s *Scenario) { s.Arrivals, s.Stay = Arrivals{Poisson, 1000}, Stay{StayFor, Duration(time.Hour)} }, 1},
		{"those before stay until the end: one", func(s *Scenario) { s.Arrivals, s.Stay = Arrivals{Poisson, 0.01}, Stay{Kind: StayEnd} }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, shortest)
			c.change(&s)
			near(t, "copies", s.needed(), c.want, 1e-3)
		})
	}
}

func TestLadders(t *testing.T) {
	for n, want := range map[int][]int{
		1:         {1, 2, 4, 8, 16, 32, 64},
		10:        {1, 2, 4, 8, 10, 16, 32, 64},
		24:        {1, 2, 4, 8, 16, 24, 32, 64, 96},
		10_000:    {1, 3, 7, 20, 53, 141, 381, 1025, 2759, 7429, 10000, 20000},
		1_000_000: {1, 3, 10, 32, 100, 316, 1000, 3162, 10000, 31623, 100000},
	} {
		if got := ladder(n); !slices.Equal(got, want) {
			t.Errorf("%d: %v", n, got)
		}
	}
}

func TestPlansStayWithinTheirLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		s.Repeats = min(s.Repeats, 5)
		before := s.Clone()
		runs, _ := Plan(s)
		if !reflect.DeepEqual(s, before) {
			t.Fatal("planning changed the scenario")
		}
		secondary := 0.
		seen := make(map[string]bool)
		for _, r := range runs {
			id := fmt.Sprint(r, r.Repeat)
			if seen[id] {
				t.Fatalf("%s is planned twice", id)
			}
			seen[id] = true
			n := r.Scenario.N()
			switch {
			case !slices.Contains(s.Models, r.Model) || !slices.Contains(s.Worlds, r.Place):
				t.Fatalf("%s was not asked for", r)
			case r.Seed != s.Seed+uint64(r.Repeat) || r.Scenario.Seed != r.Seed:
				t.Fatalf("%s has seed %d", r, r.Seed)
			case r.Place == InReal && (n > MostReal || r.Scenario.Origin.Count > 1 || r.Scenario.atBest(r.Model) > 3600):
				t.Fatalf("%s is real, with %d receivers", r, n)
			case r.Place != InReal && r.Purpose == Main && !reflect.DeepEqual(r.Scenario.Receivers, s.Receivers):
				t.Fatalf("%s has other receivers", r)
			case r.Place == InSim && r.Scenario.atBest(r.Model) > time.Duration(MaxSpan).Seconds():
				t.Fatalf("%s is simulated over %g s", r, r.Scenario.atBest(r.Model))
			case math.IsNaN(r.Vary) || math.IsInf(r.Vary, 0):
				t.Fatalf("%s varies to nowhere", r)
			}
			if r.Place == InSim && r.Purpose != Main && r.Model != ClientServer {
				secondary += min(pieces(&r.Scenario), fewestPieces*2) * float64(n) // merged, or as few as may be
			}
		}
		if secondary > 5e7 {
			t.Fatalf("%g transfers in variations", secondary)
		}
	})
}

func TestPiecesAreMergedOnlyWhereThereAreVeryMany(t *testing.T) {
	s := read(t, shortest)
	if got := merged(s, fewTransfers); got.Piece != s.Piece {
		t.Errorf("merged to %d", got.Piece)
	}
	s.Receivers[0].Count = 2_000
	got := merged(s, fewTransfers)
	if n := pieces(&got); n != 256 {
		t.Errorf("%g pieces", n)
	}
	s.Size = units.Size(1)
	if got := merged(s, 1); got.Piece != s.Piece {
		t.Errorf("one piece merged to %d", got.Piece)
	}
}
