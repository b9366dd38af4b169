package real

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/units"
)

func TestFoldersOfCrashedRunsAreSwept(t *testing.T) {
	dead := exec.Command(os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	place := t.TempDir()
	make := func(name string) string {
		dir := filepath.Join(place, name)
		if err := os.MkdirAll(filepath.Join(dir, "receiver1", "got"), 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	stale := make(fmt.Sprintf("tandem-lab-%d-123", dead.Process.Pid))
	mine, err := makeFolder(place)
	if err != nil {
		t.Fatal(err)
	}
	others := []string{
		mine, make("tandem-lab-x-1"), make("tandem-lab-1"), make(fmt.Sprintf("tandem-lab-%d", dead.Process.Pid)),
		make(fmt.Sprintf("tandem-lab-%d-notes", dead.Process.Pid)), make("tandem-lab-1-1"), make("tandem-lab--5-1"),
	}
	sweepFolders(place)
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a crashed run is still there: %v", err)
	}
	for _, dir := range others {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s is gone: %v", filepath.Base(dir), err)
		}
	}
}

func TestADiskTooSmallIsRefusedBeforeTheStart(t *testing.T) {
	place := t.TempDir()
	s := lab.Scenario{Size: 1 << 50, Origin: lab.Origin{Up: 1 << 20}, Receivers: []lab.Group{{Count: 24}}}
	err := World{Dir: place}.room(&s)
	if !errors.Is(err, fault.Full) {
		t.Fatalf("26 PiB fit: %v", err)
	}
	for _, word := range []string{"26 copies of 1 PiB need 26.0 PiB in " + place, "--dir", "TMPDIR"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	s.Size = 1 << 20
	if err := (World{Dir: place}).room(&s); err != nil {
		t.Errorf("26 MiB: %v", err)
	}
	if err := (World{Dir: filepath.Join(place, "none")}).room(&s); !errors.Is(err, fault.NotFound) {
		t.Errorf("a place that is not there: %v", err)
	}
}

func TestMoreReceiversNeedMoreRoom(t *testing.T) {
	last := int64(0)
	for n := range 5 {
		s := lab.Scenario{Size: units.Size(10 << 20), Receivers: []lab.Group{{Count: n}}}
		need := needed(&s)
		if least := int64(n+2) * 10 << 20; need < least || need <= last {
			t.Errorf("%d receivers need %d", n, need)
		}
		last = need
	}
}

func TestWrongBytesAreCounted(t *testing.T) {
	dir := t.TempDir()
	want := bytes.Repeat([]byte("tandem"), 300_000)
	wrong := bytes.Clone(want)
	wrong[5], wrong[1_500_000] = 'x', 'y'
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := file("right", want)
	for _, c := range []struct {
		name string
		got  string
		want int64
	}{
		{"the same", file("same", want), 0},
		{"two bytes", file("two", wrong), 2},
		{"cut off", file("short", want[:len(want)-10]), 10},
		{"too long", file("long", append(bytes.Clone(want), 1, 2, 3)), 3},
		{"not there", filepath.Join(dir, "none"), int64(len(want))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, err := differing(right, c.got); err != nil || n != c.want {
				t.Errorf("%d wrong bytes, want %d: %v", n, c.want, err)
			}
		})
	}
}

func TestContentFollowsFromTheSeed(t *testing.T) {
	dir := t.TempDir()
	var sums [3][32]byte
	for i, seed := range []uint64{1, 1, 2} {
		path := filepath.Join(dir, fmt.Sprint(i))
		sum, err := writeRandom(t.Context(), path, 3<<20+17, seed)
		if err != nil {
			t.Fatal(err)
		}
		if sums[i], err = sumOf(path); err != nil || sums[i] != sum {
			t.Fatalf("the sum is not that of the file: %v", err)
		}
	}
	if sums[0] != sums[1] || sums[0] == sums[2] {
		t.Error("content is not a matter of the seed alone")
	}
}
