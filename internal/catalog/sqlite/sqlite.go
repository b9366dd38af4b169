// Package sqlite keeps the catalog in one file, with nothing else installed.
//
// Engine: SQLite as modernc.org/sqlite, without cgo. The file is in WAL mode
// with synchronous=FULL: what Update has answered survives a power cut. Other
// processes (the admin commands) may have it open at the same time.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"tandem/internal/catalog/sqlcat"
	"tandem/internal/fault"
)

// Open opens the catalog in the file at path, making it if need be, readable
// by nobody else.
func Open(ctx context.Context, path string) (*sqlcat.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if err := create(path); err != nil {
		return nil, err
	}
	return sqlcat.Open(ctx, dialect(path))
}

// create makes the file, so that it never is there with a wider mode; the
// engine gives its -wal and -shm the same one.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // whether it may be opened the engine says
	case errors.Is(err, fs.ErrPermission):
		return fault.Errorf(fault.Permission, "catalog: %w", err)
	case errors.Is(err, fs.ErrNotExist):
		return fault.Errorf(fault.NotFound, "catalog: %w", err)
	case err != nil:
		return fmt.Errorf("catalog: %w", err)
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

// syncDir makes the name of the new file durable: the engine only syncs names
// of files that it has made.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // which cannot, and need not
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func dialect(path string) sqlcat.Dialect {
	return sqlcat.Dialect{
		Name:        "sqlite",
		Read:        sql.OpenDB(connector{dsn(path, "query_only(1)", "cache_size(-8192)")}),
		Write:       sql.OpenDB(connector{dsn(path, "cache_size(-16384)")}),
		Readers:     4,
		Prepare:     true,
		BeginUpdate: "BEGIN IMMEDIATE",
		BeginView:   "BEGIN",
		Types: []string{
			"{{id}}", "INTEGER PRIMARY KEY AUTOINCREMENT", "{{int}}", "INTEGER", "{{text}}", "TEXT",
			"{{blob}}", "BLOB", "{{strict}}", " STRICT", "{{zero}}", "zeroblob(32)",
		},
		Judge:     judge,
		LastID:    lastID,
		SetLastID: setLastID,
		Inspect:   inspect,
	}
}

// dsn returns the name that the driver opens a connection by, with what holds
// for every one. The order of the pragmas matters: the lock is waited for first.
func dsn(path string, more ...string) string {
	q := make(url.Values)
	q["_pragma"] = append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"mmap_size(268435456)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
	}, more...)
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// connector opens connections without a driver registered under a name.
type connector struct{ dsn string }

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

func judge(err error) (kind fault.Kind, fatal bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fault.Other, false
	}
	switch e.Code() {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fault.Exists, false
	}
	switch e.Code() & 0xff {
	case codes.SQLITE_CONSTRAINT, codes.SQLITE_ERROR:
		return fault.Other, false
	case codes.SQLITE_TOOBIG:
		return fault.Invalid, false
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return fault.Busy, true
	case codes.SQLITE_FULL:
		return fault.Full, true
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return fault.Corrupt, true
	case codes.SQLITE_PERM, codes.SQLITE_READONLY, codes.SQLITE_AUTH:
		return fault.Permission, true
	case codes.SQLITE_CANTOPEN:
		return fault.Unreachable, true
	}
	return fault.Other, true // after an I/O error nothing is left of the transaction
}

func lastID(table string) string {
	return "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = '" + table + "'"
}

func setLastID(table string, last int64) []string {
	return []string{
		"DELETE FROM sqlite_sequence WHERE name = '" + table + "'",
		fmt.Sprintf("INSERT INTO sqlite_sequence (name, seq) VALUES ('%s', %d)", table, last),
	}
}

// inspect runs the engine's own checks.
func inspect(ctx context.Context, c *sql.Conn) ([]string, error) {
	var found []string
	for _, pragma := range []string{"PRAGMA quick_check(20)", "PRAGMA foreign_key_check"} {
		rows, err := c.QueryContext(ctx, pragma)
		if err != nil {
			return nil, err
		}
		lines, err := text(rows)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if l != "ok" {
				found = append(found, "sqlite: "+strings.TrimPrefix(pragma, "PRAGMA ")+": "+l)
			}
		}
	}
	return found, nil
}

// text returns rows of any columns as lines, at most 20.
func text(rows *sql.Rows) (lines []string, err error) {
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for len(lines) < 20 && rows.Next() {
		columns, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range columns {
			into[i] = &columns[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		parts := make([]string, len(columns))
		for i, c := range columns {
			parts[i] = c.String
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	return lines, rows.Err()
}
