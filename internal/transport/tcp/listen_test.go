package tcp

import (
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// starved is a listener in a process that has run out of descriptors.
type starved struct {
	net.Listener
	err  error
	once sync.Once
	done chan struct{}

	mu    sync.Mutex
	tries int
}

func (s *starved) Accept() (net.Conn, error) {
	select {
	case <-s.done:
		return nil, net.ErrClosed
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	return nil, &net.OpError{Op: "accept", Err: s.err}
}

func (s *starved) Addr() net.Addr { return &net.TCPAddr{} }

func (s *starved) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func TestAcceptBacksOffAndGoesOn(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		synctest.Test(t, func(t *testing.T) {
			s := &starved{err: err, done: make(chan struct{})}
			l := New(Config{}).serve(s, nil)
			before := time.Now()
			timer := time.NewTimer(10 * time.Second)
			<-timer.C
			s.mu.Lock()
			tries := s.tries
			s.mu.Unlock()
			// 5 ms, doubled up to a second: nine tries in the first 1.3 s.
			if tries < 15 || tries > 20 {
				t.Errorf("%v: %d tries in %v", err, tries, time.Since(before))
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
