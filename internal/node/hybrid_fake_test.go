package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// fakeOrigin is a server as far as a node sees it: one share, at /s/TOKEN and in the collection c. It is signed for
// like a real one, can be killed in the middle of a body, and comes back at the same address.
type fakeOrigin struct {
	t        *testing.T
	key      ed25519.PrivateKey
	id       peer.ID
	audience peer.Audience
	torrent  *metainfo.Torrent
	content  []byte
	addr     string

	mu      sync.Mutex // guards the fields below
	srv     *http.Server
	ended   chan struct{}
	state   int64
	members map[string]api.SwarmJoin
	joins   int
	left    []api.SwarmJoin
	lasts   time.Duration // of a capability
	source  capability.Source
	denials [][]byte
	newer   bool // it has other content by now
	prepare int  // joins answered by "being made"
	swarm   bool
	hidden  bool // nodes are not told of each other
	sent    int64
	most    int64         // bytes of content, then silence; negative: no limit
	silent  chan struct{} // closed at that point
	clock   func() time.Time
	ask     []api.Kept   // of keepers
	offered []api.Keeper // by them
}

const fakeToken = "abcdefghijklmnopqrstuv"

// newFakeOrigin begins to serve size bytes.
func newFakeOrigin(t *testing.T, audience peer.Audience, size int) *fakeOrigin {
	t.Helper()
	f := &fakeOrigin{
		t: t, audience: audience, most: -1, lasts: 24 * time.Hour, members: map[string]api.SwarmJoin{},
		silent: make(chan struct{}), clock: time.Now, source: capability.Source{7},
		key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize)),
	}
	copy(f.id[:], f.key.Public().(ed25519.PublicKey))
	f.content = noise(size)
	f.torrent = torrentOf(t, f.content, audience)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	f.serve(l)
	t.Cleanup(f.kill)
	return f
}

