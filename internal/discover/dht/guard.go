package dht

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tandem/internal/discover"
)

// What this node sends at most (security.md, section 3).
const (
	upRate    = 8000        // bytes a second
	upBurst   = 2 * upRate  // bytes
	queryWait = time.Second // a query may wait so long for its turn
	maxPacket = 8 << 10     // what is read of one datagram
)

// guard stands between the socket and the library. It reads only from sources
// that keep within the rate, cleans what they send, and keeps what is sent
// within the upload limit. The library panics when a read fails before it was
// closed itself; guard reports no failure before that.
type guard struct {
	conn     net.PacketConn
	throttle discover.Throttle
	up       *rate.Limiter
	buf      []byte        // of the one reader
	closed   chan struct{} // closed by Close
	closing  sync.Once
}

func newGuard(conn net.PacketConn) *guard {
	return &guard{
		conn:   conn,
		up:     rate.NewLimiter(upRate, upBurst),
		buf:    make([]byte, maxPacket),
		closed: make(chan struct{}),
	}
}

// ReadFrom returns the next cleaned message. It is called by one goroutine.
func (g *guard) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.conn.ReadFrom(g.buf)
		if err != nil {
			if !g.pause(err) {
				return 0, nil, net.ErrClosed
			}
			continue
		}
		udp, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		src := udp.AddrPort()
		ip := src.Addr().Unmap()
		if ip.Zone() != "" || !discover.MayDial(netip.AddrPortFrom(ip, src.Port()), false) || !g.throttle.Allow(ip, time.Now()) {
			continue
		}
		addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, src.Port()))
		if reset := refuseUTP(g.buf[:n]); reset != nil {
			if g.up.AllowN(time.Now(), len(reset)) {
				g.conn.WriteTo(reset, addr)
			}
			continue
		}
		switch out, v := clean(g.buf[:n], discover.IsGlobal(ip)); {
		case v == pass && len(out) <= len(b):
			return copy(b, out), addr, nil
		case v == answer:
			if g.up.AllowN(time.Now(), len(out)) {
				g.conn.WriteTo(out, addr) // like every reply, it may be lost
			}
		}
	}
}

// Of the uTP header (BEP 29).
const (
	utpSize  = 20
	utpSyn   = 4<<4 | 1 // type and version
	utpReset = 3<<4 | 1
)

// refuseUTP returns the answer to an attempt to open a uTP connection, nil for
// other datagrams. We do not speak uTP; clients that try it first, on the port
// of the DHT, go on to TCP at once when refused, and after seconds when not.
func refuseUTP(b []byte) []byte {
	if len(b) < utpSize || b[0] != utpSyn {
		return nil
	}
	out := make([]byte, utpSize)
	out[0] = utpReset
	copy(out[2:4], b[2:4])     // connection
	copy(out[18:20], b[16:18]) // what is acknowledged
	return out
}

// pause waits after a failed read, which some systems report for a single
// datagram sent before. It returns false once the guard is closed.
func (g *guard) pause(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		<-g.closed
		return false
	}
	t := time.NewTimer(10 * time.Millisecond)
	defer t.Stop()
	select {
	case <-g.closed:
		return false
	case <-t.C:
		return true
	}
}

// WriteTo sends b. What exceeds the upload limit is not sent: a reply at once,
// a query after it has waited for a second. The library takes it as lost on
// the way.
func (g *guard) WriteTo(b []byte, addr net.Addr) (int, error) {
	now := time.Now()
	if bytes.HasSuffix(b, []byte("1:y1:qe")) {
		r := g.up.ReserveN(now, len(b))
		d := r.DelayFrom(now)
		if d > queryWait {
			r.CancelAt(now)
			return len(b), nil
		}
		if d > 0 {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-g.closed:
				return 0, net.ErrClosed
			case <-t.C:
			}
		}
	} else if !g.up.AllowN(now, len(b)) {
		return len(b), nil
	}
	return g.conn.WriteTo(b, addr)
}

// Close closes the socket.
func (g *guard) Close() error {
	err := net.ErrClosed
	g.closing.Do(func() {
		close(g.closed)
		err = g.conn.Close()
	})
	return err
}

func (g *guard) LocalAddr() net.Addr                { return g.conn.LocalAddr() }
func (g *guard) SetDeadline(t time.Time) error      { return nil } // the library sets none
func (g *guard) SetReadDeadline(t time.Time) error  { return nil }
func (g *guard) SetWriteDeadline(t time.Time) error { return nil }
