package sqlcat_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/sqlcat"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) *sqlcat.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func fresh(t testing.TB) *sqlcat.DB {
	t.Helper()
	return open(t, catalogtest.Blank(t))
}

func TestParametersAreNumberedOutsideOfQuotes(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":                             "SELECT 1",
		"SELECT a FROM b WHERE c = ? AND d=?":  "SELECT a FROM b WHERE c = $1 AND d=$2",
		"SELECT '?', 'it''s ?' WHERE é = ?":    "SELECT '?', 'it''s ?' WHERE é = $1",
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?)":  "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10), ($11)",
		`x LIKE ? ESCAPE '\' AND y IN (?, ?) `: `x LIKE $1 ESCAPE '\' AND y IN ($2, $3) `,
	} {
		if got := sqlcat.Dollars(query); got != want {
			t.Errorf("%s became %s", query, got)
		}
	}
}

// A column that Dump does not know of would be lost by a backup.
func TestDumpKnowsEveryColumn(t *testing.T) {
	db := fresh(t)
	in, err := db.Query(t.Context(), `SELECT m.name || ' ' || c.name || ' ' ||
		CASE c.type WHEN 'INTEGER' THEN 'int' ELSE lower(c.type) END
		FROM sqlite_master AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT IN ('changes', 'migrations', 'sqlite_sequence')`)
	if err != nil {
		t.Fatal(err)
	}
	known := sqlcat.Columns()
	slices.Sort(in)
	slices.Sort(known)
	if !slices.Equal(in, known) {
		t.Errorf("the database has\n%s\nDump knows\n%s", strings.Join(in, "\n"), strings.Join(known, "\n"))
	}
}

