package real_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tandem/internal/lab"
	"tandem/internal/lab/real"
	"tandem/internal/units"
)

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build builds the binary unless TANDEM_BIN names one.
func build(m *testing.M) int {
	if os.Getenv("TANDEM_BIN") != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tandem-real-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "tandem")
	cmd := exec.Command("go", "build", "-o", bin, "tandem/cmd/tandem")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("TANDEM_BIN", bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func world(t *testing.T, shaping string) real.World {
	t.Helper()
	return real.World{Bin: os.Getenv("TANDEM_BIN"), Dir: t.TempDir(), Shaping: shaping, Log: t.Output()}
}

func scenario(n int, size units.Size, change func(*lab.Scenario)) lab.Scenario {
	s := lab.Scenario{
		Size:      size,
		Origin:    lab.Origin{Up: 1_000_000},
		Receivers: []lab.Group{{Count: n, Up: 500_000, Down: 4_000_000}},
	}
	if change != nil {
		change(&s)
	}
	if err := s.Complete(); err != nil {
		panic(err)
	}
	return s
}

func TestThreeReceiversByEachModel(t *testing.T) {
	for _, shaping := range []string{real.UserSpace, real.Namespaces} {
		for _, m := range lab.Models() {
			t.Run(shaping+", "+string(m), func(t *testing.T) {
				s := scenario(3, 1<<20, func(s *lab.Scenario) {
					if shaping == real.UserSpace {
						s.Payload = 1
					}
				})
				start := time.Now()
				res, err := world(t, shaping).Run(t.Context(), lab.Run{Place: lab.InReal, Model: m, Scenario: s, Seed: 1})
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%v: %+v %+v", time.Since(start), res, res.Use)
			})
		}
	}
}
