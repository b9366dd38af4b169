package rest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestTooSlow(t *testing.T) {
	type look struct {
		after   time.Duration // since the one before
		moved   uint64        // in between
		waiting bool
		reading bool
	}
	const tick = 5 * time.Second
	many := func(n int, l look) (list []look) {
		for range n {
			list = append(list, l)
		}
		return list
	}
	for _, c := range []struct {
		name  string
		looks []look
		slow  bool
	}{
		{"takes nothing for half a minute", many(8, look{tick, 0, true, false}), true},
		{"sends nothing of its body for half a minute", many(8, look{tick, 0, false, true}), true},
		{"takes 900 bytes a second", many(8, look{tick, 4500, true, false}), true},
		{"takes 2 KiB a second", many(100, look{tick, 10 << 10, true, false}), false},
		{"sends 2 KiB a second", many(100, look{tick, 10 << 10, false, true}), false},
		{"waits for the server", many(100, look{tick, 0, false, false}), false},
		{"not for long enough yet", many(6, look{tick, 0, true, false}), false},
		{"the server waits in between", append(many(4, look{tick, 0, true, false}), append(many(1, look{tick, 0, false, false}), many(5, look{tick, 0, true, false})...)...), false},
		{"fast once, then nothing", append(many(1, look{tick, 1 << 30, true, false}), many(7, look{tick, 0, true, false})...), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m motion
			w := newWatch(DefaultLimits(), nil)
			w.motion = func(net.Conn) (motion, bool) { return m, true }
			s, now, slow := &socket{}, time.Unix(1e9, 0), false
			for _, l := range c.looks {
				now = now.Add(l.after)
				m.moved += l.moved
				m.waiting = l.waiting
				s.reading.Store(0)
				if l.reading {
					s.reading.Store(1)
				}
				slow = slow || w.tooSlow(s, now)
			}
			if slow != c.slow {
				t.Errorf("slow: %v, want %v", slow, c.slow)
			}
		})
	}
}

func TestUnknownMotionIsNotSlow(t *testing.T) {
	w := newWatch(DefaultLimits(), nil)
	w.motion = func(net.Conn) (motion, bool) { return motion{}, false }
	s, now := &socket{}, time.Unix(1e9, 0)
	s.reading.Store(1)
	for range 20 {
		if now = now.Add(5 * time.Second); w.tooSlow(s, now) {
			t.Fatal("closed for what nobody knows")
		}
	}
}

// listen serves h on a real port, as node does. closed gets every connection
// that has ended, once the watch has heard of it.
func listen(t *testing.T, h *Handler) (addr string, closed <-chan net.Conn) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan net.Conn, 1024)
	s := &http.Server{ConnState: func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			ended <- c
		}
	}}
	h.ConfigureServer(s)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String(), ended
}

// A client that asks for much and reads nothing is hung up on, though every
// Write of the server has been taken by the socket at first.
func TestReaderThatDoesNotRead(t *testing.T) {
	broke := make(chan error, 1)
	wrote := make(chan struct{}, 1)
	h := bare(t, func(c *Config) {
		c.Pages = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 1<<20)
			for {
				if _, err := w.Write(block); err != nil {
					broke <- err
					return
				}
				select {
				case wrote <- struct{}{}:
				default:
				}
			}
		})
	})
	addr, _ := listen(t, h)
	c := dial(t, addr)
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-wrote
	now := time.Unix(1e9, 0)
	h.watch.look(now)
	select {
	case err := <-broke:
		t.Fatalf("hung up on at once: %v", err)
	default:
	}
	// The window fills up at some time; from then on nothing moves.
	for hung := false; !hung; {
		now = now.Add(31 * time.Second)
		h.watch.look(now)
		select {
		case <-broke:
			hung = true
		case <-wrote:
		default:
		}
	}
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Error("the client believes to have it all")
	}
}

// One that has promised a body and sends none, too.
func TestSenderThatDoesNotSend(t *testing.T) {
	broke, begun := make(chan error, 1), make(chan struct{})
	h := bare(t, func(c *Config) {
		c.Pages = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			_, err := io.Copy(io.Discard, r.Body)
			broke <- err
		})
	})
	addr, _ := listen(t, h)
	c := dial(t, addr)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	<-begun
	now := time.Unix(1e9, 0)
	var err error
	for err == nil {
		h.watch.look(now)
		now = now.Add(31 * time.Second)
		select {
		case err = <-broke:
		default:
		}
	}
	if h.watch.count() > 1 {
		t.Errorf("%d connections are watched", h.watch.count())
	}
}

func TestWatchForgetsConnections(t *testing.T) {
	h := bare(t, nil)
	addr, closed := listen(t, h)
	for range 3 {
		c := dial(t, addr)
		if _, err := io.WriteString(c, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		<-closed
	}
	if n := h.watch.count(); n != 0 {
		t.Errorf("%d connections are still watched", n)
	}
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bare(t, nil).Run(ctx); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
