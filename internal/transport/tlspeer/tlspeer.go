// Package tlspeer makes a link connection out of a byte stream: TLS 1.3 between
// two nodes that show their Ed25519 keys, then a proof of the ticket's secret
// bound to that one TLS session and, for the shares of a server, its signed word that
// this node may take part.
//
// Protocol: docs/protocol/link.md. No certificate authority is asked and no
// certificate path is built: a node is its key. TLS proves that the other side
// holds the key it shows; the hello that follows proves that it holds the
// secret of the share, and that nobody sits between the two (RFC 8446, 7.5 and
// RFC 9266 are the ideas behind it).
package tlspeer

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// ALPN is the protocol name that tells a peer from a browser.
const ALPN = "tandem/1"

const (
	maxCert          = 8 << 10 // DER bytes of the one certificate
	defaultHandshake = 5 * time.Second
	defaultReady     = 2 * time.Second
)

// Config is what both sides need. It is not changed after first use.
type Config struct {
	Identity *Identity
	// Handshake bounds the TLS handshake; zero means 5 s.
	Handshake time.Duration
	// Ready bounds the hello and its answer after that; zero means 2 s.
	Ready time.Duration
}

// Session is a connection on which both sides have proven the secret and, where the
// share asks for it, shown a capability.
type Session struct {
	*tls.Conn
	Peer     peer.ID       // proven by TLS
	Key      content.SHA1  // of the share the secret belongs to
	Audience peer.Audience // of that share
	Shown    []byte        // the other side's capability; nil where none was asked for
}

// errPeer is all that a refused certificate is told.
var errPeer = errors.New("not a tandem peer")

// tlsConfig is for one connection, as client or as server. want is the identity
// expected; zero accepts any.
func (c *Config) tlsConfig(want peer.ID) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{c.Identity.leaf},
		ClientAuth:             tls.RequireAnyClientCert, // proves possession of its key
		InsecureSkipVerify:     true,                     // no authorities here: verified below, on both sides
		SessionTicketsDisabled: true,
		NextProtos:             []string{ALPN},
		// Blocks are large and wanted whole; small first records gain nothing.
		DynamicRecordSizingDisabled: true,
		// Unlike VerifyPeerCertificate this runs on resumed sessions too.
		VerifyConnection: func(cs tls.ConnectionState) error {
			id, err := identityOf(cs)
			if err != nil {
				return err
			}
			if id == c.Identity.id {
				return fault.Errorf(fault.Refused, "the other side is this node")
			}
			if !want.IsZero() && id != want {
				return fault.Errorf(fault.Refused, "peer is %s, want %s", id.Short(), want.Short())
			}
			return nil
		},
	}
}

// identityOf returns the key the other side shows. Whether it holds that key is
// for the TLS handshake to say.
func identityOf(cs tls.ConnectionState) (peer.ID, error) {
	if cs.Version < tls.VersionTLS13 || cs.NegotiatedProtocol != ALPN || len(cs.PeerCertificates) != 1 {
		return peer.ID{}, errPeer
	}
	cert := cs.PeerCertificates[0]
	pub, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || len(pub) != ed25519.PublicKeySize || len(cert.Raw) > maxCert {
		return peer.ID{}, errPeer
	}
	return peer.ID(pub), nil
}

// Client opens a link over c, for the share of to.Key and to.Secret, with
// to.Want if that is set. On failure c is closed. Errors are of kind
// fault.Refused, fault.Timeout, fault.Protocol or fault.Closed.
func Client(ctx context.Context, c net.Conn, cfg *Config, to transport.Target) (*Session, error) {
	conn := tls.Client(c, cfg.tlsConfig(to.Want))
	s, err := cfg.shake(ctx, conn, func() (*Session, error) { return cfg.greet(conn, to) })
	if err != nil {
		_ = c.Close()
		return nil, classify(ctx, "link", err)
	}
	return s, nil
}

// Server answers a link over c for a share of shares. admit, if not nil, is asked
// once the secret is proven and may refuse by an error; it must undo by itself
// what it counted if Server fails after it agreed, which Server tells by the
// error it returns. On failure c is closed.
func Server(ctx context.Context, c net.Conn, cfg *Config, shares transport.Shares, admit func(peer.ID) error) (*Session, error) {
	conn := tls.Server(c, cfg.tlsConfig(peer.ID{}))
	s, err := cfg.shake(ctx, conn, func() (*Session, error) { return cfg.answer(conn, shares, admit) })
	if err != nil {
		_ = c.Close()
		return nil, classify(ctx, "link", err)
	}
	return s, nil
}

// shake runs the TLS handshake and then hello, each against a deadline that no
// amount of arriving bytes moves.
func (c *Config) shake(ctx context.Context, conn *tls.Conn, hello func() (*Session, error)) (*Session, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	tctx, cancel := context.WithTimeout(ctx, or(c.Handshake, defaultHandshake))
	err := conn.HandshakeContext(tctx)
	expired := tctx.Err() != nil && ctx.Err() == nil
	cancel()
	if err != nil {
		if expired {
			return nil, fault.Errorf(fault.Timeout, "TLS handshake: %w", context.DeadlineExceeded)
		}
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(or(c.Ready, defaultReady))); err != nil {
		return nil, err
	}
	s, err := hello()
	if err != nil {
		return nil, err
	}
	if !stop() { // ctx ended: the connection is closed already
		return nil, context.Cause(ctx)
	}
	return s, conn.SetDeadline(time.Time{})
}

func or(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}

// classify gives err its kind.
func classify(ctx context.Context, what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	var op *net.OpError
	switch {
	case fault.KindOf(err) != fault.Other:
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.Wrap(fault.Closed, err)
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return fault.Wrap(fault.Timeout, err)
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return fault.Wrap(fault.Refused, err)
	}
	return fault.Wrap(fault.Protocol, err)
}
