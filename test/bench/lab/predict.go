package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"time"

	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/internal/lab/real"
	"tandem/test/bench/page"
)

// set is a scenario that the simulator's constants were not fitted on.
type set struct {
	name, what string
	s          lab.Scenario
}

// predicted are scenarios with links, sizes and manners that differ from each other and
// from those the constants come from. Rates are low, so that 25 programs leave the CPU of
// two cores in peace, and runs take 10 to 40 s.
func predicted() []set {
	return []set{
		{"N=4", "origin 16 Mbit/s, 6 up / 24 down, 12 MiB, leave", scene(lab.Scenario{
			Size: 12 << 20, Origin: lab.Origin{Up: 16 * mbit},
			Receivers: []lab.Group{{Count: 4, Up: 6 * mbit, Down: 24 * mbit}},
		})},
		{"N=8", "origin 20 Mbit/s, 5 up / 20 down, 10 MiB, stay until all have it", scene(lab.Scenario{
			Size: 10 << 20, Origin: lab.Origin{Up: 20 * mbit}, Stay: lab.Stay{Kind: "end"},
			Receivers: []lab.Group{{Count: 8, Up: 5 * mbit, Down: 20 * mbit}},
		})},
		{"N=16", "origin 40 Mbit/s, half 2 up / 12 down, half 8 up / 24 down, 9 MiB, leave", scene(lab.Scenario{
			Size: 9 << 20, Origin: lab.Origin{Up: 40 * mbit},
			Receivers: []lab.Group{{Count: 8, Up: 2 * mbit, Down: 12 * mbit}, {Count: 8, Up: 8 * mbit, Down: 24 * mbit}},
		})},
		{"N=24", "origin 40 Mbit/s, 4 up / 16 down, 8 MiB, leave", scene(lab.Scenario{
			Size: 8 << 20, Origin: lab.Origin{Up: 40 * mbit},
			Receivers: []lab.Group{{Count: 24, Up: 4 * mbit, Down: 16 * mbit}},
		})},
	}
}

// simRuns is how many seeds a prediction is the median of.
const simRuns = 5

// predict compares.
func predict(ctx context.Context) (*page.Figures, error) {
	match, err := regexp.Compile(*sets)
	if err != nil {
		return nil, err
	}
	f := &page.Figures{Head: []string{"receivers", "model", "bound (s)", "last: sim (s)", "real (s)", "error", "median: sim (s)", "real (s)", "error", "machine busy", ""}}
	var errors []float64
	about := ""
	for _, p := range predicted() {
		if !match.MatchString(p.name) {
			continue
		}
		about += fmt.Sprintf(" %s: %s.", p.name, p.what)
		for _, m := range lab.Models() {
			e, err := p.row(ctx, f, m)
			if err != nil {
				return f, err
			}
			errors = append(errors, e...)
		}
	}
	if len(errors) > 0 {
		slices.Sort(errors)
		f.Note = fmt.Sprintf("Median error %.1f %%, worst %.1f %%, of %d figures.", 100*lab.Quantile(errors, 0.5), 100*errors[len(errors)-1], len(errors))
	}
	f.Note += fmt.Sprintf(" Errors are (sim - real)/real; sim is the median of %d seeds, real of %d runs; the clock starts with the first receiver's process. None of these scenarios was used for fitting; what was, stands beside the constants in internal/lab/sim.%s", simRuns, *runs, about)
	return f, nil
}

// row adds the figures of a model and returns its errors, none of which has a sign.
func (p set) row(ctx context.Context, f *page.Figures, m lab.Model) ([]float64, error) {
	var foreseen []*lab.Result
	for seed := range simRuns {
		r, err := simulate(ctx, p.s, m, uint64(seed+1))
		if err != nil {
			return nil, err
		}
		foreseen = append(foreseen, r)
	}
	measured, note, err := p.measure(ctx, m)
	if err != nil {
		return nil, err
	}
	busy := 0.0
	for _, r := range measured {
		if r.Use != nil {
			busy = max(busy, r.Use.Busy)
		}
		if r.Done != r.N {
			note += fmt.Sprintf(" %d of %d finished;", r.Done, r.N)
		}
	}
	cells := []string{fmt.Sprint(p.s.N()), string(m), seconds(bound.For(p.s, m).Last)}
	var errors []float64
	for _, of := range []func(*lab.Result) time.Duration{last, median} {
		a, b := middle(foreseen, of), middle(measured, of)
		e := (a - b).Seconds() / b.Seconds()
		errors = append(errors, math.Abs(e))
		cells = append(cells, seconds(a), seconds(b), fmt.Sprintf("%+.1f %%", 100*e))
	}
	f.Add(append(cells, fmt.Sprintf("%.0f %%", 100*busy), note)...)
	return errors, nil
}

// measure makes the real runs. One that is void is made again, at most twice; if it stays
// void it counts, and the note says why.
func (p set) measure(ctx context.Context, m lab.Model) (list []*lab.Result, note string, err error) {
	w := real.World{Bin: *bin, Dir: *tmp}
	how, err := w.Prepare(ctx, p.s)
	if err != nil {
		return nil, "", err
	}
	if how != real.Namespaces {
		return nil, "", fmt.Errorf("predictions are made on shaped links, which need root: only %s can be had here", how)
	}
	for repeat := range *runs {
		for try := range 3 {
			r, err := w.Run(ctx, lab.Run{Purpose: lab.Main, Place: lab.InReal, Model: m, Scenario: p.s, Repeat: repeat, Seed: p.s.Seed + uint64(repeat)})
			if err != nil {
				return nil, "", fmt.Errorf("%s %s: %w", p.name, m, err)
			}
			if r.Void != "" && try < 2 {
				fmt.Fprintf(os.Stderr, "%s %s: void: %s\n", p.name, m, r.Void)
				continue
			}
			if r.Void != "" {
				note = "void: " + r.Void
			}
			list = append(list, r)
			break
		}
	}
	return list, note, nil
}

func last(r *lab.Result) time.Duration   { return r.Last }
func median(r *lab.Result) time.Duration { return r.Median }

// middle returns the median of a figure over runs.
func middle(list []*lab.Result, of func(*lab.Result) time.Duration) time.Duration {
	var all []time.Duration
	for _, r := range list {
		all = append(all, of(r))
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	return all[len(all)/2]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
