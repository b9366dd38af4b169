// Package sim carries out the lab's runs in virtual time, piece by piece, with the
// product's own decisions: which piece next (pick), whom to serve next (choke), what an
// origin gives (admit).
//
// Method: discrete events over a fluid model of links. A flow is one piece on its way
// from one node to another; rates follow max-min fairness at the two ends. What is left
// out on purpose: blocks within a piece (but for the endgame), losses, slow start. What
// start-up and headers cost is in pace.go, as constants with the scenario they were
// fitted on.
//
// The core counts in integer nanoseconds and bytes and never ranges over a map, so the
// same seed gives the same result on every machine.
package sim

import (
	"context"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// World makes runs in virtual time. The zero value is ready. A run is single-threaded;
// many may be made at once.
type World struct{}

// Run implements lab.World.
func (World) Run(ctx context.Context, r lab.Run) (*lab.Result, error) {
	if r.Scenario.N() <= 0 || r.Scenario.Size <= 0 || r.Scenario.Piece <= 0 {
		return nil, fault.Errorf(fault.Invalid, "simulate %s: the scenario is not complete", r)
	}
	switch r.Model {
	case lab.ClientServer:
		return runServer(ctx, r)
	case lab.Hybrid:
		return runHybrid(ctx, r)
	case lab.PeerToPeer:
		return newEngine(ctx, r).run(ctx)
	}
	return nil, fault.Errorf(fault.Invalid, "simulate %s: no such model", r)
}
