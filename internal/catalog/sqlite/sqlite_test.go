package sqlite_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) catalog.Catalog { return openAt(t, filepath.Join(t.TempDir(), "catalog.db")) }

func openAt(t *testing.T, path string) catalog.Catalog {
	t.Helper()
	c, err := sqlite.Open(t.Context(), path)
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

func TestTwoInstancesOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	catalogtest.Instances(t, openAt(t, path), openAt(t, path))
}
