package sqlite_test

import (
	"path/filepath"
	"testing"

	"tandem/internal/catalog/catalogtest"
)

func TestModel(t *testing.T) { catalogtest.Model(t, open) }

func BenchmarkFiles(b *testing.B) {
	catalogtest.BenchmarkFiles(b, openAt(b, filepath.Join(b.TempDir(), "catalog.db")))
}
