package transfer

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

// server is an Origin in memory. Its hooks are called with its lock held.
type server struct {
	tor   *metainfo.Torrent
	files [][]byte // by index in the manifest, padding left out
	near  bool
	rtt   time.Duration // before the first byte
	rate  int           // bytes per second of each stream; 0: unlimited
	whole bool          // it gives whole files only

	mu       sync.Mutex // guards the fields below
	down     error      // what everything is answered with
	spans    []Span
	torrents int
	open     int // streams
	most     int
	sent     int64
	closed   chan struct{} // closed and replaced when kill ends every stream

	ask     func(n int, s Span) (*Stream, error)          // of the n-th request, from 0; nil, nil: data
	spoil   func(n int, s Span, data io.Reader) io.Reader // what is sent instead
	torrent func() (*metainfo.Torrent, error)             // nil: tor
}

func newServer(tor *metainfo.Torrent, files [][]byte) *server {
	s := &server{tor: tor, rtt: 10 * time.Millisecond, closed: make(chan struct{})}
	k := 0
	for _, f := range tor.Manifest.Files {
		if f.Pad {
			s.files = append(s.files, nil)
			continue
		}
		s.files = append(s.files, files[k])
		k++
	}
	return s
}

func (s *server) Name() string { return "files.example" }
func (s *server) Near() bool   { return s.near }

func (s *server) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) Torrent(ctx context.Context) (*metainfo.Torrent, error) {
	if err := s.wait(ctx, s.rtt); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.torrents++
	if s.down != nil {
		return nil, s.down
	}
	if s.torrent != nil {
		return s.torrent()
	}
	return s.tor, nil
}

func (s *server) Open(ctx context.Context, span Span) (*Stream, error) {
	if err := s.wait(ctx, s.rtt); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.spans)
	s.spans = append(s.spans, span)
	if s.down != nil {
		return nil, s.down
	}
	if s.ask != nil {
		if st, err := s.ask(n, span); st != nil || err != nil {
			return st, err
		}
	}
	data := s.files[span.File][span.Off:][:span.Len]
	if s.whole {
		data = s.files[span.File]
	}
	var r io.Reader = bytes.NewReader(data)
	if s.spoil != nil {
		r = s.spoil(n, span, r)
	}
	s.open++
	s.most = max(s.most, s.open)
	return &Stream{ReadCloser: &streaming{s: s, r: r, ctx: ctx, end: s.closed}, Sequential: s.whole}, nil
}

// kill ends every stream and answers everything with err from now on; nil brings
// the server back.
func (s *server) kill(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
	close(s.closed)
	s.closed = make(chan struct{})
}

// asked returns what was asked for.
func (s *server) asked() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Span(nil), s.spans...)
}

// gave returns how many bytes were sent.
func (s *server) gave() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// streaming is one stream of a server.
type streaming struct {
	s    *server
	r    io.Reader
	ctx  context.Context
	end  chan struct{}
	shut sync.Once
}

func (r *streaming) Read(p []byte) (int, error) {
	select {
	case <-r.end:
		return 0, io.ErrUnexpectedEOF
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	default:
	}
	if r.s.rate > 0 {
		p = p[:min(len(p), 4<<10)]
		d := time.Duration(len(p)) * time.Second / time.Duration(r.s.rate)
		if err := r.s.wait(r.ctx, d); err != nil {
			return 0, err
		}
	}
	n, err := r.r.Read(p)
	r.s.mu.Lock()
	r.s.sent += int64(n)
	r.s.mu.Unlock()
	return n, err
}

func (r *streaming) Close() error {
	r.shut.Do(func() {
		r.s.mu.Lock()
		r.s.open--
		r.s.mu.Unlock()
	})
	return nil
}

// stuck is a stream that sends nothing until it is given up.
type stuck struct{ ctx context.Context }

func (r stuck) Read([]byte) (int, error) { <-r.ctx.Done(); return 0, r.ctx.Err() }

// from makes src the only sources of a node.
func from(src ...Origin) func(*Config) {
	return func(cfg *Config) { cfg.Origins = src }
}

// with joins changes.
func with(changes ...func(*Config)) func(*Config) {
	return func(cfg *Config) {
		for _, c := range changes {
			c(cfg)
		}
	}
}

// nearby makes the given addresses near.
func nearby(addrs ...netip.Addr) func(*Config) {
	return func(cfg *Config) {
		cfg.Near = func(a netip.Addr) bool {
			for _, b := range addrs {
				if a == b {
					return true
				}
			}
			return false
		}
	}
}

// originState returns what the status says of the only origin.
func (n *node) originState() OriginStatus {
	n.w.t.Helper()
	s := n.Status()
	if len(s.Origins) != 1 {
		n.w.t.Fatalf("%d origins", len(s.Origins))
	}
	return s.Origins[0]
}

// unreachable is what a dead server is.
var unreachable = fault.Errorf(fault.Unreachable, "connection refused")

// checkSpans fails unless each span lies in its file and its pieces.
func checkSpans(t *testing.T, m *content.Manifest, spans []Span) {
	t.Helper()
	for _, s := range spans {
		f := m.Files[s.File]
		at := f.Offset + s.Off
		if s.Off < 0 || s.Len <= 0 || s.Len > maxStretch || s.Off+s.Len > f.Length {
			t.Errorf("%d bytes at %d of file %d, which has %d", s.Len, s.Off, s.File, f.Length)
		}
		if int64(s.First) > at/m.PieceLength || int64(s.Last) < (at+s.Len-1)/m.PieceLength {
			t.Errorf("pieces %d to %d for %d bytes at %d of file %d", s.First, s.Last, s.Len, s.Off, s.File)
		}
	}
}
