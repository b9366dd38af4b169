package lab

import (
	"context"
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

// Plan returns the runs of a comparison in the order they are made: bounds, simulations
// (main, sweep, survival, hostile, normalisations), real runs; and notes on what is left
// out and why. It is pure.
func Plan(s Scenario) (runs []Run, notes []string) { return nil, nil }

// Compare makes the runs of Plan: simulations side by side, at most workers of them, real
// ones one after the other. A void real run is made again, at most twice. watch (may be
// nil) is called from one goroutine at a time. When ctx ends, what was measured is kept,
// and Incomplete says so; the error is nil then. A run that fails fails the comparison,
// which is returned with what there is.
func Compare(ctx context.Context, s Scenario, worlds map[Place]World, workers int, watch func(Event)) (*Comparison, error) {
	return nil, nil
}
