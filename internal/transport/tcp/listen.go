package tcp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"tandem/internal/fault"
	"tandem/internal/transport"
)

// Listen implements transport.Network.
func (n *Network) Listen(ctx context.Context, addr string, shares transport.Shares) (transport.Listener, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fault.Errorf(fault.Invalid, "listen on %q: %w", addr, err)
	}
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, listenFault(addr, err)
	}
	return n.serve(l, shares), nil
}

func listenFault(addr string, err error) error {
	// net's own text repeats the address.
	var op *net.OpError
	cause := err
	if errors.As(err, &op) {
		cause = op.Err
	}
	cause = fmt.Errorf("listen on %s: %w", addr, cause)
	switch {
	case addrInUse(err):
		return fault.Wrap(fault.Busy, cause)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Permission, cause)
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Closed, cause)
	}
	return fault.Wrap(fault.Invalid, cause)
}

// addrInUse knows Windows' own number for it, which package syscall does not.
func addrInUse(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no) && (no == syscall.EADDRINUSE || runtime.GOOS == "windows" && no == 10048)
}

// listener accepts, tells protocols apart and finishes handshakes.
type listener struct {
	net    *Network
	raw    net.Listener
	shares transport.Shares
	log    *slog.Logger

	ready  chan transport.Conn // handshakes done, taken by Accept
	ctx    context.Context     // ends with the listener
	cancel context.CancelFunc
	work   sync.WaitGroup // the accept loop and the handshakes
	once   sync.Once
	err    error // of closing
}

// serve starts a listener on l.
func (n *Network) serve(l net.Listener, shares transport.Shares) *listener {
	ctx, cancel := context.WithCancel(context.Background())
	s := &listener{
		net: n, raw: l, shares: shares, log: n.log,
		ready: make(chan transport.Conn), ctx: ctx, cancel: cancel,
	}
	s.work.Go(s.run)
	return s
}

// Accept implements transport.Listener.
func (l *listener) Accept() (transport.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, fault.Errorf(fault.Closed, "accept on %s: listener closed", l.raw.Addr())
	}
}

// Addr implements transport.Listener.
func (l *listener) Addr() netip.AddrPort { return unmap(l.raw.Addr()) }

// Close implements transport.Listener. It returns when every unfinished
// handshake has ended.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.cancel()
		l.err = l.raw.Close()
		l.work.Wait()
	})
	return l.err
}

const (
	firstPause = 5 * time.Millisecond
	maxPause   = time.Second
)

// run accepts until the listener is closed. No failure ends it: running out of
// descriptors passes, a connection may be gone before it was accepted.
func (l *listener) run() {
	pause := firstPause
	for {
		c, err := l.raw.Accept()
		if err == nil {
			pause = firstPause
			l.admit(c)
			continue
		}
		if l.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, syscall.ECONNABORTED) {
			continue
		}
		l.log.Warn("accept failed, trying again", "addr", l.raw.Addr().String(), "err", err, "pause", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-l.ctx.Done():
			t.Stop()
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// admit starts the handshake of c if there is room for it.
func (l *listener) admit(c net.Conn) {
	remote := unmap(c.RemoteAddr())
	done, err := l.net.adm.start(remote.Addr())
	if err != nil {
		l.log.Debug("connection refused", "remote", remote, "err", err)
		refuse(c)
		return
	}
	l.work.Go(func() {
		defer done()
		conn, err := l.shake(c.(*net.TCPConn), remote)
		if err != nil {
			_ = c.Close()
			l.log.Debug("handshake failed", "remote", remote, "err", err)
			return
		}
		if conn == nil { // taken over
			return
		}
		select {
		case l.ready <- conn:
		case <-l.ctx.Done():
			_ = conn.Close()
		}
	})
}

// refuse closes c without leaving the system to wait for the other side.
func refuse(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
