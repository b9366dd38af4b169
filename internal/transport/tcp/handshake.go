package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/anacrolix/torrent/mse"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tlspeer"
)

// shake finds out what c speaks and finishes the transport's part of it. No
// connection and no error: c was handed to Config.HTTP and is done with.
func (l *listener) shake(c *net.TCPConn, remote netip.AddrPort) (transport.Conn, error) {
	stop := context.AfterFunc(l.ctx, func() { _ = c.Close() })
	defer stop()
	deadline := time.Now().Add(l.net.cfg.Limits.Handshake)
	if err := c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	p, rest, err := peek(c)
	if err != nil {
		return nil, fmt.Errorf("first bytes: %w", err)
	}
	l.net.tune(c)
	f := facts{tcp: c, remote: remote, audience: peer.Public}
	switch {
	case p == protoPlain && l.net.cfg.Encryption != transport.RequireMSE:
		return l.acceptPlain(f, rest)
	case p == protoMSE && l.net.cfg.Encryption != transport.ForbidMSE:
		return l.acceptMSE(f, rest)
	case p == protoTLS && l.net.cfg.TLS != nil:
		return l.acceptLink(f, rest, deadline)
	case p == protoHTTP && l.net.cfg.HTTP != nil:
		if err := c.SetDeadline(time.Time{}); err != nil {
			return nil, err
		}
		l.net.cfg.HTTP(rest)
		return nil, nil
	}
	return nil, fault.Errorf(fault.Refused, "%s is not served here", p)
}

func (l *listener) acceptPlain(f facts, rest net.Conn) (transport.Conn, error) {
	release, err := l.net.adm.finish(f.remote.Addr(), peer.ID{})
	if err != nil {
		return nil, err
	}
	f.release = release
	if rest == net.Conn(f.tcp) {
		return started(newPlain(f))
	}
	return started(newStream(f, transport.PathPlain, rest, f.tcp))
}

// acceptMSE answers the encrypted handshake for any public share. The initial
// payload, if there is one, comes first out of the connection.
func (l *listener) acceptMSE(f facts, rest net.Conn) (transport.Conn, error) {
	require := l.net.cfg.Encryption == transport.RequireMSE
	var key content.SHA1
	rw, method, err := mse.ReceiveHandshake(context.Background(), rest,
		func(try func([]byte) bool) { key = l.findKey(try) },
		func(provided mse.CryptoMethod) mse.CryptoMethod { return chooseCrypto(provided, require) })
	if err != nil {
		return nil, fmt.Errorf("encrypted handshake: %w", err)
	}
	release, err := l.net.adm.finish(f.remote.Addr(), peer.ID{})
	if err != nil {
		return nil, err
	}
	f.release, f.key = release, key
	return started(newStream(f, transport.PathMSE, rw, mseWriter(f.tcp, rw, method)))
}

// findKey tries the swarm keys of public shares and returns the one that fits:
// try says false to it.
func (l *listener) findKey(try func([]byte) bool) content.SHA1 {
	for key := range l.shares.PublicKeys() {
		if !try(key[:]) {
			return key
		}
	}
	return content.SHA1{}
}

// acceptLink answers TLS for shares of audiences link and network.
func (l *listener) acceptLink(f facts, rest net.Conn, deadline time.Time) (transport.Conn, error) {
	cfg := *l.net.cfg.TLS
	if left := time.Until(deadline); cfg.Handshake <= 0 || left < cfg.Handshake {
		cfg.Handshake = max(left, time.Nanosecond)
	}
	// From here on tlspeer keeps the time.
	if err := f.tcp.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	wire := newWire(f.tcp, rest)
	s, err := tlspeer.Server(l.ctx, wire, &cfg, l.shares, func(id peer.ID) (err error) {
		f.release, err = l.net.adm.finish(f.remote.Addr(), id)
		return err
	})
	if err != nil {
		if f.release != nil {
			f.release()
		}
		return nil, err
	}
	f.audience, f.id, f.key = s.Audience, s.Peer, s.Key
	return newLink(f, wire, s), nil
}

// started frees a connection from the handshake's deadline.
func started(c transport.Conn) (transport.Conn, error) {
	if err := c.SetDeadline(time.Time{}); err != nil {
		_ = c.Close() // gives back its place
		return nil, err
	}
	return c, nil
}

// openMSE is the outgoing side of the encrypted handshake.
func (n *Network) openMSE(ctx context.Context, f facts, to transport.Target) (_ transport.Conn, err error) {
	defer func() {
		if err != nil {
			_ = f.tcp.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = f.tcp.Close() })
	defer stop()
	if err := f.tcp.SetDeadline(time.Now().Add(n.cfg.Limits.Handshake)); err != nil {
		return nil, err
	}
	provides := mse.AllSupportedCrypto
	if n.cfg.Encryption == transport.RequireMSE {
		provides = mse.CryptoMethodRC4
	}
	rw, method, err := mse.InitiateHandshake(f.tcp, to.Key[:], nil, provides)
	if err != nil {
		return nil, mseFault(ctx, fmt.Errorf("encrypted handshake: %w", err))
	}
	if !stop() {
		return nil, mseFault(ctx, context.Cause(ctx))
	}
	f.key = to.Key
	return started(newStream(f, transport.PathMSE, rw, mseWriter(f.tcp, rw, method)))
}

// chooseCrypto prefers the payload in the clear, which costs nothing, unless
// encryption is required. Zero refuses.
func chooseCrypto(provided mse.CryptoMethod, require bool) mse.CryptoMethod {
	if !require && provided&mse.CryptoMethodPlaintext != 0 {
		return mse.CryptoMethodPlaintext
	}
	return provided & mse.CryptoMethodRC4
}

// mseWriter is where the payload goes: straight to TCP if it is in the clear.
func mseWriter(c *net.TCPConn, rw io.Writer, method mse.CryptoMethod) io.Writer {
	if method == mse.CryptoMethodPlaintext {
		return c
	}
	return rw
}

// mseFault gives an error of an outgoing encrypted handshake its kind. A client
// that does not know the key, or speaks only plain, closes the connection.
func mseFault(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.Wrap(fault.Closed, err)
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return fault.Wrap(fault.Timeout, err)
	}
	return fault.Wrap(fault.Refused, err)
}
