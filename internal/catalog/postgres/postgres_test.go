package postgres_test

import (
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/postgres"
	"tandem/test/engines"
)

func open(t *testing.T) catalog.Catalog {
	c, err := postgres.Open(t.Context(), engines.Postgres(t))
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
