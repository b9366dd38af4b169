// Package lab measures network models on the same work and names the right one.
//
// A Scenario says what is to be brought to whom over which links. A World carries it
// out with a model: in closed form (lab/bound), in virtual time over the product's own
// decisions (lab/sim), or with real processes on shaped links (lab/real). A Plan is
// the runs that a comparison needs; Compare makes them; a Table puts their figures
// side by side; Recommend names a model for a case, with its margin and what would
// flip it.
//
// Sources of the formulas and rules of honesty: docs/comparison.md. Every figure
// carries how it came about, and a run that must not be believed is void.
package lab

import (
	"context"
	"fmt"
	"time"
)

// Model is a network model: which sources a transfer may use.
type Model string

// The models, in the order they are shown.
const (
	ClientServer Model = "client-server"
	PeerToPeer   Model = "peer-to-peer"
	Hybrid       Model = "hybrid"
)

// Models returns all models in the order they are shown.
func Models() []Model { return []Model{ClientServer, PeerToPeer, Hybrid} }

// Place is how a figure came about: the world a run is made in.
type Place string

// The worlds, in the order they are made.
const (
	InBound Place = "bound" // analytic
	InSim   Place = "sim"   // simulated
	InReal  Place = "real"  // measured
)

// Places returns all worlds in the order they are made.
func Places() []Place { return []Place{InBound, InSim, InReal} }

// World carries out runs. Run returns an error when the run could not be made; a run
// that was made and is not to be believed has Result.Void. When ctx ends it stops soon,
// leaves nothing behind and returns ctx's error. A Result belongs to the caller.
type World interface {
	Run(ctx context.Context, r Run) (*Result, error)
}

// Purpose is what a run is made for.
type Purpose string

// The purposes. All but Main are made in the simulator or in closed form.
const (
	Main     Purpose = "main"     // the scenario as it stands
	Sweep    Purpose = "sweep"    // other numbers of receivers: time and cost against N
	Survival Purpose = "survival" // the origin is killed at some moment
	Hostile  Purpose = "hostile"  // a share of poisoners, or of free-riders
	Capacity Purpose = "capacity" // client-server with the origin given all uplinks together
	Budget   Purpose = "budget"   // client-server at the money that the hybrid costs its operator
	Origins  Purpose = "origins"  // 1, 2 and 4 origins
)

// Run is one run to be made.
type Run struct {
	Purpose  Purpose  `json:"purpose"`
	Place    Place    `json:"world"`
	Model    Model    `json:"model"`
	Scenario Scenario `json:"-"` // complete: after Scenario.Complete
	Repeat   int      `json:"repeat"`
	Seed     uint64   `json:"seed"`
	// Vary says what differs from the comparison's scenario: the number of receivers of a
	// Sweep or a Budget, the share of the receivers' total bytes at the kill of a Survival,
	// the share of the hostile, the number of origins.
	Vary float64 `json:"vary,omitempty"`
	// Label names the variation where Vary does not say it: LabelPoisoners and so on.
	Label string `json:"label,omitempty"`

	// Progress is called now and then from the goroutine of Run, with the share of the
	// run that is done (0 to 1) and what is happening. May be nil.
	Progress func(done float64, what string) `json:"-"`
}

func (r Run) String() string {
	s := fmt.Sprintf("%s/%s %s", r.Place, r.Model, r.Purpose)
	if r.Label != "" {
		s += " " + r.Label
	}
	if r.Vary != 0 {
		s += fmt.Sprintf(" %g", r.Vary)
	}
	return s
}

// Idle is how long nothing may move before a run ends (virtual time in the simulator),
// unless somebody is yet to arrive or come back.
const Idle = 10 * time.Second
