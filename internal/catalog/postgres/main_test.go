package postgres_test

import (
	"testing"

	"go.uber.org/goleak"

	"tandem/test/engines"
)

// tests end the cluster they shared before leaks are looked for.
type tests struct{ *testing.M }

func (m tests) Run() int {
	defer engines.Close()
	return m.M.Run()
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }
