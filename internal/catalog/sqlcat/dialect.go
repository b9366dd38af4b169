// Package sqlcat is the catalog over database/sql; the drivers sqlite and
// postgres give it a Dialect and a pool.
//
// One text of every query serves both: parameters are written ?, ids come back
// by RETURNING, and what cannot be the same is in Dialect. Updates of one
// instance wait in line for one connection and share commits (update.go);
// the dialect makes them serial over all instances.
package sqlcat

import (
	"context"
	"database/sql"
	"time"

	"tandem/internal/fault"
)

// Dialect is what differs between database engines.
type Dialect struct {
	Name string

	// Open opens the connections; write says that Updates will run on them. Neither
	// pool may be limited, the number of connections is the catalog's.
	Read, Write *sql.DB

	// Readers is how many Views run at once.
	Readers int

	// Numbered says that parameters are $1, $2, ... rather than ?.
	Numbered bool

	// Prepare says that a prepared statement is worth keeping: the driver has
	// no cache of its own.
	Prepare bool

	// Types are pairs of a placeholder in the schema and what stands for it: {{id}}, {{int}}, {{text}}, {{blob}}, {{strict}}.
	Types []string

	// BeginUpdate begins a transaction that waits until no other Update runs,
	// in any instance; BeginView one that only reads, from one state.
	BeginUpdate, BeginView string

	// Patience is the longest that a statement may take, the wait for another
	// instance's Update included; 0: any time.
	Patience time.Duration

	// Mark is an expression that names the running transaction, and Committed a
	// query that takes that name and returns whether it was committed. Both
	// empty: a commit is never in doubt, because the database is in this process.
	Mark, Committed string

	// Judge gives the kind of a driver's error, and whether the whole transaction is lost with it.
	Judge func(error) (kind fault.Kind, fatal bool)

	// LastID is a query for the highest id ever given in a table, and SetLastID
	// statements that make ids go on behind one. Both get the table's name.
	LastID    func(table string) string
	SetLastID func(table string, last int64) []string

	// Inspect looks for damage with the engine's own means.
	Inspect func(ctx context.Context, c *sql.Conn) ([]string, error)
}
