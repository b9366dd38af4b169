package tcp

import (
	"bufio"
	"encoding/binary"
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
	came    records // what was read
	awaits  int     // how many bytes the system waits for before it wakes us; 0 and 1: any
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

// minAwait is for how many missing bytes of a record a longer sleep is worth two
// system calls.
const minAwait = 4 << 10

// Read implements net.Conn. TLS can do nothing with a part of a record, so one that
// has begun is waited for whole: that saves a wake-up per packet.
func (w *tlsWire) Read(b []byte) (int, error) {
	if w.r.Buffered() == 0 {
		n := 1
		if w.came.left >= minAwait {
			n = w.came.left
		}
		w.await(n)
	}
	n, err := w.r.Read(b)
	w.came.pass(b[:n])
	return n, err
}

func (w *tlsWire) await(n int) {
	if n != max(w.awaits, 1) {
		w.awaits = n
		setAwait(w.TCPConn, n)
	}
}

// records follows the records of TLS (RFC 8446, 5.1) through the bytes of a stream.
type records struct {
	header [recordHeader]byte
	n      int // bytes of header that are there; 0: within or behind a record
	left   int // bytes of the present record still to come
}

const (
	recordHeader = 5
	maxRecord    = 1<<14 + 256 // what a ciphertext may have; more is an error of TLS's
)

// pass takes the next bytes of the stream.
func (r *records) pass(b []byte) {
	for len(b) > 0 {
		if r.left > 0 {
			k := min(r.left, len(b))
			r.left -= k
			b = b[k:]
			continue
		}
		k := copy(r.header[r.n:], b)
		r.n += k
		b = b[k:]
		if r.n == recordHeader {
			r.n = 0
			r.left = min(int(binary.BigEndian.Uint16(r.header[3:])), maxRecord)
		}
	}
}

// SetWriteDeadline implements net.Conn.
func (w *tlsWire) SetWriteDeadline(t time.Time) error {
	if w.closing.Load() {
		if soon := time.Now().Add(goodbye); t.IsZero() || t.After(soon) {
			t = soon
		}
	}
	return w.TCPConn.SetWriteDeadline(t)
}
