package lab

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestStatisticsOfKnownValues(t *testing.T) {
	v := []float64{4, 1, 3, 2}
	near(t, "the median of an even number", Quantile(v, 0.5), 2.5, 0)
	near(t, "the largest", Quantile(v, 1), 4, 0)
	near(t, "the smallest", Quantile(v, -1), 1, 0)
	near(t, "the median of one", Quantile([]float64{7}, 0.5), 7, 0)
	near(t, "a quantile of nothing", Quantile(nil, 0.5), 0, 0)
	near(t, "the mean", Mean(v), 2.5, 0)
	near(t, "the mean of nothing", Mean(nil), 0, 0)
	// s = 1.29099, / 2 = 0.645497, x 3.1824 = 2.05425
	near(t, "the interval of four", Interval(v), 2.05425, 1e-4)
	near(t, "the interval of one", Interval([]float64{7}), 0, 0)
	near(t, "Jain of equals", Jain([]float64{3, 3, 3}), 1, 1e-15)
	near(t, "Jain when one has everything", Jain([]float64{0, 0, 0, 5}), 0.25, 0)
	near(t, "Jain of zeros", Jain([]float64{0, 0}), 1, 0)
	near(t, "Gini of equals", Gini([]float64{3, 3, 3}), 0, 1e-15)
	near(t, "Gini when one has everything", Gini([]float64{0, 0, 0, 5}), 0.75, 1e-15)
	near(t, "Gini of 1 and 3", Gini([]float64{3, 1}), 0.25, 1e-15)
	near(t, "Gini of zeros", Gini([]float64{0, 0}), 0, 0)
	if !slices.Equal(v, []float64{4, 1, 3, 2}) {
		t.Error("values were sorted in place")
	}
}

func TestStudentsQuantileMeetsPublishedTables(t *testing.T) {
	for freedom, want := range map[int]float64{1: 12.7062, 2: 4.3027, 10: 2.2281, 11: 2.2010, 15: 2.1314, 30: 2.0423, 60: 2.0003, 120: 1.9799, 999: 1.9623} {
		near(t, "student", student(freedom), want, 2e-4)
	}
}

func TestStatisticsKeepTheirLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float64Range(0, 1e15), 1, 50).Draw(t, "values")
		k := rapid.Float64Range(0.1, 10).Draw(t, "k")
		scaled := make([]float64, len(v))
		for i := range v {
			scaled[i] = v[i] * k
		}
		n, slack := float64(len(v)), 1e-9
		if j := Jain(v); j < 1/n-slack || j > 1+slack || math.Abs(j-Jain(scaled)) > slack {
			t.Fatalf("Jain %v, scaled %v", j, Jain(scaled))
		}
		if g := Gini(v); g < 0 || g > 1-1/n+slack || math.Abs(g-Gini(scaled)) > slack {
			t.Fatalf("Gini %v, scaled %v", g, Gini(scaled))
		}
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		if x := Quantile(v, q); x < slices.Min(v) || x > slices.Max(v) || x < Quantile(v, q/2) {
			t.Fatalf("quantile %v of %v is %v", q, v, x)
		}
		if m := Mean(v); m < slices.Min(v)*(1-slack) || m > slices.Max(v)*(1+slack) {
			t.Fatalf("mean %v of %v", m, v)
		}
	})
}

func TestRepeatsAreSummedUpWithoutTheVoidOnes(t *testing.T) {
	run := func(repeat int, vary float64, void string, last time.Duration) *Result {
		return &Result{Run: Run{Purpose: Sweep, Place: InSim, Model: Hybrid, Repeat: repeat, Vary: vary}, Void: void, N: 1, Done: 1, Last: last}
	}
	all := []*Result{run(1, 8, "", 4*time.Second), run(0, 8, "", 2*time.Second), run(2, 8, "busy", time.Hour), run(0, 4, "", time.Second), nil}
	group := Select(all, Sweep, InSim, Hybrid, 8)
	if len(group) != 2 || group[0].Run.Repeat != 0 {
		t.Fatalf("selected %v", group)
	}
	sum := Summarise(group, Seconds(func(r *Result) time.Duration { return r.Last }))
	if sum.Runs != 2 || sum.Median != 3 || sum.Mean != 3 || sum.Least != 2 || sum.Most != 4 {
		t.Errorf("summed up as %+v", sum)
	}
	near(t, "spread", sum.Spread, 12.7062, 1e-3)
	if got := Varied(all, Sweep, InSim, Hybrid); !slices.Equal(got, []float64{4, 8}) {
		t.Errorf("varied over %v", got)
	}
	group[1].Done = 0
	if got := Finished(group); len(got) != 1 || len(group) != 2 {
		t.Errorf("%d finished, of %d", len(got), len(group))
	}
	if (Summarise(nil, nil) != Summary{}) {
		t.Error("a summary of nothing says something")
	}
}
