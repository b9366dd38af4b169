package hybrid

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// front is what stands before a server: it passes bytes on both ways, counts what
// the server sends, and can be made to do something at a number of them. The
// address stays when the server behind it is another.
type front struct {
	addr string
	sent atomic.Int64 // by the server

	mu     sync.Mutex
	server string
	at     int64  // call then when that many were sent; 0: never
	then   func() // in a goroutine of its own, once
	conns  map[net.Conn]bool
}

func newFront(t *testing.T) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{addr: l.Addr().String(), conns: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.cut()
		all.Wait()
	})
	return f
}

// to names the server; "" is none.
func (f *front) to(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = server
}

// after calls then when the server has sent n bytes more.
func (f *front) after(n int64, then func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.then = f.sent.Load()+n, then
}

// cut ends every connection.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

func (f *front) serve(c net.Conn) {
	defer c.Close()
	f.mu.Lock()
	server := f.server
	f.mu.Unlock()
	if server == "" {
		return
	}
	s, err := net.DialTimeout("tcp", server, time.Second)
	if err != nil {
		return
	}
	defer s.Close()
	f.mu.Lock()
	f.conns[c], f.conns[s] = true, true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.conns, c)
		delete(f.conns, s)
		f.mu.Unlock()
	}()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(s, c)
		_ = s.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(counted{c, f}, s)
	_ = c.Close()
	up.Wait()
}

// counted is a connection to a client whose bytes the front counts.
type counted struct {
	net.Conn
	f *front
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	sent := c.f.sent.Add(int64(n))
	c.f.mu.Lock()
	then := c.f.then
	if then == nil || sent < c.f.at {
		then = nil
	} else {
		c.f.then = nil
	}
	c.f.mu.Unlock()
	if then != nil {
		go then()
	}
	return n, err
}
