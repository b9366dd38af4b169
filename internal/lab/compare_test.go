package lab

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a World of one function.
type world func(ctx context.Context, r Run) (*Result, error)

func (w world) Run(ctx context.Context, r Run) (*Result, error) { return w(ctx, r) }

// fine is a run that went well.
func fine(r Run) *Result {
	n := r.Scenario.N()
	return &Result{N: n, Done: n, Last: time.Second, Median: time.Second}
}

func everywhere(w world) map[Place]World {
	return map[Place]World{InBound: w, InSim: w, InReal: w}
}

// few is a scenario of few runs.
func few(t *testing.T, worlds ...Place) Scenario {
	s := read(t, shortest)
	s.Models, s.Worlds, s.Repeats = []Model{PeerToPeer}, worlds, 2
	return s
}

func TestAComparisonMakesEveryRunOfItsPlan(t *testing.T) {
	s := few(t, Places()...)
	runs, _ := Plan(s)
	var events []Event // watch is called from one goroutine at a time: -race would tell
	c, err := Compare(t.Context(), s, everywhere(func(_ context.Context, r Run) (*Result, error) {
		r.Progress(0.5, "half")
		r.Scenario.Receivers[0].Count = 99 // what a world does with it does not matter
		return fine(r), nil
	}), 4, func(e Event) { events = append(events, e) })
	if err != nil || c.Incomplete != "" {
		t.Fatalf("%v, incomplete %q", err, c.Incomplete)
	}
	if len(c.Results) != len(runs) {
		t.Fatalf("%d results of %d runs", len(c.Results), len(runs))
	}
	for i, r := range c.Results {
		if r.Run.String() != runs[i].String() || r.Run.Repeat != runs[i].Repeat || r.Run.Progress != nil || r.Run.Scenario.N() != runs[i].Scenario.N() {
			t.Errorf("result %d is of %s, want %s", i, r.Run, runs[i])
		}
	}
	whats := make(map[string]int)
	for _, e := range events {
		whats[e.What]++
		if e.Total != len(runs) || e.Done > e.Total {
			t.Errorf("event %+v", e)
		}
	}
	if last := events[len(events)-1]; last.Done != len(runs) || last.Result == nil {
		t.Errorf("the last event is %+v", last)
	}
	for _, what := range []string{"starts", "half", "done"} {
		if whats[what] != len(runs) {
			t.Errorf("%d times %q, want %d", whats[what], what, len(runs))
		}
	}
}

func TestSimulationsRunSideBySideAndRealRunsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := make(map[Place]int), make(map[Place]int)
		move := func(p Place, by int) {
			mu.Lock()
			defer mu.Unlock()
			now[p] += by
			most[p] = max(most[p], now[p])
			if p == InReal && by > 0 && now[InSim] > 0 {
				t.Error("a real run beside a simulation")
			}
		}
		_, err := Compare(t.Context(), few(t, InSim, InReal), everywhere(func(_ context.Context, r Run) (*Result, error) {
			move(r.Place, 1)
			defer move(r.Place, -1)
			<-time.After(time.Second)
			return fine(r), nil
		}), 3, nil)
		if err != nil || most[InSim] != 3 || most[InReal] != 1 {
			t.Errorf("%v, at most %v at once", err, most)
		}
	})
}

func TestAVoidRealRunIsMadeAgainAtMostTwice(t *testing.T) {
	for _, c := range []struct {
		name  string
		bad   int // tries that are void
		tries int
		void  string
		note  string
	}{
		{"never void", 0, 1, "", ""},
		{"void once", 1, 2, "", "was void 1 times"},
		{"void always", 9, 3, "busy", "is void after 3 tries: busy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := few(t, InReal)
			s.Repeats = 1
			tries := 0
			got, err := Compare(t.Context(), s, everywhere(func(_ context.Context, r Run) (*Result, error) {
				tries++
				result := fine(r)
				if tries <= c.bad {
					result.Void = "busy"
				}
				return result, nil
			}), 1, nil)
			if err != nil || tries != c.tries || len(got.Results) != 1 || got.Results[0].Void != c.void {
				t.Fatalf("%v: %d tries, results %+v", err, tries, got.Results)
			}
			if notes := strings.Join(got.Notes, "\n"); !strings.Contains(notes, c.note) || (c.note == "") != (notes == "") {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestWhatWasMeasuredBeforeAnInterruptIsKept(t *testing.T) {
	for _, place := range []Place{InSim, InReal} {
		t.Run(string(place), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var begun atomic.Int32
			s := few(t, place)
			s.Repeats = 5
			c, err := Compare(ctx, s, everywhere(func(ctx context.Context, r Run) (*Result, error) {
				if begun.Add(1) > 3 {
					cancel()
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return fine(r), nil
			}), 1, nil)
			if err != nil || len(c.Results) != 3 || !strings.HasPrefix(c.Incomplete, "interrupted after 3 of ") {
				t.Fatalf("%v, %d results, incomplete %q", err, len(c.Results), c.Incomplete)
			}
		})
	}
}

func TestARunThatFailsEndsTheComparison(t *testing.T) {
	broken := errors.New("no more memory")
	var after atomic.Int32
	c, err := Compare(t.Context(), few(t, InBound, InSim), everywhere(func(ctx context.Context, r Run) (*Result, error) {
		if r.Place == InSim {
			after.Add(1)
			return nil, broken
		}
		return fine(r), nil
	}), 1, nil)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "sim/peer-to-peer main, repeat 0: no more memory") {
		t.Fatalf("error %v", err)
	}
	if len(c.Results) == 0 || !strings.HasPrefix(c.Incomplete, "failed after ") || after.Load() > 2 {
		t.Errorf("%d results, incomplete %q, %d runs after it", len(c.Results), c.Incomplete, after.Load())
	}
}

func TestAWorldThatGivesNothingFails(t *testing.T) {
	_, err := Compare(t.Context(), few(t, InBound), everywhere(func(context.Context, Run) (*Result, error) { return nil, nil }), 1, nil)
	if err == nil || !strings.Contains(err.Error(), "gave no result") {
		t.Errorf("error %v", err)
	}
}

func TestAWorldThatIsNotThereIsTold(t *testing.T) {
	w := everywhere(func(_ context.Context, r Run) (*Result, error) { return fine(r), nil })
	delete(w, InReal)
	c, err := Compare(t.Context(), few(t, InBound, InReal), w, 1, nil)
	if err != nil || c.Incomplete != "" || !slices.Contains(c.Notes, `There is no world "real" here.`) {
		t.Errorf("%v, incomplete %q, notes %q", err, c.Incomplete, c.Notes)
	}
}

func TestABadScenarioIsNotCompared(t *testing.T) {
	c, err := Compare(t.Context(), Scenario{Name: "empty"}, nil, 1, nil)
	if c != nil || err == nil || !strings.HasPrefix(err.Error(), "scenario empty: size:") {
		t.Errorf("%v, %v", c, err)
	}
}
