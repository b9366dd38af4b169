package sqlcat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

var (
	errNotFound = fault.Errorf(fault.NotFound, "not found")
	errExists   = fault.Errorf(fault.Exists, "exists already")
	errOver     = fault.Errorf(fault.Closed, "used after its transaction ended")
	errReading  = fault.Errorf(fault.Other, "a View may not write")
)

// tx is one transaction as the roles see it. Its methods return errors of the
// kinds in catalog.Catalog, ready to be wrapped with what was being done.
type tx struct {
	ctx     context.Context
	db      *DB
	session *session
	write   bool // an Update

	long  bool  // its statements may take any time
	over  bool  // the function has returned
	probe bool  // what it changes is no news to anybody
	wrote bool  // something was changed
	bad   error // the first error of the database: nothing of this transaction may stay
	fatal bool  // and nothing of those it shares a commit with
}

// into is where columns go: pointers to int64, string, []byte, bool, time.Time, time.Duration,
// content.Hash and the named numbers of catalog and policy.
type into = []any

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	args, err := t.ready(true, args)
	if err != nil {
		return 0, err
	}
	ctx, cancel := t.limit()
	defer cancel()
	n, err := t.session.exec(ctx, t.db.rebind(query), args...)
	if err != nil {
		return 0, t.judge(err)
	}
	t.wrote = t.wrote || n > 0
	return n, nil
}

// must is exec of what has to change a row; fault.NotFound when it changed none.
func (t *tx) must(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		return errNotFound
	}
	return err
}

// insert runs INSERT ... ON CONFLICT DO NOTHING RETURNING id and returns the
// id, fault.Exists when nothing was inserted.
func (t *tx) insert(query string, args ...any) (int64, error) {
	var id int64
	err := t.change(into{&id}, query, args...)
	if errors.Is(err, fault.NotFound) {
		return 0, errExists
	}
	return id, err
}

// change runs a statement with RETURNING and reads the first row; fault.NotFound
// when there is none.
func (t *tx) change(dest into, query string, args ...any) error {
	err := t.first(true, func(r row) error { return r.to(dest...) }, query, args)
	if err == nil {
		t.wrote = true
	}
	return err
}

// scan runs a query and reads its first row; fault.NotFound when there is none.
func (t *tx) scan(dest into, query string, args ...any) error {
	return t.first(false, func(r row) error { return r.to(dest...) }, query, args)
}

// one runs a query and reads its first row; fault.NotFound when there is none.
func one[T any](t *tx, read func(row, *T) error, query string, args ...any) (T, error) {
	var v, zero T
	if err := t.first(false, func(r row) error { return read(r, &v) }, query, args); err != nil {
		return zero, err
	}
	return v, nil
}

// list runs a query and reads all its rows, so that other queries may follow.
// The query has a LIMIT, or what it returns is few by nature.
func list[T any](t *tx, read func(row, *T) error, query string, args ...any) ([]T, error) {
	var all []T
	err := t.each(false, func(r row) (bool, error) {
		var v T
		err := read(r, &v)
		all = append(all, v)
		return true, err
	}, query, args)
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (t *tx) first(write bool, read func(row) error, query string, args []any) error {
	found := false
	err := t.each(write, func(r row) (bool, error) {
		found = true
		return false, read(r)
	}, query, args)
	if err == nil && !found {
		return errNotFound
	}
	return err
}

// each hands the rows of a query to read until that returns false. read may
// not use the transaction: it is busy until all rows were read.
func (t *tx) each(write bool, read func(row) (more bool, err error), query string, args []any) error {
	args, err := t.ready(write, args)
	if err != nil {
		return err
	}
	ctx, cancel := t.limit()
	defer cancel()
	rows, err := t.session.query(ctx, t.db.rebind(query), args...)
	if err != nil {
		return t.judge(err)
	}
	for more := true; more && rows.Next(); {
		if more, err = read(row{rows}); err != nil {
			rows.Close()
			return t.judge(err)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return t.judge(err)
	}
	return nil
}

// ready says whether the transaction may be used and puts args into the
// database's form.
func (t *tx) ready(write bool, args []any) ([]any, error) {
	switch {
	case t.over:
		return nil, errOver
	case write && !t.write:
		return nil, errReading
	case t.bad != nil:
		return nil, t.bad
	}
	args = slices.Clone(args) // the caller may use them again
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return args, nil
}

// limit returns the context of one statement.
func (t *tx) limit() (context.Context, context.CancelFunc) {
	if t.long || t.db.dialect.Patience == 0 {
		return t.ctx, func() {}
	}
	return context.WithTimeout(t.ctx, t.db.dialect.Patience)
}

// judge gives an error of the database its kind and remembers it: engines
// differ in what is left of a transaction after an error, so nothing is.
func (t *tx) judge(err error) error {
	kind, fatal := t.db.judge(t.ctx, err)
	err = fault.Errorf(kind, "catalog: %w", err)
	if t.bad == nil {
		t.bad, t.fatal = err, fatal
	}
	return err
}

// together is how many rows one statement inserts, as long as they are small.
const (
	together     = 32
	togetherSize = 1 << 20
)

// rows inserts rows of so many columns: full sets with one statement, the rest
// row by row, so that there are two statements for each text. insert goes up
// to VALUES.
func (t *tx) rows(insert string, columns int, values []any) error {
	places := "(?" + strings.Repeat(", ?", columns-1) + ")"
	set := together * columns
	for len(values) > 0 {
		query, n := insert+places, columns
		if len(values) >= set {
			query, n = query+strings.Repeat(", "+places, together-1), set
		}
		if _, err := t.exec(query, values[:n]...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// about says of which thing an error is.
func about(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// row is a row of a result.
type row struct{ rows *sql.Rows }

// to reads the columns.
func (r row) to(dest ...any) error {
	for i, d := range dest {
		dest[i] = target(d)
	}
	return r.rows.Scan(dest...)
}

// roles returns what f is handed.
func (t *tx) roles() *catalog.Tx {
	return &catalog.Tx{
		Accounts:    accounts{t},
		Sessions:    sessions{t},
		Attempts:    attempts{t},
		Collections: newCollections(t),
		Tree:        newTree(t),
		Contents:    newContents(t),
		Uploads:     newUploads(t),
		Quotas:      newQuotas(t),
		Links:       newLinks(t),
		Audit:       audit{t},
		Settings:    settings{t},

		Layers:       layers{t},
		Capabilities: capabilities{t},
		Ledger:       ledger{t},
		Keepers:      keepers{t},
	}
}
