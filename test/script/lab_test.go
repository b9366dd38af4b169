package script

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A real run as somebody who may not make network namespaces: it says so, is made all
// the same, and leaves nothing behind.
func TestRealRunsWithoutRoot(t *testing.T) {
	dir, err := os.MkdirTemp("", "lab") // below a folder that everybody may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin, state, copies := filepath.Join(dir, "tandem"), filepath.Join(dir, "state"), filepath.Join(dir, "copies")
	copyFile(t, program(t), bin)
	for _, d := range []string{state, copies} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	c := command(ctx, bin, state, "lab", "real", "home-links", "--receivers", "1", "--size", "256KiB", "--repeats", "1", "--models", "peer-to-peer", "--dir", copies)
	c.Dir = dir
	if os.Geteuid() == 0 {
		for _, d := range []string{state, copies} {
			if err := os.Chown(d, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	if !strings.Contains(errs.String(), "user space), since network namespaces need root\n") {
		t.Errorf("it says %q", errs.String())
	}
	if !strings.Contains(string(out), "peer-to-peer  0") {
		t.Errorf("it prints %s", out)
	}
	if left, err := os.ReadDir(copies); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}
