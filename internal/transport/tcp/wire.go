package tcp

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// goodbye is how long a link waits for room for TLS's closing alert. What it
// would tell, the end of the stream, TCP tells too.
const goodbye = 100 * time.Millisecond

// tlsWire is the connection under TLS. crypto/tls writes each record by itself,
// which costs more than the encryption on a fast network: inside together they
// are collected. Reads take what is there. And it shortens the five seconds
// that tls.Conn.Close allows itself.
type tlsWire struct {
	*net.TCPConn
	r       *bufio.Reader
	closing atomic.Bool

	mu     sync.Mutex // guards the fields below; writes of TLS's own may come at any time
	corked bool
	buf    []byte
	err    error // of sending buf; records are lost then, so it stays
}

// corkSize is when collected records are sent all the same.
const corkSize = 64 << 10

// newWire makes a wire of c, which is read through r.
func newWire(c *net.TCPConn, r io.Reader) *tlsWire {
	return &tlsWire{TCPConn: c, r: bufio.NewReaderSize(r, 32<<10)}
}

// Write implements net.Conn. Collected bytes count as written.
func (w *tlsWire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if !w.corked {
		return w.TCPConn.Write(b)
	}
	w.buf = append(w.buf, b...)
	if len(w.buf) < corkSize {
		return len(b), nil
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// together collects what f makes TLS write, and sends it. The connection is of
// no use after an error.
func (w *tlsWire) together(f func() error) error {
	w.mu.Lock()
	w.corked = true
	w.mu.Unlock()

	err := f()

	w.mu.Lock()
	defer w.mu.Unlock()
	w.corked = false
	if ferr := w.flush(); err == nil {
		err = ferr
	}
	return err
}

// flush sends what was collected. The caller holds mu.
func (w *tlsWire) flush() error {
	if len(w.buf) > 0 && w.err == nil {
		_, w.err = w.TCPConn.Write(w.buf)
		w.buf = w.buf[:0]
	}
	return w.err
}

// Read implements net.Conn.
func (w *tlsWire) Read(b []byte) (int, error) { return w.r.Read(b) }

// SetWriteDeadline implements net.Conn.
func (w *tlsWire) SetWriteDeadline(t time.Time) error {
	if w.closing.Load() {
		if soon := time.Now().Add(goodbye); t.IsZero() || t.After(soon) {
			t = soon
		}
	}
	return w.TCPConn.SetWriteDeadline(t)
}
