package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/transport"
	"tandem/internal/transport/mem"
	"tandem/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// form says which hashes content has.
type form struct {
	name   string
	v1, v2 bool
}

var forms = []form{{"v1", true, false}, {"v2", false, true}, {"hybrid", true, true}}

// testFiles are random files of the given sizes, the same for the same sizes.
func testFiles(sizes ...int) [][]byte {
	files := make([][]byte, len(sizes))
	for i, n := range sizes {
		r := rand.NewChaCha8([32]byte{byte(i), byte(n), byte(n >> 8)})
		files[i] = make([]byte, n)
		_, _ = r.Read(files[i])
	}
	return files
}

// makeTorrent makes content of files, in pieces of pieceLen bytes.
func makeTorrent(t testing.TB, f form, pieceLen int64, files [][]byte, private bool) *metainfo.Torrent {
	t.Helper()
	m := &content.Manifest{Name: "content", PieceLength: pieceLen, HasV1: f.v1, HasV2: f.v2, Single: len(files) == 1}
	for i, data := range files {
		path := []string{fmt.Sprintf("file%03d", i)}
		if m.Single {
			path = []string{m.Name}
		}
		m.Files = append(m.Files, content.File{Path: path, Length: int64(len(data))})
	}
	m.Seal()
	open := func(i int) (io.ReaderAt, io.Closer, error) { return bytes.NewReader(files[i]), nil, nil }
	d, err := content.HashFiles(context.Background(), m, f.v1, f.v2, open, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Build(m, d, metainfo.BuildOptions{V1: f.v1, V2: f.v2, Private: private})
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

// bare returns tor as a peer learns it from a magnet link: without layers.
func bare(t testing.TB, tor *metainfo.Torrent) *metainfo.Torrent {
	t.Helper()
	b, err := metainfo.FromInfo(tor.Info)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memory is a store.Pieces with hooks, for faults.
type memory struct {
	mu       sync.Mutex
	m        *content.Manifest
	data     map[int][]byte
	have     *content.Bitfield
	suspect  *content.Bitfield
	finished bool
	closed   bool
	hook     func(op string, piece int) error
}

var _ store.Pieces = (*memory)(nil)

func newMemory(m *content.Manifest) *memory {
	return &memory{m: m, data: map[int][]byte{}, have: content.NewBitfield(m.NumPieces()), suspect: content.NewBitfield(m.NumPieces())}
}

// fullMemory returns a store that holds files, listed without padding.
func fullMemory(m *content.Manifest, files [][]byte) *memory {
	s := newMemory(m)
	s.fill(files, content.FullBitfield(m.NumPieces()))
	return s
}

// fill stores the pieces in set and marks them verified.
func (s *memory) fill(files [][]byte, set *content.Bitfield) {
	var byIndex [][]byte
	k := 0
	for _, f := range s.m.Files {
		if f.Pad {
			byIndex = append(byIndex, make([]byte, f.Length))
			continue
		}
		byIndex = append(byIndex, files[k])
		k++
	}
	for i := set.Next(0); i >= 0; i = set.Next(i + 1) {
		var p []byte
		for _, x := range s.m.Extents(nil, i, 0, s.m.PieceSize(i)) {
			if x.File < 0 {
				p = append(p, make([]byte, x.Length)...)
				continue
			}
			p = append(p, byIndex[x.File][x.Offset:x.Offset+int64(x.Length)]...)
		}
		s.data[i] = p
		s.have.Set(i)
	}
}

func (s *memory) ask(op string, piece int) error {
	if s.hook != nil {
		if err := s.hook(op, piece); err != nil {
			return err
		}
	}
	if s.closed {
		return fault.Errorf(fault.Closed, "store is closed")
	}
	return nil
}

func (s *memory) Have() *content.Bitfield {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have.Clone()
}

func (s *memory) Suspect() *content.Bitfield { return s.suspect.Clone() }

func (s *memory) ReadAt(p []byte, piece, begin int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask("ReadAt", piece); err != nil {
		return err
	}
	d := s.data[piece]
	if d == nil {
		return fault.Errorf(fault.NotFound, "piece %d", piece)
	}
	n := copy(p, d[min(begin, len(d)):])
	clear(p[n:])
	return nil
}

func (s *memory) WriteAt(p []byte, piece, begin int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask("WriteAt", piece); err != nil {
		return err
	}
	if s.have.Has(piece) {
		return fault.Errorf(fault.Invalid, "piece %d is verified", piece)
	}
	if s.data[piece] == nil {
		s.data[piece] = make([]byte, s.m.PieceSize(piece))
	}
	copy(s.data[piece][begin:], p)
	return nil
}

func (s *memory) Commit(piece int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask("Commit", piece); err != nil {
		return err
	}
	s.have.Set(piece)
	return nil
}

func (s *memory) Forget(piece int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have.Clear(piece)
	return nil
}

func (s *memory) Sync() error { s.mu.Lock(); defer s.mu.Unlock(); return s.ask("Sync", -1) }

func (s *memory) Finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ask("Finish", -1); err != nil {
		return err
	}
	s.finished = true
	return nil
}

func (s *memory) Close() error  { s.mu.Lock(); defer s.mu.Unlock(); s.closed = true; return nil }
func (s *memory) Remove() error { return s.Close() }

// holds reports whether the store has exactly the bytes of o, piece by piece.
func (s *memory) holds(o *memory) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range o.data {
		if !s.have.Has(i) || !bytes.Equal(s.data[i], o.data[i]) {
			return false
		}
	}
	return true
}

// world is a network with nodes.
type world struct {
	t     testing.TB
	net   *mem.Net
	nodes []*node
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

// node is a listening host that runs one transfer.
type node struct {
	*Transfer
	w      *world
	host   *mem.Host
	l      transport.Listener
	cfg    Config
	store  *memory
	err    error
	ended  chan struct{}
	cancel context.CancelFunc
}

func newWorld(t testing.TB, opts ...mem.Option) *world {
	w := &world{t: t, net: mem.NewNet(opts...)}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// close ends every node and waits for it.
func (w *world) close() {
	w.stop()
	for _, n := range w.nodes {
		_ = n.l.Close()
	}
	w.wg.Wait()
}

// shares are those of one node.
type shares struct{ n *node }

func (s shares) PublicKeys() iter.Seq[content.SHA1] {
	if s.n.cfg.Audience != peer.Public {
		return func(func(content.SHA1) bool) {}
	}
	return slices.Values(s.n.cfg.Keys)
}

func (s shares) Share(key content.SHA1) (transport.Share, bool) {
	return transport.Share{Secret: s.n.cfg.Secret, Audience: s.n.cfg.Audience, Guard: s.n.cfg.Guard}, s.n.cfg.Audience != peer.Public && s.n.cfg.Keys[0] == key
}

func (w *world) addr() netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(len(w.nodes) >> 8), byte(len(w.nodes) + 1)})
}

