package rest

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is a connection as the watch sees it.
type socket struct {
	conn   net.Conn
	remote netip.Addr
	raw    syscall.RawConn // nil: TLS, or not the system's
	// active counts requests being answered, reading those whose body is being
	// waited for.
	active, reading atomic.Int32

	// of the watch alone
	since time.Time // beginning of the window; zero: nobody waits for the client
	moved uint64    // at since
}

// motion is what the system knows of a connection.
type motion struct {
	moved   uint64 // bytes that the peer acknowledged and that it sent
	waiting bool   // something sent is not acknowledged yet
	unsent  uint32 // bytes that the system still is to send
}

// watch closes connections whose client takes too long to take or to give what
// the server waits for. It goes by acknowledged bytes: a Write that succeeds
// has only reached the socket's buffer, and one that blocks may well move.
type watch struct {
	limits Limits
	motion func(net.Conn) (motion, bool) // false: not known here
	slow   func(*socket)                 // counts one that is closed

	mu    sync.Mutex // guards conns
	conns map[net.Conn]*socket
}

func newWatch(l Limits, slow func(*socket)) *watch {
	return &watch{limits: l, motion: motionOf, slow: slow, conns: make(map[net.Conn]*socket)}
}

func (w *watch) add(ctx context.Context, c net.Conn) context.Context {
	s := &socket{conn: c, remote: peerOf(c.RemoteAddr().String())}
	if sys, ok := c.(syscall.Conn); ok {
		s.raw, _ = sys.SyscallConn() // nil: it is closed by now
	}
	w.mu.Lock()
	w.conns[c] = s
	w.mu.Unlock()
	return context.WithValue(ctx, socketKey, s)
}

func (w *watch) state(c net.Conn, s http.ConnState) {
	if s != http.StateClosed && s != http.StateHijacked {
		return
	}
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
}

// unsent returns the bytes that the system still is to send; false: it is not known.
func (w *watch) unsent(c net.Conn) (uint32, bool) {
	m, ok := w.motion(c)
	return m.unsent, ok
}

func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

// run looks at all connections until ctx ends.
func (w *watch) run(ctx context.Context) {
	t := time.NewTicker(max(w.limits.SlowTime/6, time.Second))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			w.look(now)
		}
	}
}

// look judges all connections at now.
func (w *watch) look(now time.Time) {
	w.mu.Lock()
	all := make([]*socket, 0, len(w.conns))
	for _, s := range w.conns {
		if s.active.Load() > 0 {
			all = append(all, s)
		} else {
			s.since = time.Time{}
		}
	}
	w.mu.Unlock()
	for _, s := range all {
		if w.tooSlow(s, now) {
			w.slow(s)
			hangUp(s.conn)
		}
	}
}

// tooSlow reports whether s has moved too little for too long. While the
// server itself is what everybody waits for, no time passes.
func (w *watch) tooSlow(s *socket, now time.Time) bool {
	m, ok := w.motion(s.conn)
	if !ok || !m.waiting && s.reading.Load() == 0 {
		s.since = time.Time{}
		return false
	}
	if s.since.IsZero() {
		s.since, s.moved = now, m.moved
		return false
	}
	if now.Sub(s.since) < w.limits.SlowTime {
		return false
	}
	slow := m.moved-s.moved < uint64(w.limits.SlowBytes)
	s.since, s.moved = now, m.moved
	return slow
}

// hangUp closes the connection below TLS, and has the system forget what is
// still queued: its reader would take hours.
func hangUp(c net.Conn) {
	for {
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = inner.NetConn()
	}
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0) // a closed one is fine
	}
	_ = c.Close()
}
