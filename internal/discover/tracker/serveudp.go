package tracker

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"tandem/internal/fault"
)

// connectionLife is how long a connection ID is given out; it is accepted for
// as long again (BEP 15: one minute, two minutes).
const connectionLife = time.Minute

// maxDatagram keeps an answer whole on the way, in bytes.
const maxDatagram = 1400

// maxUDPErrors in a row end ServeUDP; some systems report there what became of
// single answers.
const maxUDPErrors = 100

// ServeUDP answers announces on conn until ctx ends or conn fails. It closes
// conn. The error is nil when ctx ended. One goroutine does it all: an answer
// needs no waiting.
func (s *Server) ServeUDP(ctx context.Context, conn net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		if stop() {
			conn.Close()
		}
	}()
	buf := make([]byte, maxPacket)
	var out []byte
	for failures := 0; ; {
		n, from, err := conn.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if failures++; failures == maxUDPErrors || errors.Is(err, net.ErrClosed) {
				return fault.Wrap(fault.Unreachable, err)
			}
			continue
		}
		failures = 0
		udp, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		addr := udp.AddrPort()
		out = s.answerUDP(out[:0], buf[:n], netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port()))
		if len(out) > 0 {
			conn.WriteTo(out, from) // lost datagrams are asked for again
		}
	}
}

// answerUDP appends the answer to one datagram, nothing when it deserves none.
// Until a connection ID proves the sender's address, the answer is never
// larger than the question.
func (s *Server) answerUDP(dst, b []byte, from netip.AddrPort) []byte {
	if tx, ok := parseConnect(b); ok {
		if !s.throttle.Allow(from.Addr(), s.o.Now()) {
			return dst
		}
		return appendConnectReply(dst, tx, s.connectionID(from.Addr(), 0))
	}
	id, tx, r, ok := parseAnnounce(b)
	if !ok {
		return dst
	}
	if !s.proven(id, from.Addr()) {
		if !s.throttle.Allow(from.Addr(), s.o.Now()) {
			return dst
		}
		return appendError(dst, tx, "connection ID has expired")
	}
	room := (maxDatagram - announceHead) / peer4
	if !from.Addr().Is4() {
		room = (maxDatagram - announceHead) / peer6
	}
	if r.NumWant < 0 {
		r.NumWant = maxWant
	}
	r.NumWant = min(r.NumWant, int32(room))
	a, err := s.take(r, from.Addr(), func(p netip.Addr) bool { return p.Is4() == from.Addr().Is4() })
	if err != nil {
		return appendError(dst, tx, err.Error())
	}
	return appendAnnounceReply(dst, tx, uint32(s.o.Interval/time.Second), uint32(a.incomplete), uint32(a.complete), a.peers)
}

// connectionID is the one for addr in the present minute, or back minutes ago.
func (s *Server) connectionID(addr netip.Addr, back int64) uint64 {
	ip := addr.As16()
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write(ip[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(s.o.Now().Unix()/int64(connectionLife/time.Second)-back)))
	return binary.BigEndian.Uint64(mac.Sum(nil))
}

func (s *Server) proven(id uint64, addr netip.Addr) bool {
	got := binary.BigEndian.AppendUint64(nil, id)
	for back := range int64(2) {
		if subtle.ConstantTimeCompare(got, binary.BigEndian.AppendUint64(nil, s.connectionID(addr, back))) == 1 {
			return true
		}
	}
	return false
}
