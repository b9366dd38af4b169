package postgres_test

import (
	"testing"

	"tandem/test/engines"
)

func TestMain(m *testing.M) {
	defer engines.Close()
	m.Run()
}
