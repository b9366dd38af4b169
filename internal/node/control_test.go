package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/peer"
)

// controlled is a persisting node with its control socket open.
func controlled(t *testing.T, state string) (n *Node, stop func()) {
	t.Helper()
	n, err := New(t.Context(), Config{Listen: "127.0.0.1:0", StateDir: state, Persist: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Control(ctx) }()
	for { // until the socket is there
		if c, err := Connect(t.Context(), state); err == nil {
			_ = c.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("control: %v", err)
		default:
		}
	}
	return n, func() {
		cancel()
		if err := errors.Join(<-ended, n.Close()); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}

// shortDir is a folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func ask(t *testing.T, state string) *Client {
	t.Helper()
	c, err := Connect(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestControlKeepsItemsAcrossRestarts(t *testing.T) {
	state, path := shortDir(t), testFile(t, 100_000)
	_, stop := controlled(t, state)
	var hashed int64
	s, err := ask(t, state).Start(t.Context(), Request{Share: &ShareOptions{Path: path, Audience: peer.Link}},
		Watch{Hashing: func(done, _ int64) { hashed = done }})
	if err != nil || s.Link == "" || hashed == 0 {
		t.Fatalf("share: %+v, %v, %d bytes hashed", s, err, hashed)
	}
	stop()

	n, stop := controlled(t, state)
	for n.revived(s.ID) == nil { // checked in the background
		if list, err := n.status(s.ID); err != nil || list[0].State == "failed" {
			t.Fatalf("after the restart: %+v, %v", list, err)
		}
	}
	list, err := ask(t, state).Status(t.Context(), s.ID)
	if err != nil || len(list) != 1 || list[0].State == "failed" {
		t.Fatalf("after the restart: %+v, %v", list, err)
	}
	if all, err := ask(t, state).Status(t.Context(), ""); err != nil || len(all) != 1 || all[0].Link != "" {
		t.Fatalf("the overview is %+v, %v; want one item without its link", all, err)
	}
	if last, err := ask(t, state).Stop(t.Context(), s.ID); err != nil || last.State != "stopped" {
		t.Fatalf("stop: %+v, %v", last, err)
	}
	stop()

	_, stop = controlled(t, state)
	defer stop()
	if all, err := ask(t, state).Status(t.Context(), ""); err != nil || len(all) != 0 {
		t.Fatalf("a stopped share came back: %+v, %v", all, err)
	}
}

// revived returns the running item of that ID.
func (n *Node) revived(id string) *Item {
	it, _ := n.reg.get(id)
	return it
}

func TestControlSocketIsPrivateAndOnce(t *testing.T) {
	state := shortDir(t)
	n, stop := controlled(t, state)
	defer stop()
	if st, err := os.Stat(socketPath(state)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", st.Mode(), err)
	}
	if err := n.Control(t.Context()); !errors.Is(err, ErrNodeRuns) {
		t.Errorf("a second node: %v", err)
	}
}

func TestNoNode(t *testing.T) {
	state := shortDir(t)
	if _, err := Connect(t.Context(), state); !errors.Is(err, ErrNoNode) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath(state), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after kill -9
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(t.Context(), state); !errors.Is(err, ErrNoNode) {
		t.Errorf("a dead socket: %v", err)
	}
	_, stop := controlled(t, state)
	stop()
}

func TestControlRefusesNonsense(t *testing.T) {
	state := shortDir(t)
	_, stop := controlled(t, state)
	defer stop()
	for name, line := range map[string]string{
		"no JSON":              "hello\n",
		"an unknown operation": `{"op":"format"}` + "\n",
		"a start of nothing":   `{"op":"start"}` + "\n",
		"a line without end":   strings.Repeat("x", maxRequest+1),
		"a wrong type":         `{"op":7}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("unix", socketPath(state))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = fmt.Fprint(c, line) // the node may hang up before it has all
			answer, _ := bufio.NewReader(c).ReadString('\n')
			if !strings.Contains(answer, `"error"`) || !strings.Contains(answer, "invalid") {
				t.Fatalf("the answer is %q", answer)
			}
		})
	}
}

func TestKindsCrossTheSocket(t *testing.T) {
	for k := fault.Other; ; k++ {
		if k > fault.Other && k.String() == fault.Other.String() {
			break
		}
		if got := fault.KindOf(toRemote(fault.Errorf(k, "x")).local()); got != k {
			t.Errorf("%s arrives as %s", k, got)
		}
	}
	for name, is := range specials {
		if got := toRemote(fmt.Errorf("get: %w", is)).local(); !errors.Is(got, is) || got.Error() != "get: "+is.Error() {
			t.Errorf("%s arrives as %v", name, got)
		}
	}
	if got := (&remoteError{Kind: "of a newer node", Message: "m"}).local(); fault.KindOf(got) != fault.Other {
		t.Errorf("an unknown kind arrives as %s", fault.KindOf(got))
	}
}

func TestGoneContentStaysToBeLookedAt(t *testing.T) {
	state, path := shortDir(t), testFile(t, 100_000)
	_, stop := controlled(t, state)
	s, err := ask(t, state).Start(t.Context(), Request{Share: &ShareOptions{Path: path, Audience: peer.Public}}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), "moved")); err != nil {
		t.Fatal(err)
	}
	n, stop := controlled(t, state)
	defer stop()
	for {
		list, err := n.status(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if list[0].State == "failed" {
			if list[0].ErrorKind != "not-found" {
				t.Errorf("it says %+v", list[0])
			}
			break
		}
	}
	if _, err := n.stop(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := n.status(""); err != nil || len(list) != 0 {
		t.Fatalf("after stop: %+v, %v", list, err)
	}
}
