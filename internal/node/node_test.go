package node

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/content"
	"tandem/internal/discover/portmap"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within bounds what a test waits for.
const within = 20 * time.Second

func testNode(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1:0", StateDir: t.TempDir()}
	if change != nil {
		change(&cfg)
	}
	n, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		start := time.Now()
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(start); took > closeTime+time.Second {
			t.Errorf("close took %s", took)
		}
	})
	return n
}

// testFile writes bytes of content and returns its path.
func testFile(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef"), size/16), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func await(t *testing.T, what string, c <-chan struct{}, it *Item) {
	t.Helper()
	select {
	case <-c:
	case <-it.Done():
		if !isClosed(c) {
			t.Fatalf("%s: it ended before: %v", what, it.Err())
		}
	case <-time.After(within):
		t.Fatalf("%s: not after %s; %+v", what, within, it.Status())
	}
}

func TestAShareReachesAnotherNode(t *testing.T) {
	for _, audience := range []peer.Audience{peer.Link, peer.Public} {
		t.Run(audience.String(), func(t *testing.T) {
			a, b := testNode(t, nil), testNode(t, nil)
			path := testFile(t, 300_000)
			share, err := a.Share(t.Context(), ShareOptions{Path: path, Audience: audience}, Watch{})
			if err != nil {
				t.Fatal(err)
			}
			o := GetOptions{Source: share.Status().Link, Dir: t.TempDir()}
			get, err := b.Get(t.Context(), o, Watch{})
			if err != nil {
				t.Fatal(err)
			}
			await(t, "completion", get.Completed(), get)
			await(t, "the end", get.Done(), get)
			want, _ := os.ReadFile(path)
			if got, err := os.ReadFile(filepath.Join(o.Dir, "file.bin")); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("what arrived differs (%v)", err)
			}
			if s := get.Status(); s.FromPeers < int64(len(want)) || s.State != "stopped" || s.Completed.IsZero() {
				t.Errorf("the last snapshot is %+v", s)
			}
			if _, ok := b.reg.get(get.ID()); ok {
				t.Error("the node still has what has ended")
			}
		})
	}
}

func TestAWrongSecretGetsNothing(t *testing.T) {
	a, b := testNode(t, nil), testNode(t, nil)
	share, err := a.Share(t.Context(), ShareOptions{Path: testFile(t, 50_000), Audience: peer.Link}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := metainfo.ParseTicket(share.Status().Link)
	if err != nil {
		t.Fatal(err)
	}
	to := transport.Target{Addr: a.Addr(), Audience: peer.Link, Key: ticket.Key(), Secret: ticket.Secret}
	c, err := b.net.Dial(t.Context(), to)
	if err != nil {
		t.Fatalf("the right secret is refused: %v", err)
	}
	_ = c.Close()
	to.Secret[0] ^= 1
	if c, err := b.net.Dial(t.Context(), to); fault.KindOf(err) != fault.Refused {
		t.Fatalf("the wrong secret got %v, %v", c, err)
	}
	ticket.Secret = to.Secret
	get, err := b.Get(t.Context(), GetOptions{Source: ticket.String(), Dir: t.TempDir(), Common: Common{Peers: []string{a.Addr().String()}}}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	if err := get.Why(t.Context()); fault.KindOf(err) != fault.Refused {
		t.Errorf("asked why nothing comes, it says %v", err)
	}
	if s := share.Status(); s.Uploaded != 0 {
		t.Errorf("the share has served somebody: %+v", s)
	}
}

// expectClosed sends a handshake and expects to be hung up on without a byte.
func expectClosed(t *testing.T, c net.Conn, hs wire.Handshake) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(hs.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want to be hung up on", n, err)
	}
}

func TestStrangersAreHungUpOn(t *testing.T) {
	a := testNode(t, nil)
	share, err := a.Share(t.Context(), ShareOptions{Path: testFile(t, 50_000), Audience: peer.Link}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]content.SHA1{
		"a swarm we are not in":                             {1, 2, 3},
		"a link share asked for without TLS by its key":     share.keys[0],
		"a link share asked for by the hash of its content": share.t.Status().Torrent.Manifest.InfoHash2.Truncated(),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", a.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			expectClosed(t, c, wire.Handshake{Key: key, PeerID: newPeerID()})
		})
	}
}

