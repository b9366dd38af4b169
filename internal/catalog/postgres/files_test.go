package postgres_test

import (
	"testing"

	"tandem/internal/catalog/catalogtest"
	"tandem/test/engines"
)

func TestModel(t *testing.T) { catalogtest.Model(t, open) }

func BenchmarkFiles(b *testing.B) {
	catalogtest.BenchmarkFiles(b, openAt(b, engines.Postgres(b)))
}
