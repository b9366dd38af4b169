package bound

import (
	"context"

	"tandem/internal/lab"
)

// World makes runs by formula. The zero value is ready.
type World struct{}

// Run returns the bound of a run: Last is the least that the last finisher can need, and
// the bytes are split as when capacity binds. A run that nobody can finish says why in
// Incomplete, and has no Last.
func (World) Run(ctx context.Context, r lab.Run) (*lab.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := r.Scenario
	b := For(s, r.Model)
	res := &lab.Result{Run: r, N: wanting(s), Bound: &b}
	if b.Last == never {
		res.Incomplete = b.Why
		return res, nil
	}
	res.Done, res.Last, res.Took = res.N, b.Last, b.Last
	res.FromOrigin, res.FromPeers = split(s, r.Model, b)
	return res, nil
}

// wanting is how many receivers a Result is about: poisoners are not counted.
func wanting(s lab.Scenario) int { return s.N() - part(s.Hostile.Poisoners, s.N()) }

// split says which part of all bytes the origins and the receivers give.
func split(s lab.Scenario, m lab.Model, b lab.Bound) (origin, peers int64) {
	all := float64(wanting(s)) * float64(s.Size)
	if m == lab.Hybrid && float64(s.N()) <= b.Crossover {
		return int64(all), 0 // the server points nobody elsewhere
	}
	peers = int64(all * b.Offload)
	return int64(all) - peers, peers
}
