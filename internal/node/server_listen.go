package node

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"tandem/internal/transport"
)

// Limits of a server's connections. Addresses that are not global count in the total only: a
// proxy or a company's gateway brings everybody.
const (
	serverConns   = 8192 // a quarter of them may wait for news of a swarm
	serverPerAddr = 256
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// guardedListener hands out no more connections than the limits allow; those beyond are closed
// at once. What it hands out still is a *net.TCPConn inside, so that files are sent without copying.
type guardedListener struct {
	*net.TCPListener

	mu    sync.Mutex         // guards the fields below
	total int                //
	held  map[netip.Addr]int // by global address; an entry goes with its last connection
}

// Accept implements net.Listener.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		_ = c.SetKeepAlivePeriod(30 * time.Second)
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if !l.admit(from) {
			_ = c.Close()
			continue
		}
		return &guardedConn{TCPConn: c, free: sync.OnceFunc(func() { l.leave(from) })}, nil
	}
}

func (l *guardedListener) admit(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= serverConns {
		return false
	}
	if transport.IsGlobal(from) {
		if l.held[from] >= serverPerAddr {
			return false
		}
		l.held[from]++
	}
	l.total++
	return true
}

func (l *guardedListener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if n, ok := l.held[from]; ok {
		if n == 1 {
			delete(l.held, from)
		} else {
			l.held[from] = n - 1
		}
	}
}

// guardedConn is counted until it is closed.
type guardedConn struct {
	*net.TCPConn
	free func()
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	c.free()
	return c.TCPConn.Close()
}
