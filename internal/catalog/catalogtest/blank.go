package catalogtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tandem/internal/catalog/sqlite"
)

// blank is the file of a catalog with nothing in it. Making one takes ten times as
// long as copying it.
var blank = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "tandem-blank-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "catalog.db")
	c, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// Blank returns the path of an SQLite catalog with nothing in it, which goes with the
// test.
func Blank(t testing.TB) string {
	t.Helper()
	data, err := blank()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "catalog.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
