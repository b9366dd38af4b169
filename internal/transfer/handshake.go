package transfer

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// Time allowed for setting up an outgoing connection.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 5 * time.Second
)

// share is what admit compares a connection with.
type share struct {
	audience peer.Audience
	keys     []content.SHA1
	self     [20]byte // our BitTorrent peer ID
	guard    transport.Guard
}

// admit decides whether c, on which the other side said hs, may take part in s.
// It is the one place where a connection meets a share. The error is of kind
// fault.Refused.
func admit(c transport.Conn, hs wire.Handshake, s share) error {
	if c.Audience() != s.audience {
		return fault.Errorf(fault.Refused, "connection admitted for audience %s, share is %s", c.Audience(), s.audience)
	}
	if !slices.Contains(s.keys, hs.Key) {
		return fault.Errorf(fault.Refused, "handshake names another share")
	}
	switch s.audience {
	case peer.Link, peer.Network:
		if c.Peer().IsZero() {
			return fault.Errorf(fault.Refused, "no identity was proven")
		}
		if c.Key() != hs.Key {
			return fault.Errorf(fault.Refused, "the secret of another share was proven")
		}
		if s.audience == peer.Network && s.guard == nil {
			return fault.Errorf(fault.Refused, "nothing says who may take part in a network share")
		}
		if s.guard != nil {
			if err := s.guard.Check(c.Peer(), shown(c)); err != nil {
				return fault.Errorf(fault.Refused, "capability of %s: %w", c.Peer().Short(), err)
			}
		}
	case peer.Public:
		if !c.Key().IsZero() && !slices.Contains(s.keys, c.Key()) {
			return fault.Errorf(fault.Refused, "another share was negotiated")
		}
	default:
		return fault.Errorf(fault.Refused, "nobody is admitted for audience %s", s.audience)
	}
	if hs.PeerID == s.self {
		return errOurselves
	}
	return nil
}

var errOurselves = fault.Errorf(fault.Refused, "connected to ourselves")

// share returns what connections are compared with now.
func (t *Transfer) share() share {
	return share{t.cfg.Audience, t.keys, t.cfg.PeerID, t.cfg.Guard}
}

// hello returns our handshake for a share key. The upgrade bit (BEP 52) is set
// only if we can recognise the v2 info-hash in the answer.
func (t *Transfer) hello(key content.SHA1, knowsV2 bool) wire.Handshake {
	f := wire.FeatureFast | wire.FeatureExtended
	if knowsV2 {
		f |= wire.FeatureV2
	}
	if t.cfg.DHTPort != 0 && t.cfg.Audience == peer.Public {
		f |= wire.FeatureDHT
	}
	return wire.NewHandshake(key, t.cfg.PeerID, f)
}

// dialed is the outcome of a dial.
type dialed struct {
	e   *entry
	nc  transport.Conn
	hs  wire.Handshake
	err error
	mse bool
}

// dial connects to e and exchanges handshakes, on a goroutine of its own. A
// public peer that hangs up on a plain handshake is tried with MSE.
func (t *Transfer) dial(e *entry, to transport.Target, mine wire.Handshake) {
	defer t.wg.Done()
	d := dialed{e: e}
	d.nc, d.hs, d.err = t.connect(to, mine)
	if errors.Is(d.err, errHungUp) && !to.MSE && to.Audience == peer.Public && t.cfg.Encryption == transport.PreferPlain {
		to.MSE = true
		d.nc, d.hs, d.err = t.connect(to, mine)
	}
	d.mse = to.MSE
	if !t.mail.put(event{kind: evDialed, body: d}) && d.nc != nil {
		_ = d.nc.Close()
	}
}

// errHungUp says that the other side closed the connection during the
// handshake: it may want encryption.
var errHungUp = fault.Errorf(fault.Unreachable, "hung up on the handshake")

func (t *Transfer) connect(to transport.Target, mine wire.Handshake) (transport.Conn, wire.Handshake, error) {
	ctx, cancel := context.WithTimeout(t.ctx, dialTimeout)
	defer cancel()
	nc, err := t.cfg.Network.Dial(ctx, to)
	if err != nil {
		return nil, wire.Handshake{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	hs, err := shake(nc, mine)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close()
		return nil, hs, err
	}
	return nc, hs, nil
}

// shake sends mine and reads the other side's handshake.
func shake(nc net.Conn, mine wire.Handshake) (wire.Handshake, error) {
	_ = nc.SetDeadline(time.Now().Add(handshakeTimeout))
	if _, err := nc.Write(mine.Append(nil)); err != nil {
		return wire.Handshake{}, errHungUp
	}
	var buf [wire.HandshakeLen]byte
	if _, err := io.ReadFull(nc, buf[:]); err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return wire.Handshake{}, fault.Errorf(fault.Timeout, "no handshake in %v", handshakeTimeout)
		}
		return wire.Handshake{}, errHungUp
	}
	hs, err := wire.ParseHandshake(buf[:])
	if err != nil {
		return wire.Handshake{}, err
	}
	return hs, nc.SetDeadline(time.Time{})
}
