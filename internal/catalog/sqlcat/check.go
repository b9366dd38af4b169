package sqlcat

import "context"

// check looks for one thing that never may be and returns a sentence for each finding.
type check func(*tx) ([]string, error)

// Check implements catalog.Catalog.
func (db *DB) Check(ctx context.Context) ([]string, error) { return nil, nil }
