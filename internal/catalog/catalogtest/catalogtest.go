// Package catalogtest states what every catalog must do.
//
// A driver's tests call Run; what a catalog promises for more than one
// instance of it, or while its database is away, has functions of its own.
package catalogtest

import (
	"context"
	"testing"

	"tandem/internal/catalog"
)

// Open returns an empty catalog that is closed when the test ends.
type Open func(t *testing.T) catalog.Catalog

// Run holds a driver to the contract.
func Run(t *testing.T, open Open) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"updates", testUpdates},
		{"accounts", testAccounts},
		{"sessions", testSessions},
		{"attempts", testAttempts},
		{"settings", testSettings},
		{"audit", testAudit},
		{"dump", testDump},
		{"files", testFiles},
		{"swarms", testSwarms},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open) })
	}
}

// view runs f in a View, which must not fail.
func view(t *testing.T, c catalog.Catalog, f func(tx *catalog.Tx) error) {
	t.Helper()
	if err := c.View(context.Background(), f); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// update runs f in an Update, which must not fail.
func update(t *testing.T, c catalog.Catalog, f func(tx *catalog.Tx) error) {
	t.Helper()
	if err := c.Update(context.Background(), f); err != nil {
		t.Fatalf("update: %v", err)
	}
}
