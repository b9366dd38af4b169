// Package storetest is the contract of store.Pieces as a test suite, fault
// injection and crashes included. Every driver passes it.
package storetest

import (
	"testing"

	"tandem/internal/content"
	"tandem/internal/store"
)

// Place is where one working copy lives while the processes that use it come
// and go.
type Place struct {
	// Open opens the working copy, like a new process: what an earlier Open
	// returned was closed, or the process that had it is dead.
	Open func() (store.Pieces, error)

	// Crash ends the process that has p open; with power it also loses what
	// was not synced. It returns when nothing of p runs any more.
	Crash func(p store.Pieces, power bool)

	// Final returns what stands under the final name of a file.
	Final func(file int) ([]byte, bool)

	// Fail makes the nth operation below the driver from now on, 1 being the
	// next, fail with err, and only that. 0 takes it back.
	Fail func(n int, err error)

	// Ops counts the operations below the driver so far.
	Ops func() int
}

// Run holds the drivers' places to the contract.
func Run(t *testing.T, place func(t testing.TB, m *content.Manifest) *Place) { panic("todo") }
