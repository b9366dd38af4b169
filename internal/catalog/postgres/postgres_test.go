package postgres_test

import (
	"context"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/postgres"
	"tandem/internal/catalog/sqlite"
	"tandem/test/engines"
)

func open(t *testing.T) catalog.Catalog { return openAt(t, engines.Postgres(t)) }

func openAt(t testing.TB, url string) catalog.Catalog {
	t.Helper()
	c, err := postgres.Open(context.Background(), url)
	return closing(t, c, err)
}

func closing(t testing.TB, c catalog.Catalog, err error) catalog.Catalog {
	t.Helper()
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

func openSQLite(t *testing.T) catalog.Catalog {
	c, err := sqlite.Open(t.Context(), catalogtest.Blank(t))
	return closing(t, c, err)
}

func TestContract(t *testing.T) { catalogtest.Run(t, open) }

func BenchmarkCatalog(b *testing.B) { catalogtest.Benchmark(b, openAt(b, engines.Postgres(b))) }

func TestTwoInstancesOnOneDatabase(t *testing.T) {
	url := engines.Postgres(t)
	catalogtest.Instances(t, openAt(t, url), openAt(t, url))
}

func TestDumpMovesFromSQLiteAndBack(t *testing.T) { catalogtest.Dumps(t, openSQLite, open) }

func TestDumpMovesToSQLiteAndBack(t *testing.T) { catalogtest.Dumps(t, open, openSQLite) }
