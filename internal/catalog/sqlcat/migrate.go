package sqlcat

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"tandem/internal/fault"
)

// The schema grows by files that are never changed once they were released.
//
//go:embed schema/*.sql
var schema embed.FS

// migration is one step of the schema.
type migration struct {
	name string // of its file; names sort in the order of the steps
	sum  string // SHA-256 of the file
	text string
}

func migrations() ([]migration, error) {
	names, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, name := range names { // Glob sorts
		b, err := schema.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		all = append(all, migration{strings.TrimPrefix(name, "schema/"), hex.EncodeToString(sum[:]), string(b)})
	}
	return all, nil
}

// migrate brings the schema up to date, one transaction for each step.
// Instances that start at once wait for each other in BeginUpdate.
func (db *DB) migrate(ctx context.Context) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	s, err := openSession(ctx, db.dialect.Write, false)
	if err != nil {
		return db.refused(ctx, "open the database", err)
	}
	defer s.close()
	types := strings.NewReplacer(db.dialect.Types...)
	for i := -1; i < len(all); i++ {
		if err := s.script(ctx, db.dialect.BeginUpdate); err != nil {
			return db.refused(ctx, "begin to migrate", err)
		}
		t := &tx{ctx: ctx, db: db, session: s, write: true}
		if i < 0 {
			err = s.script(ctx, types.Replace("CREATE TABLE IF NOT EXISTS migrations (name {{text}} PRIMARY KEY, sum {{text}} NOT NULL){{strict}}"))
			if err == nil {
				err = t.agrees(all)
			}
		} else {
			err = t.step(types, all[i])
		}
		if err == nil {
			err = s.script(ctx, "COMMIT")
		}
		if err != nil {
			_ = s.rollback() // the session is closed next
			return db.refused(ctx, "migrate", err)
		}
	}
	return nil
}

func (db *DB) refused(ctx context.Context, doing string, err error) error {
	kind, _ := db.judge(ctx, err)
	return fault.Errorf(kind, "catalog: %s: %w", doing, err)
}

// agrees says whether the steps made so far are the ones we know.
func (t *tx) agrees(all []migration) error {
	made, err := list(t, func(r row, m *migration) error { return r.to(&m.name, &m.sum) },
		"SELECT name, sum FROM migrations ORDER BY name")
	if err != nil {
		return err
	}
	for i, m := range made {
		if i >= len(all) {
			return fault.Errorf(fault.Invalid, "the database was made by a newer version: it has %s", m.name)
		}
		if m.name != all[i].name || m.sum != all[i].sum {
			return fault.Errorf(fault.Invalid, "the database has %s (%.12s), this version %s (%.12s)",
				m.name, m.sum, all[i].name, all[i].sum)
		}
	}
	return nil
}

// step makes a step unless it was made before.
func (t *tx) step(types *strings.Replacer, m migration) error {
	var n int
	if err := t.scan(into{&n}, "SELECT COUNT(*) FROM migrations WHERE name = ?", m.name); err != nil || n > 0 {
		return err
	}
	if err := t.session.script(t.ctx, types.Replace(m.text)); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	_, err := t.exec("INSERT INTO migrations (name, sum) VALUES (?, ?)", m.name, m.sum)
	return err
}
