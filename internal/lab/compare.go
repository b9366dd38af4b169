package lab

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Comparison is a scenario, all runs made of it and what follows from them. It is what
// results.json holds and what reports are made of.
type Comparison struct {
	Scenario   Scenario  `json:"scenario"`
	Command    string    `json:"command"` // that makes it again
	Commit     string    `json:"commit,omitempty"`
	Machine    string    `json:"machine,omitempty"`
	At         time.Time `json:"at"`
	Results    []*Result `json:"results"`
	Notes      []string  `json:"notes,omitempty"`      // what was left out, and why
	Incomplete string    `json:"incomplete,omitempty"` // "interrupted after 7 of 23 runs"
	Table      Table     `json:"table"`
	Verdict    Verdict   `json:"verdict"`
}

// Event tells how a comparison goes on.
type Event struct {
	Run         Run
	Done, Total int     // runs
	Share       float64 // of this run
	What        string
	Result      *Result // when the run has ended
}

// mostTries is how often a real run is made that turns out void.
const mostTries = 3

// Compare makes the runs of Plan: bounds and simulations side by side, at most workers
// of them, then real ones, one after the other. A void real run is made again, at most
// twice; the last try is kept, and Notes tell of the others. Runs whose world is not
// among worlds are left out, with a note.
//
// watch (may be nil) is called from one goroutine at a time, and nothing goes on while it
// runs. When ctx ends, what was measured is kept, and Incomplete says so; the error is
// nil then. A run that fails ends the comparison, which is returned with what there is.
//
// The table is made; Verdict, Command, Commit, Machine and At are left to the caller.
func Compare(ctx context.Context, s Scenario, worlds map[Place]World, workers int, watch func(Event)) (*Comparison, error) {
	s = s.Clone()
	if err := s.Complete(); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	runs, notes := Plan(s)
	c := &Comparison{Scenario: s, Notes: notes}
	runs = slices.DeleteFunc(runs, func(r Run) bool {
		if worlds[r.Place] != nil {
			return false
		}
		if note := fmt.Sprintf("There is no world %q here.", r.Place); !slices.Contains(c.Notes, note) {
			c.Notes = append(c.Notes, note)
		}
		return true
	})
	j := &job{worlds: worlds, runs: runs, watch: watch, results: make([]*Result, len(runs))}
	err := j.all(ctx, workers)
	for _, r := range j.results {
		if r != nil {
			c.Results = append(c.Results, r)
		}
	}
	c.Notes = append(c.Notes, j.notes...)
	switch {
	case err != nil:
		c.Incomplete = fmt.Sprintf("failed after %d of %d runs", len(c.Results), len(runs))
	case len(c.Results) < len(runs):
		c.Incomplete = fmt.Sprintf("interrupted after %d of %d runs", len(c.Results), len(runs))
	}
	c.Table = NewTable(s, c.Results)
	return c, err
}

// job is the making of runs.
type job struct {
	worlds map[Place]World
	runs   []Run

	mu      sync.Mutex // guards what follows, and calls of watch
	watch   func(Event)
	results []*Result // by run
	notes   []string
	done    int
}

// all makes every run; the error is that of the first run that failed.
func (j *job) all(ctx context.Context, workers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var failed error
	var once sync.Once
	work := func(i int) {
		if err := j.run(ctx, i); err != nil && ctx.Err() == nil {
			once.Do(func() { failed = err; cancel(err) })
		}
	}
	next := make(chan int)
	var wait sync.WaitGroup
	for range max(workers, 1) {
		wait.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	each := func(real bool, make func(int)) {
		for i, r := range j.runs {
			if (r.Place == InReal) == real && ctx.Err() == nil {
				make(i)
			}
		}
	}
	each(false, func(i int) {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	})
	close(next)
	wait.Wait()
	each(true, work)
	return failed
}

// run makes one run, again where it is void and real.
func (j *job) run(ctx context.Context, i int) error {
	r := j.runs[i]
	for try := 1; ; try++ {
		j.tell(Event{Run: r, What: "starts"})
		timed := r
		timed.Scenario = r.Scenario.Clone() // a world may do with it as it likes
		timed.Progress = func(share float64, what string) {
			if ctx.Err() == nil {
				j.tell(Event{Run: r, Share: min(max(share, 0), 1), What: what})
			}
		}
		result, err := j.worlds[r.Place].Run(ctx, timed)
		if err != nil {
			return fmt.Errorf("%s, repeat %d: %w", r, r.Repeat, err)
		}
		if result == nil {
			return fmt.Errorf("%s, repeat %d: the world gave no result", r, r.Repeat)
		}
		result.Run = r
		if result.Void == "" || r.Place != InReal || try == mostTries || ctx.Err() != nil {
			j.finish(i, result, try)
			return nil
		}
		j.tell(Event{Run: r, Share: 1, What: "void, and made again: " + result.Void})
	}
}

func (j *job) tell(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.watch != nil {
		e.Done, e.Total = j.done, len(j.runs)
		j.watch(e)
	}
}

func (j *job) finish(i int, r *Result, tries int) {
	j.mu.Lock()
	j.results[i] = r
	j.done++
	switch {
	case r.Void != "":
		j.notes = append(j.notes, fmt.Sprintf("%s, repeat %d, is void after %d tries: %s.", r.Run, r.Run.Repeat, tries, r.Void))
	case tries > 1:
		j.notes = append(j.notes, fmt.Sprintf("%s, repeat %d, was void %d times and is the try after.", r.Run, r.Run.Repeat, tries-1))
	}
	j.mu.Unlock()
	j.tell(Event{Run: r.Run, Share: 1, What: "done", Result: r})
}
