// Package tcp carries every kind of peer connection over TCP, on one port: plain
// BitTorrent, the encrypted BitTorrent handshake (MSE) and links (TLS 1.3, see
// tlspeer).
//
// An incoming connection says by its first bytes which of them it is. They are
// looked at, not taken (MSG_PEEK), so that a plain connection stays the system's
// own and keeps writev and sendfile. MSE is anacrolix/torrent/mse.
package tcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tlspeer"
)

// Config is what a Network is made from. The zero Config serves public
// connections only, with the default limits.
type Config struct {
	// Encryption is the policy for public connections.
	Encryption transport.Encryption
	// TLS names the node for link connections; nil refuses them.
	TLS    *tlspeer.Config
	Limits Limits
	// NotSent is how many bytes the system may hold back unsent on one
	// connection (TCP_NOTSENT_LOWAT), where it can be told. A cancel cannot
	// take them back. Zero means 64 KiB, negative leaves it to the system.
	NotSent int
	// HTTP takes over connections that open with an HTTP method, nothing
	// read yet. They count as unfinished until it returns. Nil closes them.
	HTTP func(net.Conn)
	// Log is told of refused connections at Debug and of trouble with
	// accepting at Warn. Nil is silent.
	Log *slog.Logger
}

const (
	defaultNotSent = 64 << 10
	// dialTimeout bounds a dial without a deadline: three lost SYNs.
	dialTimeout = 8 * time.Second
)

// Network dials and listens over TCP. Limits on incoming connections are common
// to its listeners.
type Network struct {
	cfg Config
	adm *admission
	log *slog.Logger
}

var _ transport.Network = (*Network)(nil)

// New makes a Network. It holds no resources of its own.
func New(cfg Config) *Network {
	if cfg.NotSent == 0 {
		cfg.NotSent = defaultNotSent
	}
	cfg.Limits = cfg.Limits.orDefaults()
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Network{cfg: cfg, adm: newAdmission(cfg.Limits), log: log}
}

// Dial implements transport.Network. The time for the handshakes that follow
// the connection is bounded even if ctx is not.
func (n *Network) Dial(ctx context.Context, to transport.Target) (transport.Conn, error) {
	c, err := n.dial(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", to.Addr, err)
	}
	return c, nil
}

func (n *Network) dial(ctx context.Context, to transport.Target) (transport.Conn, error) {
	if err := n.allowed(to); err != nil {
		return nil, err
	}
	raw, err := n.connect(ctx, to)
	if err != nil {
		return nil, dialFault(ctx, err)
	}
	f := facts{
		tcp: raw, remote: unmap(raw.RemoteAddr()), audience: to.Audience, outgoing: true,
	}
	switch {
	case to.Audience != peer.Public:
		return n.openLink(ctx, f, to)
	case to.MSE || n.cfg.Encryption == transport.RequireMSE:
		return n.openMSE(ctx, f, to)
	}
	return newPlain(f), nil
}

// allowed judges a target before a packet is sent.
func (n *Network) allowed(to transport.Target) error {
	if err := transport.CheckTarget(to); err != nil {
		return err
	}
	switch {
	case !to.Addr.IsValid() || to.Addr.Port() == 0:
		return fault.Errorf(fault.Invalid, "not an address")
	case to.Audience != peer.Public && n.cfg.TLS == nil:
		return fault.Errorf(fault.Permission, "this node has no identity for link connections")
	case to.Audience == peer.Public && to.MSE && n.cfg.Encryption == transport.ForbidMSE:
		return fault.Errorf(fault.Permission, "encryption is forbidden by the configuration")
	}
	return nil
}

func (n *Network) connect(ctx context.Context, to transport.Target) (*net.TCPConn, error) {
	d := net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: keepAlive,
		// The last word on the address, where the system is about to use it.
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fault.Wrap(fault.Invalid, err)
			}
			if to.Global && !transport.IsGlobal(ap.Addr()) {
				return fault.Errorf(fault.Permission, "a source on the Internet named an address in a local network")
			}
			return nil
		},
	}
	c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(to.Addr.Addr().Unmap(), to.Addr.Port()).String())
	if err != nil {
		return nil, err
	}
	raw := c.(*net.TCPConn)
	n.tune(raw)
	return raw, nil
}

// keepAlive finds peers that vanished. BitTorrent's own keep-alives come every
// two minutes, so that these are sent on dead connections only.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 150 * time.Second, Interval: 15 * time.Second, Count: 4}

// tune sets what every connection has. Buffer sizes stay with the system, which
// finds them better; Go has set TCP_NODELAY.
func (n *Network) tune(c *net.TCPConn) {
	if n.cfg.NotSent > 0 {
		setNotSent(c, n.cfg.NotSent)
	}
}

func (n *Network) openLink(ctx context.Context, f facts, to transport.Target) (transport.Conn, error) {
	wire := newWire(f.tcp, f.tcp)
	s, err := tlspeer.Client(ctx, wire, n.cfg.TLS, to)
	if err != nil {
		return nil, err
	}
	f.id, f.key = s.Peer, s.Key
	return newLink(f, wire, s), nil
}

// dialFault gives an error of the dialer its kind.
func dialFault(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case fault.KindOf(err) != fault.Other:
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.Wrap(fault.Closed, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fault.Wrap(fault.Timeout, err)
	}
	return fault.Wrap(fault.Unreachable, err)
}

func unmap(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
