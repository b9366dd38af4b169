package crash

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tandem/test/peers"
)

// TestDiskFullPausesAndGoesOn fills a small file system under a running get,
// which must say so, keep what it has, and finish once there is room.
func TestDiskFullPausesAndGoesOn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small tmpfs needs root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	bin, dir := build(t), t.TempDir()
	small := filepath.Join(dir, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=112m"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(small, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	}()
	src := filepath.Join(dir, "src", "data.bin")
	if err := peers.WriteRandom(src, 40<<20, 3); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	quiet := []string{"--json", "--no-dht", "--no-lan", "--no-portmap"}
	sharer := start(t, bin, filepath.Join(dir, "a"), append([]string{"share", src, "--listen", "127.0.0.1:0", "--up-limit", "10MiB"}, quiet...)...)
	defer sharer.kill()
	addr := sharer.await(ctx, t, "listening").Addr
	link := sharer.await(ctx, t, "ready").Link
	getter := start(t, bin, filepath.Join(dir, "b"), append([]string{"get", link, "--dir", small, "--peer", addr}, quiet...)...)
	defer getter.kill()

	filler := filepath.Join(small, "filler")
	for getter.await(ctx, t, "progress").Bytes < 1<<20 {
	}
	fill(t, filler)
	if ev := getter.awaitPast(ctx, t, "error", "error"); !strings.Contains(ev.Text, `"kind":"full"`) {
		t.Fatalf("on a full disk: %s", ev.Text)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	getter.awaitPast(ctx, t, "complete", "error")
	want, err := peers.TreeSum(filepath.Dir(src))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := peers.TreeSum(small); err != nil || got != want {
		t.Fatalf("what arrived differs from what was shared (%v)", err)
	}
}

// fill writes until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for buf := make([]byte, 4096); ; {
		if _, err := f.Write(buf); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
