package sqlcat

import "context"

// Plan returns how SQLite answers a query.
func (db *DB) Plan(ctx context.Context, query string) (all []string, err error) {
	err = db.view(ctx, func(t *tx) (err error) {
		read := func(r row, detail *string) error {
			var skipped [3]int64
			return r.to(&skipped[0], &skipped[1], &skipped[2], detail)
		}
		all, err = list(t, read, "EXPLAIN QUERY PLAN "+query)
		return err
	})
	return all, err
}
