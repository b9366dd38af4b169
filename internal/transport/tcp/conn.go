package tcp

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tlspeer"
)

var (
	_ transport.Conn          = (*plain)(nil)
	_ transport.Conn          = (*stream)(nil)
	_ transport.Conn          = (*link)(nil)
	_ transport.Guarded       = (*link)(nil)
	_ transport.Meter         = (*plain)(nil)
	_ transport.Meter         = (*stream)(nil)
	_ transport.Meter         = (*link)(nil)
	_ transport.BuffersWriter = (*plain)(nil)
	_ transport.BuffersWriter = (*stream)(nil)
	_ transport.BuffersWriter = (*link)(nil)
	_ transport.Awaiter       = (*plain)(nil)
	_ io.ReaderFrom           = (*plain)(nil) // sendfile
)

// facts are what is known of a connection once it is made.
type facts struct {
	tcp      *net.TCPConn // the system's connection, for Meter
	remote   netip.AddrPort
	id       peer.ID
	key      content.SHA1
	audience peer.Audience
	path     transport.Path
	outgoing bool
	// release gives back what an incoming connection counts for. Close calls
	// it, once. May be nil.
	release func()
}

func (f *facts) Peer() peer.ID           { return f.id }
func (f *facts) Audience() peer.Audience { return f.audience }
func (f *facts) Key() content.SHA1       { return f.key }
func (f *facts) Path() transport.Path    { return f.path }
func (f *facts) Remote() netip.AddrPort  { return f.remote }
func (f *facts) Outgoing() bool          { return f.outgoing }

// RTT implements transport.Meter.
func (f *facts) RTT() (time.Duration, bool) { return rtt(f.tcp) }

// Unsent implements transport.Meter.
func (f *facts) Unsent() (int, bool) { return unsent(f.tcp) }

// Flight implements transport.Meter.
func (f *facts) Flight() (int, time.Duration, bool) { return flight(f.tcp) }

// Acked implements transport.Meter.
func (f *facts) Acked() (uint64, bool) { return acked(f.tcp) }

// closer closes a connection once and gives back its place.
type closer struct {
	once    sync.Once
	release func()
	err     error
}

func (c *closer) do(f func() error) error {
	c.once.Do(func() {
		c.err = f()
		if c.release != nil {
			c.release()
		}
	})
	return c.err
}

// plain is BitTorrent in the clear: the system's connection as it is.
type plain struct {
	*net.TCPConn
	facts
	closer closer
}

func newPlain(f facts) *plain {
	f.path = transport.PathPlain
	return &plain{TCPConn: f.tcp, facts: f, closer: closer{release: f.release}}
}

// Await implements transport.Awaiter.
func (p *plain) Await(n int) { setAwait(p.TCPConn, n) }

// WriteBuffers implements transport.BuffersWriter by writev.
func (p *plain) WriteBuffers(bufs *net.Buffers) (int64, error) { return bufs.WriteTo(p.TCPConn) }

// Close implements net.Conn.
func (p *plain) Close() error { return p.closer.do(p.TCPConn.Close) }

// stream is a connection whose bytes pass through r and w on their way from
// and to TCP.
type stream struct {
	net.Conn // the TCP connection: addresses and deadlines
	facts
	r      io.Reader
	w      io.Writer
	joiner joiner
	closer closer
}

func newStream(f facts, path transport.Path, r io.Reader, w io.Writer) *stream {
	f.path = path
	return &stream{Conn: f.tcp, facts: f, r: r, w: w, closer: closer{release: f.release}}
}

func (s *stream) Read(b []byte) (int, error)  { return s.r.Read(b) }
func (s *stream) Write(b []byte) (int, error) { return s.w.Write(b) }

// WriteBuffers implements transport.BuffersWriter.
func (s *stream) WriteBuffers(bufs *net.Buffers) (int64, error) {
	if w, ok := s.w.(*net.TCPConn); ok {
		return bufs.WriteTo(w)
	}
	return s.joiner.write(s.w, bufs)
}

// Close implements net.Conn.
func (s *stream) Close() error { return s.closer.do(s.tcp.Close) }

// link is TLS between nodes.
type link struct {
	*tls.Conn
	facts
	shown  []byte
	wire   *tlsWire
	joiner joiner
	closer closer
}

func newLink(f facts, wire *tlsWire, s *tlspeer.Session) *link {
	f.path = transport.PathTLS
	return &link{Conn: s.Conn, facts: f, shown: s.Shown, wire: wire, closer: closer{release: f.release}}
}

// Shown implements transport.Guarded.
func (l *link) Shown() []byte { return l.shown }

// Write implements net.Conn.
func (l *link) Write(b []byte) (n int, err error) {
	err = l.wire.together(func() error {
		n, err = l.Conn.Write(b)
		return err
	})
	return n, err
}

// WriteBuffers implements transport.BuffersWriter.
func (l *link) WriteBuffers(bufs *net.Buffers) (n int64, err error) {
	err = l.wire.together(func() error {
		n, err = l.joiner.write(l.Conn, bufs)
		return err
	})
	return n, err
}

// Close implements net.Conn. It says goodbye if that takes no time.
func (l *link) Close() error {
	return l.closer.do(func() error {
		l.wire.closing.Store(true)
		return l.Conn.Close()
	})
}
