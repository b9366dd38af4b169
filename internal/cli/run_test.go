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
	"syscall"
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
		{"a command with a letter too many", []string{"gett", "x"}, "perhaps: tandem get"},
		{"a subcommand nearly written", []string{"collection", "creat", "x"}, "perhaps: tandem collection create"},
		{"an argument where none is taken", []string{"version", "x"}, `"x" is too much`},
		{"help about nothing that is there", []string{"help", "gett"}, `no command "tandem gett"`},
		{"a flag with two letters swapped", []string{"get", "--dri", "x", "y"}, "perhaps: --dir"},
		{"a flag cut short", []string{"get", "--track", "x", "y"}, "perhaps: --tracker"},
		{"a number that is none", []string{"compare", "--receivers", "x"}, `--receivers "x": not a number`},
		{"an unknown flag", []string{"share", "--fast", "x"}, "--fast"},
		{"an empty source", []string{"get", ""}, "empty"},
		{"a missing argument", []string{"get"}, "tandem get needs SOURCE"},
		{"a bad rate", []string{"share", "--up-limit", "fast", "x"}, "up-limit"},
		{"a bad audience", []string{"share", "--audience", "friends", "x"}, "friends"},
		{"a torrent file of a link share", []string{"share", "--torrent", "x.torrent", "x"}, "--audience public"},
		{"a peer without a port", []string{"get", "--peer", "localhost", "magnet:?xt=urn:btih:0000000000000000000000000000000000000001"}, "localhost"},
		{"a tracker that is no URL", []string{"share", "--tracker", "t.example", "x"}, "t.example"},
		{"a tracker of another scheme", []string{"get", "--tracker", "ftp://t.example/a", "x"}, "ftp://t.example/a"},
		{"a tracker without a host", []string{"seed", "--tracker", "http:///announce", "x"}, "http:///announce"},
		{"a v1-only link share", []string{"share", "--v1", "x"}, "--audience public"},
		{"a model of no network", []string{"get", "--via", "pigeon", "x.torrent"}, "server, peers or both"},
		{"a server of a source without one", []string{"get", "--via", "server", "tandem:x"}, "names no server"},
		{"no patience", []string{"get", "--patience", "none", "x.torrent"}, "forever"},
		{"patience with what nobody waits for", []string{"get", "--detach", "--patience", "1m", "x.torrent"}, "--patience"},
		{"replacing without the server", []string{"get", "--force", "--via", "peers", "https://files.example/s/AbC"}, "--via peers"},
		{"replacing what goes on serving", []string{"get", "--force", "--keep-seeding", "1h", "https://files.example/s/AbC"}, "--keep-seeding"},
		{"keeping nothing", []string{"keep"}, "tandem keep LINK --for 30d"},
		{"keeping for no time", []string{"keep", "https://files.example/s/AbC"}, "--for"},
		{"keeping until the past", []string{"keep", "https://files.example/s/AbC", "--for", "2020-01-01"}, "over"},
		{"keeping for a time that is none", []string{"keep", "https://files.example/s/AbC", "--for", "long"}, "such as 12h or 7d"},
		{"keeping what has no server", []string{"keep", "tandem:x", "--for", "1d"}, "--keep-seeding"},
		{"keeping a link in offered room", []string{"keep", "https://files.example/s/AbC", "--space", "1GB"}, "no LINK"},
		{"an offer for a time", []string{"keep", "--space", "1GB", "--for", "1d"}, "an offer ends when it is stopped"},
		{"room that is no size", []string{"keep", "--space", "much"}, "much"},
		{"a ledger by the weather", []string{"ledger", "--by", "weather"}, "share, user or transfer"},
		{"sharing through a server to nowhere", []string{"share", "--server", "files.example", "x"}, "--to NAME"},
		{"a public share through a server", []string{"share", "--to", "photos", "--audience", "public", "x"}, "--audience public"},
		{"another tracker for a server's share", []string{"share", "--to", "photos", "--tracker", "http://t.example/a", "x"}, "--tracker"},
		{"two paths", []string{"share", "x", "y"}, `tandem share takes PATH, and was given ["x" "y"]`},
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

func TestFailuresSayWhatToTypeNext(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a missing argument points to the command's own help", []string{"get"}, "see: tandem get --help"},
		{"a damaged ticket is not to be inspected", []string{"inspect", "tandem:AbC"}, "copy the whole link again"},
		{"nor is a damaged magnet link", []string{"get", "magnet:?xt=urn:btih:..."}, "copy the whole link again"},
		{"an address without a port", []string{"share", "--listen", "99", "x"}, "write it as :7741"},
		{"an address of another machine", []string{"node", "--listen", "8.8.8.8:1"}, "an address of this machine"},
		{"a folder without files", []string{"share", "--listen", "127.0.0.1:0", empty}, "a folder with files in it"},
		{"a name that is a path", []string{"share", "--listen", "127.0.0.1:0", "--name", "a/b", "run_test.go"}, "--name NAME"},
		{"something that is no torrent", []string{"inspect", "run_test.go"}, "get it again"},
		{"what only a server can tell", []string{"inspect", "https://files.example/s/AbC"}, "ask it: tandem get LINK"},
		{"a damaged ticket of a server", []string{"inspect", "https://files.example/s/AbC#tandem:AbC"}, "copy the whole link again"},
		{"a server that nobody knows", []string{"keep", "--space", "1GB", "--server", "files.example"}, "sign in: tandem login"},
		{"no server at all", []string{"ledger"}, "sign in: tandem login"},
		{"a configuration file that is not there", []string{"--config", "none.toml", "status"}, "check the path"},
		{"a place on a server before signing in", []string{"get", "photos/x"}, "sign in first: tandem login"},
		{"a URL that leads nowhere", []string{"get", "ftp://x/y"}, "ftp://x/y: not a ticket"},
		{"a password file that is not there", []string{"admin", "init", "--data", empty, "--user", "a", "--password-file", "none"}, "check the path"},
		{"a backup that is not there", []string{"restore", "--from", "none", "--data", empty}, "check the path"},
		{"no node to talk to", []string{"get", "--detach", "tandem:x"}, "tandem node &"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, errs := run(t, c.args...)
			if code == exitOK || !strings.HasPrefix(errs, "error: ") || !strings.Contains(errs, "\nhint: ") || !strings.Contains(errs, c.want) {
				t.Fatalf("exit %d, stderr %q", code, errs)
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

func TestAListCutShortByAFullDiskIsAFailure(t *testing.T) {
	t.Setenv("TANDEM_STATE_DIR", t.TempDir())
	t.Setenv("TANDEM_CONFIG_DIR", t.TempDir())
	for _, args := range [][]string{{"config", "show"}, {"--json", "lab", "scenarios"}, {"--help"}} {
		var errs bytes.Buffer
		code := Run(t.Context(), args, strings.NewReader(""), fullDisk{}, &errs)
		if code != exitFailure || !strings.Contains(errs.String(), "error: write standard output: ") || !strings.Contains(errs.String(), "hint: make room") {
			t.Errorf("%q: exit %d, %s", args, code, errs.String())
		}
	}
}

// fullDisk is where nothing more goes.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

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

func TestTheVersionIsAFlagToo(t *testing.T) {
	if code, out, errs := run(t, "--version"); code != exitOK || out != "tandem "+node.Version+"\n" {
		t.Errorf("exit %d, %q, %s", code, out, errs)
	}
}

func TestCompletionForFourShells(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errs := run(t, "completion", shell); code != 0 || !strings.Contains(out, "tandem") {
			t.Errorf("%s: exit %d, %d bytes, %s", shell, code, len(out), errs)
		}
	}
}

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
