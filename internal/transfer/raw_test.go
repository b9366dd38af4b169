package transfer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// raw is a peer that a test plays by hand.
type raw struct {
	t  testing.TB
	nc transport.Conn
	hs wire.Handshake // the node's
	rd *wire.Reader
}

// dialRaw connects from a new host to n as a peer called name.
func (w *world) dialRaw(n *node, name string, features wire.Feature) *raw {
	w.t.Helper()
	h := w.net.Host(netip.AddrFrom4([4]byte{10, 9, name[0], byte(len(name))}))
	return w.dialFrom(h, n, name, features)
}

func (w *world) dialFrom(h transport.Network, n *node, name string, features wire.Feature) *raw {
	w.t.Helper()
	return w.dialAs(h, n, nil, name, features)
}

// dialGuarded connects from h, showing what g presents.
func (w *world) dialGuarded(h transport.Network, n *node, g transport.Guard) *raw {
	w.t.Helper()
	return w.dialAs(h, n, g, "-TD0001-guarded", allFeatures)
}

func (w *world) dialAs(h transport.Network, n *node, g transport.Guard, name string, features wire.Feature) *raw {
	w.t.Helper()
	nc, err := h.Dial(w.ctx, transport.Target{Addr: n.at(), Audience: n.cfg.Audience, Key: n.cfg.Keys[0], Secret: n.cfg.Secret, Guard: g})
	if err != nil {
		w.t.Fatal(err)
	}
	r := &raw{t: w.t, nc: nc}
	var id [20]byte
	copy(id[:], name)
	mine := wire.NewHandshake(n.cfg.Keys[0], id, features)
	if r.hs, err = shake(nc, mine); err != nil {
		w.t.Fatalf("handshake as %s: %v", name, err)
	}
	r.rd = wire.NewReader(nc, wire.Limits{})
	return r
}

// allFeatures are those of a tandem node.
const allFeatures = wire.FeatureFast | wire.FeatureExtended | wire.FeatureV2

func (r *raw) send(ms ...wire.Message) {
	var b []byte
	for i := range ms {
		b = wire.AppendMessage(b, &ms[i])
	}
	_ = r.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = r.nc.Write(b)
}

// next reads the next message, or fails.
func (r *raw) next() wire.Message {
	r.t.Helper()
	var m wire.Message
	_ = r.nc.SetReadDeadline(time.Now().Add(30 * time.Second))
	if err := r.rd.Read(&m); err != nil {
		r.t.Fatalf("read: %v", err)
	}
	return m
}

// await reads until a message of that kind comes.
func (r *raw) await(id wire.ID) wire.Message {
	r.t.Helper()
	for {
		if m := r.next(); m.ID == id {
			return m
		}
	}
}

// closed reads until the node closes the connection, and reports whether it did
// so in time.
func (r *raw) closed(within time.Duration) bool {
	_ = r.nc.SetReadDeadline(time.Now().Add(within))
	var m wire.Message
	for {
		err := r.rd.Read(&m)
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return false
		}
		if err != nil {
			return true
		}
	}
}

// drain reads and throws away until the connection ends.
func (r *raw) drain(w *world) {
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		stop := context.AfterFunc(w.ctx, func() { _ = r.nc.Close() })
		defer stop()
		_ = r.nc.SetReadDeadline(time.Time{})
		var m wire.Message
		for r.rd.Read(&m) == nil {
		}
	}()
}

// every calls f at that pace until the world ends.
func (w *world) every(d time.Duration, f func()) {
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f()
			case <-w.ctx.Done():
				return
			}
		}
	}()
}

// extHello is an extension handshake that offers everything.
func extHello(metadata int) wire.Message {
	return wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil, &wire.ExtHandshake{
		M: wire.OurExtensions(true), MetadataSize: metadata, Client: "raw", Port: 9,
	})}
}

// fakeConn is a connection of which only its description counts.
type fakeConn struct {
	net.Conn
	id       peer.ID
	audience peer.Audience
	key      content.SHA1
	shown    []byte
}

func (c fakeConn) Peer() peer.ID           { return c.id }
func (c fakeConn) Shown() []byte           { return c.shown }
func (c fakeConn) Audience() peer.Audience { return c.audience }
func (c fakeConn) Key() content.SHA1       { return c.key }
func (c fakeConn) Path() transport.Path    { return transport.PathMem }
func (c fakeConn) Remote() netip.AddrPort  { return netip.MustParseAddrPort("10.0.0.1:1") }
func (c fakeConn) Outgoing() bool          { return false }

// accepted watches what is done to a connection.
type accepted struct {
	transport.Conn
	gone, wrote atomic.Bool
}

func (c *accepted) Outgoing() bool              { return false }
func (c *accepted) Close() error                { c.gone.Store(true); return c.Conn.Close() }
func (c *accepted) Write(p []byte) (int, error) { c.wrote.Store(true); return c.Conn.Write(p) }
func (c *accepted) isClosed() bool              { return c.gone.Load() }
