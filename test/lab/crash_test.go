package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const short = `
name = "short"
size = "1MiB"
models = ["hybrid"]
worlds = ["real"]
repeats = 1

[origin]
up = "8Mbit"

[[receivers]]
count = 2
up = "4Mbit"
down = "16Mbit"
`

// patience bounds every wait.
const patience = 60 * time.Second

// TestARunThatIsKilledLeavesNothing kills a run, and then makes two at once: both end
// well, and of all three nothing is left.
func TestARunThatIsKilledLeavesNothing(t *testing.T) {
	place := t.TempDir()
	scenario := filepath.Join(t.TempDir(), "short.toml")
	if err := os.WriteFile(scenario, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
	killed := start(t, place, scenario)
	killed.until("it has namespaces, a folder and programs", func() bool {
		l := killed.left()
		return l.namespaces > 0 && l.folders > 0 && l.programs > 0
	})
	if err := killed.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed.wait()

	one, two := start(t, place, scenario), start(t, place, scenario)
	for _, r := range []*labRun{one, two} {
		if err := r.wait(); err != nil {
			t.Errorf("one of two at once: %v\n%s", err, r.errs.String())
		}
	}
	for name, r := range map[string]*labRun{"killed": killed, "one of two": one, "other of two": two} {
		r.until("nothing is left of the run that was "+name, func() bool { return r.left() == leftovers{} })
	}
}

// labRun is a running tandem lab real.
type labRun struct {
	t     *testing.T
	place string
	cmd   *exec.Cmd
	errs  bytes.Buffer // to be read when it has ended
	done  chan struct{}
	err   error
}

func start(t *testing.T, place, scenario string) *labRun {
	t.Helper()
	r := &labRun{t: t, place: place, cmd: exec.Command(os.Getenv("TANDEM_BIN"), "lab", "real", scenario), done: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), "TMPDIR="+place, "NO_COLOR=1")
	r.cmd.Dir = t.TempDir() // reports may be written where it stands
	r.cmd.Stderr = &r.errs
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
	})
	return r
}

func (r *labRun) wait() error {
	r.t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(patience):
		return fmt.Errorf("has not ended after %s", patience)
	}
}

// until looks until something holds.
func (r *labRun) until(what string, holds func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			r.t.Fatalf("not so after %s: %s: %+v", patience, what, r.left())
		}
	}
}

// leftovers are what a run has made, by its process number.
type leftovers struct{ namespaces, folders, programs int }

func (r *labRun) left() (l leftovers) {
	pid := strconv.Itoa(r.cmd.Process.Pid)
	names, _ := os.ReadDir("/run/netns")
	for _, n := range names {
		if strings.HasPrefix(n.Name(), "tdm-"+pid+"-") {
			l.namespaces++
		}
	}
	folders, _ := filepath.Glob(filepath.Join(r.place, "tandem-lab-"+pid+"-*"))
	l.folders = len(folders)
	// Programs of a run have its folder in their settings.
	settings, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range settings {
		text, err := os.ReadFile(name)
		if err == nil && slices.ContainsFunc(strings.Split(string(text), "\x00"), func(line string) bool {
			return strings.Contains(line, filepath.Join(r.place, "tandem-lab-"+pid+"-"))
		}) {
			l.programs++
		}
	}
	return l
}
