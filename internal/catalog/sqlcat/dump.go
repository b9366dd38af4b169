package sqlcat

import (
	"context"
	"io"
)

// table is a table as Dump knows it.
type table struct {
	name string
	// columns as "name" with its kind: "usr int", "name text", "hash blob".
	columns []string
	order   string // the columns that sort it, its key
	ids     bool   // its ids are given by the database
	one     bool   // one row, there from the start
}

// Dump implements catalog.Catalog.
func (db *DB) Dump(ctx context.Context, w io.Writer) error { return nil }

// Load implements catalog.Catalog.
func (db *DB) Load(ctx context.Context, r io.Reader) error { return nil }
