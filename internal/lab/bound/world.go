package bound

import (
	"context"

	"tandem/internal/lab"
)

// World makes runs by formula: the times are bounds. The zero value is ready.
type World struct{}

// Run returns the bound of a run.
func (World) Run(ctx context.Context, r lab.Run) (*lab.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := For(r.Scenario, r.Model)
	return &lab.Result{Run: r, N: r.Scenario.N(), Last: b.Last, Bound: &b}, nil
}

// For returns the bound for a complete scenario.
func For(s lab.Scenario, m lab.Model) lab.Bound { return lab.Bound{} }

// Estimate returns what each model promises for a complete scenario, by formula.
func Estimate(s lab.Scenario) []lab.Estimate { return nil }
