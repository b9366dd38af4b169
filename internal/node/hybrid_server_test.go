package node

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/peer"
	"tandem/internal/transfer"
)

// hub is a real server with somebody signed in, who has the collection c.
type hub struct {
	t  *testing.T
	s  *serving
	c  *client.Client
	as *Account
}

func newHub(t *testing.T) *hub {
	t.Helper()
	cfg := ServerConfig{DataConfig: DataConfig{Data: filepath.Join(t.TempDir(), "data")}}
	if err := MakeAdmin(t.Context(), cfg.DataConfig, "ann", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, s: serve(t, cfg)}
	anybody, err := client.New(client.Config{URL: h.s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer anybody.Close()
	session, err := anybody.Login(t.Context(), "ann", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	h.as = &Account{URL: h.s.URL, Secret: session.Secret}
	if h.c, err = client.New(client.Config{URL: h.s.URL, Secret: session.Secret}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.c.Close)
	if _, err := h.c.CreateCollection(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	return h
}

// put sends data to a place in the collection.
func (h *hub) put(path string, data []byte) {
	h.t.Helper()
	local := filepath.Join(h.t.TempDir(), "x")
	if err := os.WriteFile(local, data, 0o600); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.c.In("c").Send(h.t.Context(), local, path, client.Put{}); err != nil {
		h.t.Fatal(err)
	}
}

// link makes a link and waits until it can be handed out.
func (h *hub) link(l api.NewLink) api.Link {
	h.t.Helper()
	l.Collection = "c"
	made, err := h.c.CreateLink(h.t.Context(), l)
	if err != nil {
		h.t.Fatal(err)
	}
	eventually(h.t, "the link is whole", func() bool {
		now, err := h.c.Link(h.t.Context(), made.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		made = now
		return made.Link != ""
	})
	return made
}

func same(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (%d bytes, %v)", name, len(got), err)
	}
}

func TestWithARealServer(t *testing.T) {
	h := newHub(t)
	t.Run("every link", func(t *testing.T) { h.in(t).everyLink() })
	t.Run("a share through it", func(t *testing.T) { h.in(t).share() })
	t.Run("an upload that breaks off", func(t *testing.T) { h.in(t).brokenUpload() })
	t.Run("its revocation and its end", func(t *testing.T) { h.in(t).end() })
}

// in returns h for a part of a test.
func (h *hub) in(t *testing.T) *hub {
	out := *h
	out.t = t
	return &out
}

func (h *hub) everyLink() {
	t := h.t
	data := noise(700_000)
	h.put("one.bin", data)
	h.put("box/a b.bin", data[:100_000])
	h.put("box/sub/ü.bin", data[100_000:])
	h.put("box/empty", nil)
	password := "sesame street"
	for name, c := range map[string]struct {
		l    api.NewLink
		o    GetOptions
		want []string
	}{
		"a file":                   {l: api.NewLink{Path: "one.bin"}},
		"a public file":            {l: api.NewLink{Path: "one.bin", Audience: "public"}},
		"a public file, v1 only":   {l: api.NewLink{Path: "one.bin", Audience: "public", V1: true}},
		"a file with a password":   {l: api.NewLink{Path: "one.bin", Password: password}, o: GetOptions{Password: password}},
		"a file counted":           {l: api.NewLink{Path: "one.bin", MaxDownloads: 1}},
		"a folder":                 {l: api.NewLink{Path: "box"}},
		"a public folder":          {l: api.NewLink{Path: "box", Audience: "public"}},
		"a place":                  {o: GetOptions{Source: "c/one.bin", Server: h.as}},
		"a folder at a place":      {o: GetOptions{Source: "c/box", Server: h.as}},
		"under another name":       {o: GetOptions{Source: "c/one.bin", Server: h.as, Name: "two.bin"}},
		"a link, from server only": {l: api.NewLink{Path: "box"}, o: GetOptions{Via: transfer.ViaServer}},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.o
			if o.Source == "" {
				o.Source = h.link(c.l).Link
			}
			o.Dir = t.TempDir()
			it := begin(t, testNode(t, nil), o)
			await(t, "completion", it.Completed(), it)
			await(t, "the end", it.Done(), it)
			switch {
			case o.Name != "":
				same(t, o.Dir, o.Name, data)
			case c.l.Path == "box" || o.Source == "c/box":
				same(t, o.Dir, "box/a b.bin", data[:100_000])
				same(t, o.Dir, "box/sub/ü.bin", data[100_000:])
				same(t, o.Dir, "box/empty", nil)
			default:
				same(t, o.Dir, "one.bin", data)
			}
			if s := it.Status(); s.FromServer != int64(len(data)) {
				t.Errorf("from the server came %d bytes: %+v", s.FromServer, s)
			}
		})
	}
	locked := h.link(api.NewLink{Path: "one.bin", Password: password}).Link
	for name, o := range map[string]GetOptions{"no password": {Source: locked}, "a wrong one": {Source: locked, Password: "x"}} {
		t.Run(name, func(t *testing.T) {
			o.Dir = t.TempDir()
			if _, err := testNode(t, nil).Get(t.Context(), o, Watch{}); !errors.Is(err, ErrPassword) || fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("%v", err)
			}
		})
	}
}

func (h *hub) end() {
	t := h.t
	data := noise(400_000)
	h.put("one.bin", data)
	l := h.link(api.NewLink{Path: "one.bin"})
	first := testNode(t, nil)
	full := begin(t, first, GetOptions{Source: l.Link, KeepSeeding: Forever})
	await(t, "a first copy", full.Completed(), full)
	t.Run("a revoked link ends who serves it", func(t *testing.T) {
		other := h.link(api.NewLink{Path: "one.bin", Note: "other"})
		// The same content under another link has another secret, and so it is another share here.
		it := begin(t, testNode(t, nil), GetOptions{Source: other.Link, KeepSeeding: Forever})
		await(t, "completion", it.Completed(), it)
		eventually(t, "the server holds its question", func() bool {
			it.session.mu.Lock()
			defer it.session.mu.Unlock()
			return !it.session.asked.IsZero() && time.Since(it.session.asked) > 100*time.Millisecond
		})
		if err := h.c.RevokeLink(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
		await(t, "the end", it.Done(), it)
		if err := it.Err(); !errors.Is(err, ErrRevoked) {
			t.Errorf("it ended with %v", err)
		}
	})
	h.s.stop()
	<-h.s.ended
	o := GetOptions{Source: l.Link, Dir: t.TempDir(), Common: Common{Peers: []string{first.Addr().String()}}}
	it := begin(t, testNode(t, nil), o)
	await(t, "completion without the server", it.Completed(), it)
	same(t, o.Dir, "one.bin", data)
	if s := it.Status(); s.FromServer != 0 {
		t.Errorf("the last snapshot is %+v", s)
	}
}

func (h *hub) share() {
	t := h.t
	data := noise(3 << 20)
	path := filepath.Join(t.TempDir(), "new.bin")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	n := testNode(t, nil)
	it, err := n.Share(t.Context(), ShareOptions{Path: path, Audience: peer.Link, Server: h.as, To: "c/"}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	link := it.Status().Link
	o := GetOptions{Source: link, Dir: t.TempDir()}
	got := begin(t, testNode(t, nil), o)
	await(t, "completion", got.Completed(), got)
	same(t, o.Dir, "new.bin", data)
	eventually(t, "it is stored", func() bool { s := it.Status(); return s.Upload != nil && s.Upload.State == uploadStored })
	e, err := h.c.In("c").Stat(t.Context(), "new.bin")
	if err != nil || e.Size != int64(len(data)) {
		t.Errorf("on the server: %+v, %v", e, err)
	}
	eventually(t, "its link is like any other", func() bool {
		list, err := h.c.Links(t.Context(), "c")
		at := slices.IndexFunc(list, func(l api.Link) bool { return l.Path == "new.bin" })
		if err != nil || at < 0 {
			t.Fatalf("the links are %+v, %v", list, err)
		}
		return !list[at].Pending
	})
	it.Stop()
	await(t, "the end", it.Done(), it)
	o.Dir, o.Via = t.TempDir(), transfer.ViaServer
	got = begin(t, testNode(t, nil), o)
	await(t, "completion from the server", got.Completed(), got)
	same(t, o.Dir, "new.bin", data)
	t.Run("again it has the same link", func(t *testing.T) {
		it, err := n.Share(t.Context(), ShareOptions{Path: path, Audience: peer.Link, Server: h.as, To: "c/new.bin"}, Watch{})
		if err != nil || it.Status().Link != link {
			t.Errorf("%v, %s, want %s", err, it.Status().Link, link)
		}
	})
	for name, o := range map[string]ShareOptions{
		"no place":     {Path: path, Audience: peer.Link, Server: h.as},
		"no server":    {Path: path, Audience: peer.Link, To: "c"},
		"to everybody": {Path: path, Audience: peer.Public, Server: h.as, To: "c"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := n.Share(t.Context(), o, Watch{}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%v", err)
			}
		})
	}
}

// breaking passes connections on to a server, and cuts them all once, when enough has gone up.
type breaking struct {
	l    net.Listener
	to   string
	cut  int64
	up   atomic.Int64
	wait sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	conns []net.Conn
	done  bool
}

func (b *breaking) run() {
	defer b.wait.Wait()
	for {
		in, err := b.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", b.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		b.mu.Lock()
		b.conns = append(b.conns, in, out)
		b.mu.Unlock()
		b.wait.Go(func() { _, _ = io.Copy(io.MultiWriter(out, b), in); _ = out.Close() })
		b.wait.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
	}
}

// Write counts what goes up.
func (b *breaking) Write(p []byte) (int, error) {
	if b.up.Add(int64(len(p))) > b.cut {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.done {
			b.done = true
			b.end()
		}
	}
	return len(p), nil
}

// end closes all connections. b.mu is held.
func (b *breaking) end() {
	for _, c := range b.conns {
		_ = c.Close()
	}
}

func (h *hub) brokenUpload() {
	t := h.t
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	data := noise(17 << 20)
	b := &breaking{l: l, to: h.s.Addr.String(), cut: int64(len(data)) / 2}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.run()
	}()
	path := filepath.Join(t.TempDir(), "large.bin")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	n := testNode(t, nil)
	it, err := n.Share(t.Context(), ShareOptions{
		Path: path, Audience: peer.Link, To: "c/", Server: &Account{URL: "http://" + l.Addr().String(), Secret: h.as.Secret},
	}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stored", func() bool { return it.Status().Upload.State == uploadStored })
	e, err := h.c.In("c").Stat(t.Context(), "large.bin")
	if sum := fmt.Sprintf("%x", sha256.Sum256(data)); err != nil || e.SHA256 != sum {
		t.Errorf("on the server: %+v, %v, want %s", e, err, sum)
	}
	if sent := b.up.Load(); sent > int64(len(data))*7/5 {
		t.Errorf("%d bytes went up for %d: it began again", sent, len(data))
	}
	it.Stop()
	await(t, "the end", it.Done(), it)
	_ = l.Close()
	b.mu.Lock()
	b.end()
	b.mu.Unlock()
	<-ended
}