// Engines differ in what is left after a statement failed, so nothing is.
func TestAnErrorOfTheDatabaseCannotBeSwallowed(t *testing.T) {
	db := fresh(t)
	type exec = func(string, ...any) (int64, error)
	const set = "INSERT INTO settings (name, value) VALUES (?, 'x')"
	twice := func(exec exec) error {
		_, err := exec(set, "a")
		if err != nil {
			t.Error(err)
		}
		if _, err := exec(set, "a"); !errors.Is(err, fault.Exists) {
			t.Errorf("the same key twice: %v", err)
		}
		if _, err := exec(set, "b"); err == nil {
			t.Error("it went on")
		}
		return nil
	}
	if err := db.Exec(t.Context(), twice); !errors.Is(err, fault.Exists) {
		t.Errorf("Update: %v", err)
	}
	left, err := db.Query(t.Context(), "SELECT name FROM settings")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestAFullDiskIsSaidSoAndPasses(t *testing.T) {
	db := fresh(t)
	add := func(size int) error {
		return db.Update(context.Background(), func(tx *catalog.Tx) error {
			return tx.Settings.Set("big", strings.Repeat("x", size))
		})
	}
	pragma := func(text string) {
		t.Helper()
		err := db.Exec(t.Context(), func(exec func(string, ...any) (int64, error)) error {
			_, err := exec(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pragma("PRAGMA max_page_count = 200")
	if err := add(4 << 20); !errors.Is(err, fault.Full) {
		t.Errorf("no room: %v", err)
	}
	if err := add(10); err != nil {
		t.Errorf("a small one afterwards: %v", err)
	}
	found, err := db.Check(t.Context())
	if err != nil || len(found) > 0 {
		t.Errorf("Check: %q, %v", found, err)
	}
}

func TestASchemaThatIsNotOursIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ change, says string }{
		"of a newer version": {"INSERT INTO migrations (name, sum) VALUES ('9999_later.sql', 'x')", "newer version: it has 9999_later.sql"},
		"that was changed":   {"UPDATE migrations SET sum = 'x' WHERE name = '0001_accounts.sql'", "the database has 0001_accounts.sql (x)"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "catalog.db")
			db := open(t, path)
			err := db.Exec(t.Context(), func(exec func(string, ...any) (int64, error)) error {
				_, err := exec(test.change)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.Open(t.Context(), path); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestCheckFindsWhatNeverMayBe(t *testing.T) {
	for name, test := range map[string]struct{ change, says string }{
		"an entry changed":    {"UPDATE audit SET object = 'other' WHERE seq = 2", "audit: entry 2 does not fit"},
		"an entry taken out":  {"DELETE FROM audit WHERE seq = 2", "audit: entry 3 follows 1"},
		"the end cut off":     {"DELETE FROM audit WHERE seq = 3", "audit: the log ends at entry 2, but should at 3"},
		"a user's other name": {"UPDATE users SET folded = 'other'", `users: "Ann" is folded to "other"`},
		"an id given again":   {"UPDATE sqlite_sequence SET seq = 0 WHERE name = 'users'", "table users has the id 1, but ids go on behind 0"},
		"a counter lost":      {"DELETE FROM access", "table access has 0 rows"},
		"nothing":             {"UPDATE access SET epoch = 5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			db := fresh(t)
			err := db.Update(t.Context(), func(tx *catalog.Tx) error {
				_, err := tx.Accounts.CreateUser(catalog.User{Name: "Ann"})
				return errors.Join(err, tx.Audit.Append(make([]catalog.Entry, 3)...))
			})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Exec(t.Context(), func(exec func(string, ...any) (int64, error)) error {
				_, err := exec(test.change)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			found, err := db.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (test.says == "") != (len(found) == 0) || !strings.Contains(strings.Join(found, "\n"), test.says) {
				t.Errorf("found %q, want %q", found, test.says)
			}
		})
	}
}

func TestAStatementCacheStaysBounded(t *testing.T) {
	db := fresh(t)
	for n := range 300 { // each another text, and each works
		got, err := db.Query(t.Context(), "SELECT 'x' WHERE 1 IN (1"+strings.Repeat(", ?", n)+")", make([]any, n)...)
		if err != nil || !slices.Equal(got, []string{"x"}) {
			t.Fatalf("%d parameters: %q, %v", n, got, err)
		}
	}
}

func TestWhatDumpWritesIsReadAndWrittenTheSame(t *testing.T) {
	db := fresh(t)
	err := db.Update(t.Context(), func(tx *catalog.Tx) error {
		ann, err := tx.Accounts.CreateUser(catalog.User{Name: "<é\u2028>"})
		if err != nil {
			return err
		}
		_, err = tx.Sessions.CreateSession(catalog.Session{User: ann})
		return errors.Join(err, tx.Audit.Append(catalog.Entry{}))
	})
	if err != nil {
		t.Fatal(err)
	}
	text := dumped(t, db)
	if again, err := sqlcat.Rewrite(text); err != nil || !bytes.Equal(again, text) {
		t.Errorf("%s came back as\n%s, %v", text, again, err)
	}
}

// Accepted bytes come out the same: there is one way to write a dump. The last line, with
// the sum, is put behind what the fuzzer makes up, lest nothing ever is accepted.
func FuzzDump(f *testing.F) {
	full := sqlcat.Sample()
	body := full[:bytes.LastIndexByte(full[:len(full)-1], '\n')+1]
	const head = `{"format":"tandem catalog","version":1}` + "\n"
	if text, err := sqlcat.Rewrite(sqlcat.Seal(body)); err != nil || !bytes.Equal(text, full) {
		f.Fatalf("a sample came back as %s, %v", text, err)
	}
	f.Add(body)
	f.Add([]byte(head))
	f.Add([]byte(head + `{"table":"users","columns":["id","name"],"last":1}` + "\n" + `{"row":[1,"a"]}` + "\n"))
	f.Add([]byte(head + `{"table":"audit_head","columns":["hash"]}` + "\n" + `{"row":["AP8="]}` + "\n" + `{"row":[null]}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, text := range [][]byte{body, sqlcat.Seal(body)} {
			again, err := sqlcat.Rewrite(text)
			switch k := fault.KindOf(err); {
			case err != nil && k != fault.Invalid && k != fault.Corrupt:
				t.Errorf("kind %v: %v", k, err)
			case err == nil && !bytes.Equal(again, text):
				t.Errorf("%q came back as %q", text, again)
			}
		}
	})
}

func dumped(t testing.TB, db *sqlcat.DB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := db.Dump(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
