package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"tandem/internal/fault"
	"tandem/internal/node"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryKindHasAHint(t *testing.T) {
	for k := fault.Other + 1; k.String() != fault.Other.String(); k++ {
		if k != fault.Closed && hints[k] == "" {
			t.Errorf("failures of kind %s leave the user without a hint", k)
		}
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"a busy port beats the kind's hint", fmt.Errorf("listen: %w", node.ErrListen), "--listen :0"},
		{"a busy folder gets the kind's hint", fault.Errorf(fault.Busy, "folder"), "tandem stop ID"},
		{"no node says how to start one", node.ErrNoNode, "tandem node &"},
		{"a hint given on the spot wins", withHint("do this", node.ErrNoNode), "do this"},
		{"a mistake on the command line points to help", usageError{errors.New("x")}, "--help"},
		{"a failure of no kind gets none", errors.New("x"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hintFor(c.err); !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Fatalf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		exitOK:          nil,
		exitFailure:     fault.Errorf(fault.Corrupt, "x"),
		exitUsage:       fmt.Errorf("y: %w", usageError{errors.New("x")}),
		exitInterrupted: fmt.Errorf("y: %w", context.Canceled),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v exits with %d, want %d", err, got, want)
		}
	}
}

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("TANDEM_STATE_DIR", t.TempDir())
	t.Setenv("TANDEM_CONFIG_DIR", t.TempDir())
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown command", []string{"shre"}, "shre"},
		{"an unknown flag", []string{"share", "--fast", "x"}, "--fast"},
		{"an empty source", []string{"get", ""}, "empty"},
		{"a missing argument", []string{"get"}, "accepts 1 arg"},
		{"a bad rate", []string{"share", "--up-limit", "fast", "x"}, "up-limit"},
		{"a bad audience", []string{"share", "--audience", "friends", "x"}, "friends"},
		{"a torrent file of a link share", []string{"share", "--torrent", "x.torrent", "x"}, "--audience public"},
		{"a peer without a port", []string{"get", "--peer", "localhost", "magnet:?xt=urn:btih:0000000000000000000000000000000000000001"}, "localhost"},
		{"a bad duration", []string{"get", "--keep-seeding", "long", "x"}, "forever"},
		{"a malformed pattern", []string{"get", "--select", "[a", "x.torrent"}, "[a"},
		{"an unknown encryption policy", []string{"get", "--encryption", "rot13", "x"}, "rot13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t, c.args...)
			if code != exitUsage || out != "" || !strings.HasPrefix(errs, "error: ") ||
				!strings.Contains(errs, c.want) || !strings.Contains(errs, "\nhint: ") {
				t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

func TestFailuresInJSON(t *testing.T) {
	code, out, errs := run(t, "inspect", "--json", "no\x1bsuch.torrent")
	var ev errorEvent
	if err := json.Unmarshal([]byte(out), &ev); err != nil || errs != "" {
		t.Fatalf("stdout %q (%v), stderr %q", out, err, errs)
	}
	if code != exitFailure || ev.Event != "error" || ev.Kind != "not-found" || ev.Hint == "" || strings.ContainsRune(ev.Message, '\x1b') {
		t.Fatalf("exit %d, %+v", code, ev)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	a := &app{getenv: noEnv}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s lacks a short text or an example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(a.root())
}

func TestCompletionForFourShells(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errs := run(t, "completion", shell); code != 0 || !strings.Contains(out, "tandem") {
			t.Errorf("%s: exit %d, %d bytes, %s", shell, code, len(out), errs)
		}
	}
}

// fakeItem is an item whose life a test decides.
type fakeItem struct {
	s                      node.Snapshot
	ready, completed, done chan struct{}
	err                    error
	stopped                bool
}

func (f *fakeItem) Status() node.Snapshot      { return f.s }
func (f *fakeItem) Ready() <-chan struct{}     { return f.ready }
func (f *fakeItem) Completed() <-chan struct{} { return f.completed }
func (f *fakeItem) Done() <-chan struct{}      { return f.done }
func (f *fakeItem) Err() error                 { return f.err }
func (f *fakeItem) Why(context.Context) error  { return node.ErrNoSources }
func (f *fakeItem) Stop()                      { f.stopped = true; close(f.done) }

func closed() chan struct{} { c := make(chan struct{}); close(c); return c }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func someItem() *fakeItem {
	return &fakeItem{
		ready: make(chan struct{}), completed: make(chan struct{}), done: make(chan struct{}),
		s: node.Snapshot{
			ID: "3f9a01bc", Kind: node.KindGet, Name: "film", State: "downloading",
			Link: "magnet:?xt=urn:btih:ab", InfoHash1: "ab", InfoHash2: "cd",
			Bytes: 1 << 20, Total: 64 << 20, Rate: 2_862_500, Peers: make([]node.PeerSnapshot, 9),
			Started: start,
		},
	}
}

// steps drives a reporter through all events.
func steps(r reporter) {
	it := someItem()
	r.Listening("127.0.0.1:7741", "rud6di36")
	r.Reachability("reachable from this machine only")
	r.Warn("link \x1b[31m skipped")
	r.Hashing(0, 64<<20)
	r.Hashing(1<<20, 64<<20)
	r.Hashing(64<<20, 64<<20)
	it.s.Kind = node.KindShare
	r.Ready(it.s)
	it.s.Kind = node.KindGet
	r.Progress(it.s)
	it.s.Bytes, it.s.State, it.s.Completed = 64<<20, "seeding", start.Add(23*time.Second)
	it.s.FromPeers, it.s.Wasted, it.s.Limit = 64<<20, 16384, "your download link"
	it.s.Sources = map[string]int64{"10.0.0.1/-TD0100-": 26 << 20, "peer\x1b2": 38 << 20}
	r.Complete(it.s)
	r.Seeding(it.s)
	r.Close()
}

func TestEventsAreAContract(t *testing.T) {
	var out bytes.Buffer
	steps(&jsonReporter{w: &out, now: func() time.Time { return start }})
	writeJSON(&out, errorEvent{"error", "busy", "in use", "wait"})
	golden(t, "events.json", out.Bytes())
}

func TestPlainTextForPeople(t *testing.T) {
	var out, errs bytes.Buffer
	now := start
	steps(&textReporter{out: &out, err: &errs, quiet: time.Second, now: func() time.Time {
		now = now.Add(2 * time.Second)
		return now
	}})
	golden(t, "plain.txt", []byte("stdout:\n"+out.String()+"stderr:\n"+errs.String()))
}

func TestBarOnATerminalEndsCleanly(t *testing.T) {
	var out, errs bytes.Buffer
	steps(&textReporter{out: &out, err: &errs, terminal: true, qr: true, now: time.Now})
	if !strings.HasPrefix(out.String(), "magnet:?xt=urn:btih:ab\n64 MiB in 23 s") {
		t.Errorf("standard output is %q", out.String())
	}
	if !strings.Contains(errs.String(), "█") {
		t.Error("no QR code was drawn")
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "v1", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (%v); got\n%s", path, err, got)
	}
}

func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name       string
		life       func(*fakeItem, context.CancelFunc)
		wantEvents string
		wantCode   int
	}{
		{"a download that completes and ends", func(f *fakeItem, _ context.CancelFunc) {
			f.ready, f.completed, f.done = closed(), closed(), closed()
			f.s.State = "stopped"
		}, "complete", exitOK},
		{"an interrupted download", func(f *fakeItem, cancel context.CancelFunc) { cancel() }, "", exitInterrupted},
		{"a download that fails", func(f *fakeItem, _ context.CancelFunc) {
			f.done, f.err = closed(), fault.Errorf(fault.Full, "disk")
		}, "", exitFailure},
		{"an interrupt hides no failure", func(f *fakeItem, cancel context.CancelFunc) {
			f.err = fault.Errorf(fault.Full, "disk")
			cancel()
		}, "", exitFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			it := someItem()
			c.life(it, cancel)
			var out bytes.Buffer
			err := follow(ctx, it, &jsonReporter{w: &out, now: time.Now}, nil, time.Minute, time.Now)
			if got := exitCode(err); got != c.wantCode || !strings.Contains(out.String(), c.wantEvents) {
				t.Fatalf("%v (exit %d), events %s", err, got, out.String())
			}
		})
	}
}

func TestFollowServesUntilInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	it := someItem()
	it.s.Kind, it.s.State = node.KindShare, "seeding"
	it.completed = closed()
	r := &stopAtSeeding{jsonReporter{w: &bytes.Buffer{}, now: time.Now}, cancel}
	if err := follow(ctx, it, r, nil, time.Minute, time.Now); err != nil || !it.stopped {
		t.Fatalf("got %v, stopped %v; serving until an interrupt is a success", err, it.stopped)
	}
}

type stopAtSeeding struct {
	jsonReporter
	cancel context.CancelFunc
}

func (s *stopAtSeeding) Seeding(node.Snapshot) { s.cancel() }

func TestFollowSaysWhenNobodyIsThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	it := someItem()
	it.s.Peers = nil
	tick := make(chan time.Time, 3)
	for range 3 {
		tick <- start
	}
	now := start
	var out bytes.Buffer
	r := &stopAfter{jsonReporter{w: &out, now: time.Now}, 3, cancel}
	err := follow(ctx, it, r, tick, 20*time.Second, func() time.Time {
		now = now.Add(15 * time.Second)
		return now
	})
	if n := strings.Count(out.String(), `"warning"`); n != 1 || exitCode(err) != exitInterrupted {
		t.Fatalf("%d warnings, %v; want one:\n%s", n, err, out.String())
	}
}

// stopAfter interrupts at the n-th progress.
type stopAfter struct {
	jsonReporter
	left   int
	cancel context.CancelFunc
}

func (s *stopAfter) Progress(node.Snapshot) {
	if s.left--; s.left == 0 {
		s.cancel()
	}
}
