package lab

import (
	"slices"
	"time"
)

// Tag returns how the figures of a world come about.
func (p Place) Tag() Tag {
	switch p {
	case InBound:
		return Analytic
	case InSim:
		return Simulated
	}
	return Measured
}

// Select returns the results of one variation, all its repeats, in their order: what has
// to be summed up together. Void ones are left out. vary is Run.Vary exactly as Plan put
// it there (Varied lists what there is); it is 0 for Main.
func Select(results []*Result, purpose Purpose, place Place, model Model, vary float64) []*Result {
	var group []*Result
	for _, r := range results {
		if of(r, purpose, place, model) && r.Run.Vary == vary {
			group = append(group, r)
		}
	}
	slices.SortStableFunc(group, func(a, b *Result) int { return a.Run.Repeat - b.Run.Repeat })
	return group
}

// Varied returns the variations that results have for a purpose, ascending: the numbers
// of receivers of a Sweep, the moments of a Survival. Void results do not count.
func Varied(results []*Result, purpose Purpose, place Place, model Model) []float64 {
	var all []float64
	for _, r := range results {
		if of(r, purpose, place, model) {
			all = append(all, r.Run.Vary)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func of(r *Result, purpose Purpose, place Place, model Model) bool {
	return r != nil && r.Void == "" && r.Run.Purpose == purpose && r.Run.Place == place && r.Run.Model == model
}

// Summary is what the repeats of a run say together.
type Summary struct {
	Runs   int
	Median float64
	Mean   float64
	Least  float64
	Most   float64
	Spread float64 // half width of the 95 % confidence interval of the mean; 0: one run
}

// Summarise sums up one figure over repeats. The zero Summary is of no results.
func Summarise(group []*Result, figure func(*Result) float64) Summary {
	if len(group) == 0 {
		return Summary{}
	}
	values := make([]float64, len(group))
	for i, r := range group {
		values[i] = figure(r)
	}
	return Summary{
		Runs: len(values), Median: Quantile(values, 0.5), Mean: Mean(values),
		Least: slices.Min(values), Most: slices.Max(values), Spread: Interval(values),
	}
}

// Seconds returns a figure for Summarise from one that is a time.
func Seconds(figure func(*Result) time.Duration) func(*Result) float64 {
	return func(r *Result) float64 { return figure(r).Seconds() }
}

// Finished returns those of a group in which every receiver finished: what a time of the
// last receiver may be taken from.
func Finished(group []*Result) []*Result {
	return slices.DeleteFunc(slices.Clone(group), func(r *Result) bool { return r.Done < r.N })
}
