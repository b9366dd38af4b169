// Package mem keeps a working copy in memory: simple and exact, for tests and
// the simulator.
package mem

import (
	"tandem/internal/content"
	"tandem/internal/store"
)

// Pieces is a working copy in memory.
type Pieces struct {
	store.Pieces // todo
}

// New returns an empty working copy of m.
func New(m *content.Manifest) *Pieces { panic("todo") }

// NewFull returns a finished working copy of m, which holds files; those of
// padding are ignored.
func NewFull(m *content.Manifest, files [][]byte) *Pieces { panic("todo") }

// File returns what stands under the final name of file i, if anything does.
func (p *Pieces) File(i int) ([]byte, bool) { panic("todo") }

// Inject makes every call of p ask hook first; an error of hook becomes the
// call's. Op is the name of the method.
func (p *Pieces) Inject(hook func(op string, piece int) error) { panic("todo") }

// Reopen returns what a new process finds after p was closed, killed (crash
// false) or cut off from power (crash true). p is of no use afterwards.
func (p *Pieces) Reopen(crash bool) *Pieces { panic("todo") }
