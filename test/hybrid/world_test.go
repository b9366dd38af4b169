// Package hybrid holds that a share outlives its server: real servers and nodes
// are killed at chosen moments, links taken back, content replaced, proxies put
// in between, and BitTorrent clients let in.
//
// What needs no shaped link runs on loopback. The rest runs on hosts in network
// namespaces and needs root.
package hybrid

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tandem/test/peers"
	"tandem/test/servers"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the binary unless TANDEM_BIN names one.
func run(m *testing.M) int {
	if os.Getenv("TANDEM_BIN") != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tandem-hybrid-")
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

// patience bounds every wait.
const patience = 40 * time.Second

// world is a server behind a front, and nodes.
type world struct {
	t     *testing.T
	dir   string
	bin   string
	login string // configuration folder with the admin's credentials
	front *front
	*servers.Server
}

// newWorld starts a server with the collection "c". Links to it begin with the
// address of its front.
func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	bin, err := servers.Binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), bin: bin, front: newFront(t)}
	o := servers.Options{Dir: filepath.Join(w.dir, "server"), Args: append([]string{"--public-url", "http://" + w.front.addr}, args...), Env: alone}
	if w.Server, err = servers.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Server.Kill() })
	w.login = filepath.Join(w.dir, "server", "config")
	w.front.to(strings.TrimPrefix(w.URL, "http://"))
	w.must("collection", "create", "c")
	return w
}

// until waits until c is closed.
func (w *world) until(what string, c <-chan struct{}) {
	w.t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		w.t.Fatalf("not after %s: %s; %d bytes were sent", patience, what, w.front.sent.Load())
	}
}

// alone keeps nodes from finding each other by anything but the link.
var alone = []string{"TANDEM_DHT=false", "TANDEM_LAN=false", "TANDEM_PORT_MAP=false", "TANDEM_LISTEN=127.0.0.1:0", "NO_COLOR=1"}

// must runs a command as the admin.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.Opts.Run(w.t.Context(), args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// publish puts a file of that size onto the server and links to it.
func (w *world) publish(size int64, seed uint64, args ...string) (file string, l servers.Link) {
	w.t.Helper()
	file = filepath.Join(w.dir, "content", "file.bin")
	if err := peers.WriteRandom(file, size, seed); err != nil {
		w.t.Fatal(err)
	}
	w.must("put", file, "c")
	return file, w.link("c/file.bin", args...)
}

func (w *world) link(what string, args ...string) servers.Link {
	w.t.Helper()
	l, err := w.MakeLink(w.t.Context(), append([]string{what}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// event is a line that a command prints with --json.
type event struct {
	Event      string
	Addr       string
	Node       string
	Link       string
	State      string
	Kind       string
	Message    string
	Bytes      int64
	Total      int64
	FromOrigin int64 `json:"from_origin"`
	FromPeers  int64 `json:"from_peers"`
	Pieces     []struct {
		First, Last int
		Holder      string
	}
}

// node is a running command with a state folder of its own.
type node struct {
	t    *testing.T
	name string
	got  string // where a get puts what it fetches
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error
	errs bytes.Buffer // to be read when done

	mu   sync.Mutex
	seen []event
	wake chan struct{} // closed and replaced at each event
}

// start runs tandem ARGS --json.
func (w *world) start(name string, args ...string) *node {
	w.t.Helper()
	return w.startAs(name, filepath.Join(w.dir, name+"-config"), args...)
}

// startAs is start with the configuration, and so the credentials, in a folder.
func (w *world) startAs(name, config string, args ...string) *node {
	w.t.Helper()
	n := &node{t: w.t, name: name, got: filepath.Join(w.dir, name), done: make(chan struct{}), wake: make(chan struct{})}
	state := filepath.Join(w.dir, name+"-state")
	n.cmd = exec.Command(w.bin, append(args, "--json")...)
	n.cmd.Env = slices.Concat(os.Environ(), alone, []string{"TANDEM_STATE_DIR=" + state, "TANDEM_CONFIG_DIR=" + config})
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	n.cmd.Stderr = &n.errs
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(n.kill)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			var ev event
			if json.Unmarshal(s.Bytes(), &ev) == nil {
				n.saw(ev)
			}
		}
		n.err = n.cmd.Wait()
		close(n.done)
	}()
	return n
}

// get fetches a link and stays to serve it.
func (w *world) get(name, link string, args ...string) *node {
	w.t.Helper()
	return w.start(name, append([]string{"get", link, "--dir", filepath.Join(w.dir, name), "--keep-seeding", "forever"}, args...)...)
}

func (n *node) saw(ev event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = append(n.seen, ev)
	close(n.wake)
	n.wake = make(chan struct{})
}

// await returns the first event, also of the past, that fits; the test fails if
// the command ends or time passes before.
func (n *node) await(what string, fits func(event) bool) event {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	for next := 0; ; {
		n.mu.Lock()
		more, wake := n.seen[next:], n.wake
		n.mu.Unlock()
		for _, ev := range more {
			if fits(ev) {
				return ev
			}
		}
		next += len(more)
		select {
		case <-wake:
			continue
		default:
		}
		select {
		case <-wake:
		case <-n.done:
			n.mu.Lock()
			ended := next == len(n.seen)
			n.mu.Unlock()
			if ended {
				n.t.Fatalf("%s ended before %s: %v\n%s", n.name, what, n.err, n.errs.String())
			}
		case <-ctx.Done():
			n.t.Fatalf("%s: not %s after %s; the last of %d events: %+v", n.name, what, patience, next, last(more))
		}
	}
}

func last(events []event) event {
	if len(events) == 0 {
		return event{}
	}
	return events[len(events)-1]
}

// complete waits until everything is there and compares it with the file.
func (n *node) complete(file string) event {
	n.t.Helper()
	ev := n.await("complete", func(e event) bool { return e.Event == "complete" })
	same(n.t, file, filepath.Join(n.got, filepath.Base(file)))
	return ev
}

// past waits until a part of everything has been received.
func (n *node) past(part float64) {
	n.t.Helper()
	n.await(fmt.Sprintf("at %.0f %%", 100*part), func(e event) bool {
		return e.Event == "complete" || e.Event == "progress" && e.Total > 0 && float64(e.Bytes) >= part*float64(e.Total)
	})
}

// fails waits until the command has ended with an error, and returns what it said,
// warnings included.
func (n *node) fails() string {
	n.t.Helper()
	select {
	case <-n.done:
	case <-time.After(patience):
		n.t.Fatalf("%s has not ended after %s", n.name, patience)
	}
	if n.err == nil {
		n.t.Fatalf("%s ended without an error: %s", n.name, n.errs.String())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	text := n.errs.String()
	for _, e := range n.seen {
		if e.Event == "error" || e.Event == "warning" {
			text += e.Kind + ": " + e.Message + "\n"
		}
	}
	return text
}

func (n *node) addr() string {
	n.t.Helper()
	return n.await("listening", func(e event) bool { return e.Event == "listening" }).Addr
}

func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
}

// same fails the test when two files differ.
func same(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s is not what was shared", got)
	}
}
