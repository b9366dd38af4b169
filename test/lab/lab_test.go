// Package lab holds that the three worlds of the lab agree on a case small enough for
// all of them, and that real runs leave nothing behind. It needs root: real runs are on
// shaped links.
package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the binary unless TANDEM_BIN names one.
func run(m *testing.M) int {
	if os.Getenv("TANDEM_BIN") != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tandem-worlds-")
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