// start runs a node that has store s (nil: an empty one) of tor.
func (w *world) start(tor *metainfo.Torrent, s *memory, change func(*Config)) *node {
	w.t.Helper()
	n := w.prepare(tor, s, change)
	n.run()
	return n
}

func (w *world) prepare(tor *metainfo.Torrent, s *memory, change func(*Config)) *node {
	w.t.Helper()
	n := &node{w: w, host: w.net.Host(w.addr()), store: s, ended: make(chan struct{})}
	w.nodes = append(w.nodes, n)
	n.cfg = Config{
		Audience: peer.Public, Torrent: tor, Network: n.host, Log: testLog(w), Port: 7000, Seed: uint64(len(w.nodes)),
		Open: func(tor *metainfo.Torrent) (store.Pieces, error) {
			if n.store == nil {
				n.store = newMemory(tor.Manifest)
			}
			return n.store, nil
		},
	}
	copy(n.cfg.PeerID[:], "-TD0001-")
	binary.BigEndian.PutUint32(n.cfg.PeerID[16:], uint32(len(w.nodes)))
	if tor != nil {
		n.cfg.Keys = tor.Manifest.Keys()
	}
	if change != nil {
		change(&n.cfg)
	}
	var err error
	if n.Transfer, err = New(n.cfg); err != nil {
		w.t.Fatal(err)
	}
	if n.l, err = n.host.Listen(w.ctx, ":7000", shares{n}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(n.w.ctx)
	n.cancel = cancel
	n.w.wg.Add(2)
	go func() {
		defer n.w.wg.Done()
		defer cancel()
		n.err = n.Run(ctx)
		close(n.ended)
	}()
	go n.serve()
}

// serve reads the handshake of incoming connections, as package node does.
func (n *node) serve() {
	defer n.w.wg.Done()
	for {
		c, err := n.l.Accept()
		if err != nil {
			return
		}
		n.w.wg.Add(1)
		go func() {
			defer n.w.wg.Done()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			var buf [wire.HandshakeLen]byte
			if _, err := io.ReadFull(c, buf[:]); err != nil {
				_ = c.Close()
				return
			}
			hs, err := wire.ParseHandshake(buf[:])
			if err != nil {
				_ = c.Close()
				return
			}
			_ = c.SetDeadline(time.Time{})
			n.AddConn(c, hs)
		}()
	}
}

func (n *node) at() netip.AddrPort { return netip.AddrPortFrom(n.host.Addr(), 7000) }

// finishes waits until n is complete.
func (n *node) finishes(within time.Duration) {
	n.w.t.Helper()
	select {
	case <-n.Completed():
	case <-n.ended:
		n.w.t.Fatalf("transfer ended: %v", n.err)
	case <-time.After(within):
		s := n.Status()
		n.w.t.Fatalf("not complete within %v: %s, %d of %d pieces, %d peers, err %v", within, s.State, s.Swarm.Have, s.Swarm.Wanted, len(s.Peers), s.Err)
	}
}

// fails waits until n ends by itself.
func (n *node) fails(within time.Duration) {
	n.w.t.Helper()
	select {
	case <-n.ended:
	case <-time.After(within):
		s := n.Status()
		n.w.t.Fatalf("still %s after %v: %d of %d pieces, %d peers", s.State, within, s.Swarm.Have, s.Swarm.Wanted, len(s.Peers))
	}
}

// until waits for something to become true.
func (w *world) until(within time.Duration, what string, ok func() bool) {
	w.t.Helper()
	end := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			w.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, mem.Latency(time.Millisecond))
		defer w.close()
		f(t, w)
	})
}

func limiter(perSecond int) []*rate.Limiter {
	return []*rate.Limiter{rate.NewLimiter(rate.Limit(perSecond), 64<<10)}
}

// testLog shows what nodes log under -v.
func testLog(w *world) *slog.Logger {
	if !testing.Verbose() {
		return nil
	}
	h := slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(h).With("node", len(w.nodes))
}