// noise returns bytes that do not repeat.
func noise(size int) []byte {
	b := make([]byte, size)
	for i, x := 0, uint64(88172645463325252); i < size; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func torrentOf(t *testing.T, data []byte, audience peer.Audience) *metainfo.Torrent {
	t.Helper()
	m := &content.Manifest{
		Name: "file.bin", Single: true, HasV1: audience == peer.Public, HasV2: true,
		Files:       []content.File{{Path: []string{"file.bin"}, Length: int64(len(data))}},
		PieceLength: content.PieceLength(int64(len(data))),
	}
	m.Seal()
	open := func(int) (io.ReaderAt, io.Closer, error) { return bytes.NewReader(data), nil, nil }
	d, err := content.HashFiles(t.Context(), m, m.HasV1, true, open, 1, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := metainfo.Build(m, d, metainfo.BuildOptions{V1: m.HasV1, V2: true})
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

func (f *fakeOrigin) serve(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/shared/{token}/swarm", f.join)
	mux.HandleFunc("POST /api/v1/collections/c/swarm/{path...}", f.join)
	mux.HandleFunc("PUT /api/v1/keepers/{node}", f.keepers)
	mux.HandleFunc("GET /s/{token}/download", f.download)
	mux.HandleFunc("GET /api/v1/collections/c/content/{path...}", f.download)
	srv, ended := &http.Server{Handler: mux}, make(chan struct{})
	f.mu.Lock()
	f.srv, f.ended = srv, ended
	f.mu.Unlock()
	go func() {
		defer close(ended)
		_ = srv.Serve(l)
	}()
}

// kill ends it with every connection.
func (f *fakeOrigin) kill() {
	f.mu.Lock()
	srv, ended := f.srv, f.ended
	f.mu.Unlock()
	_ = srv.Close()
	<-ended
}

// back serves again at the same address, and all that is asked for.
func (f *fakeOrigin) back() {
	f.t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	f.most, f.state = -1, 0
	f.members = map[string]api.SwarmJoin{}
	f.mu.Unlock()
	f.serve(l)
}

func (f *fakeOrigin) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.state++
}

func (f *fakeOrigin) url() string { return "http://" + f.addr + "/s/" + fakeToken }

// account is somebody who may read the collection.
func (f *fakeOrigin) account() *Account { return &Account{URL: "http://" + f.addr, Secret: "x"} }

// capability signs for node; zero: for whoever has the ticket. f.mu is held.
func (f *fakeOrigin) capability(node peer.ID) []byte {
	now := f.clock()
	c := capability.Capability{
		Server: f.id, Share: f.torrent.Manifest.InfoHash2, Node: node, Rights: capability.Fetch | capability.Serve,
		Source: f.source, Issued: now, NotAfter: now.Add(f.lasts),
	}
	doc, err := c.Sign(f.key)
	if err != nil {
		f.t.Error(err)
	}
	return doc
}

func (f *fakeOrigin) ticket() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fragment()
}

func (f *fakeOrigin) fragment() string {
	m := f.torrent.Manifest
	switch f.audience {
	case peer.Public:
		return magnet(f.torrent, nil)
	case peer.Link:
		return (&metainfo.Ticket{
			InfoHash: m.InfoHash2, Secret: [32]byte{9}, Name: m.Name, Server: f.id, Capability: f.capability(peer.ID{}),
		}).String()
	}
	return ""
}

func (f *fakeOrigin) join(w http.ResponseWriter, r *http.Request) {
	var j api.SwarmJoin
	if err := json.NewDecoder(r.Body).Decode(&j); err != nil {
		problem(w, http.StatusBadRequest)
		return
	}
	node, err := peer.ParseID(j.Node)
	if err != nil {
		problem(w, http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.joins++
	m := f.torrent.Manifest
	switch {
	case f.prepare > 0:
		f.prepare--
		problem(w, http.StatusLocked)
		return
	case f.newer && j.InfoHash != "":
		problem(w, http.StatusPreconditionFailed)
		return
	case j.Leave:
		delete(f.members, j.Node)
		f.left = append(f.left, j)
	default:
		f.members[j.Node] = j
	}
	a := api.SwarmAnswer{
		State: f.state, Server: f.id.String(), Time: f.clock(), InfoHash: hex.EncodeToString(m.InfoHash2[:]),
		Audience: f.audience.String(), Name: m.Name, Ticket: f.fragment(), Denials: f.denials, Swarm: f.swarm, Next: 1,
	}
	switch f.audience {
	case peer.Link:
		a.Capability = f.capability(peer.ID{})
	case peer.Network:
		a.Capability = f.capability(node)
	}
	if j.Torrent {
		if a.Torrent, err = f.torrent.Encode(); err != nil {
			f.t.Error(err)
		}
	}
	for id, other := range f.members {
		if id != j.Node && !f.hidden {
			a.Peers = append(a.Peers, other.Addrs...)
		}
	}
	_ = json.NewEncoder(w).Encode(a)
}

func problem(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%d,"title":"no"}`, status)
}

func (f *fakeOrigin) download(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	newer := f.newer
	f.mu.Unlock()
	if newer {
		problem(w, http.StatusPreconditionFailed)
		return
	}
	http.ServeContent(&throttled{w, f, r.Context()}, r, "", time.Time{}, bytes.NewReader(f.content))
}

// throttled goes silent when f has sent enough, until the connection ends.
type throttled struct {
	http.ResponseWriter
	f   *fakeOrigin
	ctx context.Context
}

func (w *throttled) Write(p []byte) (int, error) {
	f, done := w.f, 0
	for done < len(p) {
		part := p[done:min(len(p), done+4096)]
		f.mu.Lock()
		full := f.most >= 0 && f.sent+int64(len(part)) > f.most
		if !full {
			f.sent += int64(len(part))
		} else if !isClosed(f.silent) {
			close(f.silent)
		}
		f.mu.Unlock()
		if full {
			if fl, ok := w.ResponseWriter.(http.Flusher); ok {
				fl.Flush()
			}
			<-w.ctx.Done()
			return done, w.ctx.Err()
		}
		n, err := w.ResponseWriter.Write(part)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// expect waits until what is asked of f under its lock holds.
func (f *fakeOrigin) expect(what string, holds func() bool) {
	f.t.Helper()
	eventually(f.t, what, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return holds()
	})
}

// eventually waits until holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for over := time.After(within); !holds(); {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("not after %s: %s", within, what)
		}
	}
}

// arrived checks the file a get has put into dir.
func (f *fakeOrigin) arrived(dir string) {
	f.t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, "file.bin"))
	if err != nil || !bytes.Equal(got, f.content) {
		f.t.Fatalf("what arrived differs (%d bytes, %v)", len(got), err)
	}
}

// holder returns a node that has all of it and serves on, and its address.
func (f *fakeOrigin) holder(o GetOptions) (*Item, netip.AddrPort) {
	f.t.Helper()
	n := testNode(f.t, nil)
	o.KeepSeeding = Forever
	it := begin(f.t, n, o)
	await(f.t, "a first copy", it.Completed(), it)
	return it, n.Addr()
}

// begin starts a get into a folder of its own, unless it has one.
func begin(t *testing.T, n *Node, o GetOptions) *Item {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	it, err := n.Get(t.Context(), o, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// sources returns the ways to name the share, each a link and a place.
func (f *fakeOrigin) options() GetOptions {
	if f.audience == peer.Network {
		return GetOptions{Source: "c/file.bin", Server: f.account()}
	}
	return GetOptions{Source: f.url() + "#" + strings.TrimPrefix(f.ticket(), "#")}
}
