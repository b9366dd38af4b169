package mem

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// conn is one side of a connection.
type conn struct {
	host          *Host
	in, out       *pipe
	local, remote netip.AddrPort
	id            peer.ID
	key           content.SHA1
	audience      peer.Audience
	shown         []byte
	outgoing      bool
	once          sync.Once
}

var (
	_ transport.Conn          = (*conn)(nil)
	_ transport.Guarded       = (*conn)(nil)
	_ transport.Meter         = (*conn)(nil)
	_ transport.BuffersWriter = (*conn)(nil)
)

func (c *conn) Peer() peer.ID           { return c.id }
func (c *conn) Audience() peer.Audience { return c.audience }
func (c *conn) Key() content.SHA1       { return c.key }
func (c *conn) Path() transport.Path    { return transport.PathMem }
func (c *conn) Remote() netip.AddrPort  { return c.remote }
func (c *conn) Outgoing() bool          { return c.outgoing }
func (c *conn) Shown() []byte           { return c.shown }
func (c *conn) LocalAddr() net.Addr     { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr    { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// WriteBuffers implements transport.BuffersWriter by one Write, so that a
// header does not travel as a segment of its own.
func (c *conn) WriteBuffers(bufs *net.Buffers) (int64, error) {
	all := bytes.Join(*bufs, nil)
	*bufs = nil
	n, err := c.Write(all)
	return int64(n), err
}

func (c *conn) SetReadDeadline(t time.Time) error  { c.in.setReadDeadline(t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { c.out.setWriteDeadline(t); return nil }

func (c *conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.in.closeRead()
		c.out.closeWrite()
		c.host.net.mu.Lock()
		defer c.host.net.mu.Unlock()
		delete(c.host.conns, c)
	})
	return nil
}

// RTT implements transport.Meter.
func (c *conn) RTT() (time.Duration, bool) { return 2 * c.host.net.latency, true }

// Unsent implements transport.Meter.
func (c *conn) Unsent() (int, bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	n, _ := c.out.unsent(time.Now())
	return n, true
}

// Flight implements transport.Meter.
func (c *conn) Flight() (int, time.Duration, bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.count(time.Now())
	return c.out.flight(), 2 * c.host.net.latency, true
}

// Acked implements transport.Meter.
func (c *conn) Acked() (uint64, bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.count(time.Now())
	return c.out.acked, true
}

// Dial implements transport.Network.
func (h *Host) Dial(ctx context.Context, to transport.Target) (transport.Conn, error) {
	c, err := h.dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", to.Addr, err)
	}
	return c, nil
}

func (h *Host) dial(ctx context.Context, to transport.Target) (*conn, error) {
	if err := transport.CheckTarget(to); err != nil {
		return nil, err
	}
	if to.Global && !transport.IsGlobal(to.Addr.Addr()) {
		return nil, fault.Errorf(fault.Permission, "a source on the Internet named an address in a local network")
	}
	if err := h.travel(ctx, to.Addr.Addr().Unmap()); err != nil {
		return nil, err
	}
	l, err := h.find(to.Addr)
	if err != nil {
		return nil, err
	}
	papers, err := l.judge(h, to)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := h.join(l, to)
	if err != nil {
		return nil, err
	}
	ours.shown, theirs.shown = papers.server, papers.client
	select {
	case l.ready <- theirs:
		select {
		case <-l.done: // closed at the same time: nobody will take it
			l.stop()
		default:
		}
		return ours, nil
	case <-l.done:
		err = fault.Errorf(fault.Unreachable, "connection refused")
	case <-ctx.Done():
		err = ended(ctx)
	}
	_ = ours.Close()
	_ = theirs.Close()
	return nil, err
}

// travel waits for the handshake's round trip, and as long as there is no way.
func (h *Host) travel(ctx context.Context, to netip.Addr) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if d := 2 * h.net.latency; d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	for {
		h.net.mu.Lock()
		cut, heal := h.net.cuts[pairOf(h.addr, to)], h.net.heal
		h.net.mu.Unlock()
		if !cut {
			return nil
		}
		select {
		case <-heal:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

func ended(ctx context.Context) error {
	if ctx.Err() == context.Canceled {
		return fault.Wrap(fault.Closed, ctx.Err())
	}
	return fault.Wrap(fault.Timeout, ctx.Err())
}

func (h *Host) find(addr netip.AddrPort) (*listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.dead {
		return nil, fault.Errorf(fault.Unreachable, "this host is dead")
	}
	far := h.net.hosts[addr.Addr().Unmap()]
	if far == nil {
		return nil, fault.Errorf(fault.Unreachable, "no route to host")
	}
	l := far.listeners[addr.Port()]
	if l == nil {
		return nil, fault.Errorf(fault.Unreachable, "connection refused")
	}
	return l, nil
}

// join makes both sides of a connection.
func (h *Host) join(l *listener, to transport.Target) (ours, theirs *conn, err error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.dead || l.host.dead {
		return nil, nil, fault.Errorf(fault.Unreachable, "host is dead")
	}
	if h.port++; h.port < firstPort { // wrapped around
		h.port = firstPort
	}
	from := netip.AddrPortFrom(h.addr, h.port)
	cut := n.cuts[pairOf(h.addr, l.host.addr)]
	there, back := newPipe(h, l.host, cut), newPipe(l.host, h, cut)
	ours = &conn{host: h, in: back, out: there, local: from, remote: l.addr, audience: to.Audience, outgoing: true}
	theirs = &conn{host: l.host, in: there, out: back, local: l.addr, remote: from, audience: to.Audience}
	if to.Audience != peer.Public {
		ours.id, theirs.id = l.host.id, h.id
	}
	if to.Audience != peer.Public || to.MSE {
		ours.key, theirs.key = to.Key, to.Key
	}
	h.conns[ours] = struct{}{}
	l.host.conns[theirs] = struct{}{}
	return ours, theirs, nil
}

// listener takes connections to one port of a host.
type listener struct {
	host   *Host
	addr   netip.AddrPort
	shares transport.Shares
	ready  chan *conn
	done   chan struct{}
	once   sync.Once
}

// Accept implements transport.Listener.
func (l *listener) Accept() (transport.Conn, error) {
	select {
	case <-l.done:
	default:
		select {
		case c := <-l.ready:
			return c, nil
		case <-l.done:
		}
	}
	return nil, fault.Errorf(fault.Closed, "accept on %s: listener closed", l.addr)
}

// Addr implements transport.Listener.
func (l *listener) Addr() netip.AddrPort { return l.addr }

// Close implements transport.Listener.
func (l *listener) Close() error {
	l.host.net.mu.Lock()
	if l.host.listeners[l.addr.Port()] == l {
		delete(l.host.listeners, l.addr.Port())
	}
	l.host.net.mu.Unlock()
	l.stop()
	return nil
}

// stop ends Accept and drops what it did not take.
func (l *listener) stop() {
	l.once.Do(func() { close(l.done) })
	for {
		select {
		case c := <-l.ready:
			_ = c.Close()
		default:
			return
		}
	}
}