func TestTheSameContentHasTheSameLink(t *testing.T) {
	state, path := t.TempDir(), testFile(t, 50_000)
	var links []string
	for range 2 {
		n := testNode(t, func(c *Config) { c.StateDir = state })
		it, err := n.Share(t.Context(), ShareOptions{Path: path, Audience: peer.Link}, Watch{})
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := metainfo.ParseTicket(it.Status().Link)
		if err != nil {
			t.Fatal(err)
		}
		ticket.Addrs = nil // the port differs here
		links = append(links, ticket.String())
		if _, err := n.Share(t.Context(), ShareOptions{Path: path, Audience: peer.Link}, Watch{}); fault.KindOf(err) != fault.Exists {
			t.Errorf("sharing it twice: %v, want fault.Exists", err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if links[0] != links[1] {
		t.Fatalf("the link changed over a restart:\n%s\n%s", links[0], links[1])
	}
	other := testNode(t, nil)
	it, err := other.Share(t.Context(), ShareOptions{Path: path, Audience: peer.Link}, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	one, _ := metainfo.ParseTicket(links[0])
	two, _ := metainfo.ParseTicket(it.Status().Link)
	if one.Secret == two.Secret {
		t.Fatal("two nodes gave the same secret")
	}
}

func TestFailuresToStart(t *testing.T) {
	n := testNode(t, nil)
	expired := (&metainfo.Ticket{InfoHash: content.Hash{1}, NotAfter: time.Unix(1e9, 0)}).String()
	file := testFile(t, 1600)
	for _, c := range []struct {
		name string
		err  func() error
		kind fault.Kind
		is   error
	}{
		{"a port in use", func() error {
			_, err := New(t.Context(), Config{Listen: n.Addr().String(), StateDir: t.TempDir()})
			return err
		}, fault.Busy, ErrListen},
		{"an address of another machine", func() error {
			_, err := New(t.Context(), Config{Listen: "8.8.8.8:1", StateDir: t.TempDir()})
			return err
		}, fault.Invalid, ErrAddress},
		{"an address without a port", func() error {
			_, err := New(t.Context(), Config{Listen: "127.0.0.1", StateDir: t.TempDir()})
			return err
		}, fault.Invalid, ErrAddress},
		{"a link share of v1 only", func() error {
			_, err := n.Share(t.Context(), ShareOptions{Path: file, Audience: peer.Link, V1: true}, Watch{})
			return err
		}, fault.Invalid, nil},
		{"no state folder", func() error {
			_, err := New(t.Context(), Config{Listen: "127.0.0.1:0"})
			return err
		}, fault.NotFound, nil},
		{"a damaged state file", func() error {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "node.json"), []byte(`{"version":9}`), 0o600); err != nil {
				return err
			}
			_, err := New(t.Context(), Config{Listen: "127.0.0.1:0", StateDir: dir, Persist: true})
			return err
		}, fault.Invalid, nil},
		{"a damaged share key", func() error {
			if err := os.WriteFile(filepath.Join(n.cfg.StateDir, "share.key"), []byte("short"), 0o600); err != nil {
				return err
			}
			_, err := n.Share(t.Context(), ShareOptions{Path: file, Audience: peer.Link}, Watch{})
			return errors.Join(err, os.Remove(filepath.Join(n.cfg.StateDir, "share.key")))
		}, fault.Invalid, nil},
		{"an expired ticket", func() error {
			_, err := n.Get(t.Context(), GetOptions{Source: expired, Dir: t.TempDir()}, Watch{})
			return err
		}, fault.Refused, ErrExpired},
		{"neither link nor file", func() error {
			_, err := n.Get(t.Context(), GetOptions{Source: "ftp://x/y", Dir: t.TempDir()}, Watch{})
			return err
		}, fault.Invalid, ErrSource},
		{"a torrent of nothing we have", func() error {
			out := filepath.Join(t.TempDir(), "x.torrent")
			it, err := n.Share(t.Context(), ShareOptions{Path: file, Audience: peer.Public, Torrent: out}, Watch{})
			if err != nil {
				return err
			}
			it.Stop()
			<-it.Done()
			_, err = n.Seed(t.Context(), SeedOptions{Torrent: out, Dir: t.TempDir()}, Watch{})
			return err
		}, fault.Corrupt, ErrNothing},
		{"a name that leads elsewhere", func() error {
			_, err := n.Share(t.Context(), ShareOptions{Path: file, Name: "../x", Audience: peer.Link}, Watch{})
			return err
		}, fault.Invalid, nil},
		{"a cancelled share", func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := n.Share(ctx, ShareOptions{Path: file, Audience: peer.Link}, Watch{})
			return err
		}, fault.Closed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.err()
			if fault.KindOf(err) != c.kind || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("got %v (%s), want kind %s and %v", err, fault.KindOf(err), c.kind, c.is)
			}
			if len(n.reg.all()) != 0 {
				t.Fatalf("the node kept %d items", len(n.reg.all()))
			}
		})
	}
}

