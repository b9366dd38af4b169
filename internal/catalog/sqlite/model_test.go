package sqlite_test

import (
	"testing"

	"tandem/internal/catalog/catalogtest"
)

func TestModel(t *testing.T) { catalogtest.Model(t, open) }
