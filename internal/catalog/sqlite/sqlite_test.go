package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/fault"
)

func open(t *testing.T) catalog.Catalog { return openAt(t, catalogtest.Blank(t)) }

func openAt(t testing.TB, path string) catalog.Catalog {
	t.Helper()
	c, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestContract(t *testing.T) { catalogtest.Run(t, open) }

func BenchmarkCatalog(b *testing.B) {
	catalogtest.Benchmark(b, openAt(b, filepath.Join(b.TempDir(), "catalog.db")))
}

func TestTwoInstancesOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	catalogtest.Instances(t, openAt(t, path), openAt(t, path))
}

func TestNobodyElseReadsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder?mode=memory#", "catalog %41.db") // a name, not a URL
	if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	c := openAt(t, path)
	if err := c.Update(t.Context(), func(tx *catalog.Tx) error { return tx.Settings.Set("a", "b") }); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(strings.ReplaceAll(path, "?", "[?]") + "*")
	if err != nil || len(names) != 3 {
		t.Fatalf("files: %q, %v", names, err)
	}
	for _, name := range names {
		s, err := os.Stat(name)
		if err != nil || s.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, s.Mode(), err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fault.Kind{
		filepath.Join(dir, "absent", "catalog.db"): fault.NotFound,
		text: fault.Corrupt,
	} {
		if _, err := sqlite.Open(t.Context(), path); !errors.Is(err, want) || !strings.Contains(err.Error(), "catalog: ") {
			t.Errorf("%s: %v, want kind %v", path, err, want)
		}
	}
	if err := openAt(t, filepath.Join(dir, "catalog.db")).Probe(t.Context()); err != nil {
		t.Error(err)
	}
}