func TestErrorsDoNotGiveATicketAway(t *testing.T) {
	n := testNode(t, nil)
	ticket := (&metainfo.Ticket{InfoHash: content.Hash{1}, Secret: [32]byte{7, 7, 7}, Name: "film"}).String()
	file := testFile(t, 1600)
	_, err := n.Get(t.Context(), GetOptions{Source: ticket, Dir: file}, Watch{})
	if err == nil || strings.Contains(err.Error(), ticket) {
		t.Fatalf("got %v", err)
	}
}

func TestPrivateTorrentsAskTheirTrackersOnly(t *testing.T) {
	n := testNode(t, func(c *Config) { c.LAN = true })
	m := &content.Manifest{Private: true}
	all, mine, err := n.finders(t.Context(), plan{torrent: &metainfo.Torrent{Manifest: m}, trackers: [][]string{{"http://127.0.0.1:1/announce"}}})
	if err != nil || len(all) != 1 || len(mine) != 1 {
		t.Fatalf("%d finders, %v", len(all), err)
	}
	closeAll(mine)
	m.Private = false
	all, mine, err = n.finders(t.Context(), plan{torrent: &metainfo.Torrent{Manifest: m}})
	if err != nil || len(all) != 1 || len(mine) != 0 {
		t.Fatalf("a public torrent has %d finders, %d of its own, %v; want the LAN", len(all), len(mine), err)
	}
}

func TestIdleNodeHasNoDoorsOpen(t *testing.T) {
	n := testNode(t, func(c *Config) { c.DHT, c.LAN, c.PortMap = true, true, true })
	if d := &n.doors; d.dht != nil || d.lan != nil || d.mapper != nil {
		t.Fatal("a node that shares nothing talks to somebody")
	}
}

func TestReachability(t *testing.T) {
	n := testNode(t, nil)
	if got := n.reachability(portmap.Status{}); !strings.Contains(got, "this machine only") || !strings.Contains(got, "--listen") {
		t.Errorf("on loopback it says %q", got)
	}
	any := testNode(t, func(c *Config) { c.Listen = ":0" })
	ext := netip.MustParseAddrPort("203.0.113.9:7741")
	if got := any.reachability(portmap.Status{Mapped: true, External: ext, Text: "UPnP"}); !strings.Contains(got, ext.String()) {
		t.Errorf("with a mapped port it says %q", got)
	}
	if got := any.addresses(ext); got[0] != ext || len(got) > maxAddrs {
		t.Errorf("addresses are %v, want the mapped one first", got)
	}
	for _, a := range any.addresses(netip.AddrPort{}) {
		if a.Port() != any.Addr().Port() || a.Addr().IsUnspecified() || a.Addr().IsLinkLocalUnicast() {
			t.Errorf("%s is of no use to others", a)
		}
	}
}

func TestSelection(t *testing.T) {
	m := &content.Manifest{Name: "docs", Files: []content.File{
		{Path: []string{"film.mkv"}, Length: 1},
		{Path: []string{"sub", "film.srt"}, Length: 1},
		{Path: []string{"sub", "deep", "x.srt"}, Length: 1},
		{Path: []string{".pad", "1"}, Length: 1, Pad: true},
	}}
	for _, c := range []struct {
		name  string
		globs []string
		want  []bool
	}{
		{"a pattern without a slash matches names at any depth", []string{"*.srt"}, []bool{false, true, true, false}},
		{"one with a slash matches the whole path", []string{"sub/*.srt"}, []bool{false, true, false, false}},
		{"a folder selects what is in it", []string{"sub"}, []bool{false, true, true, false}},
		{"the share's own name may lead", []string{"docs/film.mkv"}, []bool{true, false, false, false}},
		{"several add up", []string{"film.mkv", "x.srt"}, []bool{true, false, true, false}},
		{"padding is never selected", []string{"*"}, []bool{true, true, true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := selected(m, c.globs); !slices.Equal(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
	if selected(m, nil) != nil {
		t.Error("no pattern means all")
	}
	if CheckGlob("[a") == nil {
		t.Error("a malformed pattern was accepted")
	}
}
