// Package node wires a running node from its Config: one listener, the drivers
// of every door, and the shares and transfers that live on them.
//
// It is the only room that names drivers. Its walks are those of
// docs/architecture.md: share (cut, hash, serve in place, announce, print the
// link) and get (find sources, fetch, check, finish).
package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tandem/internal/content"
	"tandem/internal/discover/dht"
	"tandem/internal/discover/lan"
	"tandem/internal/discover/portmap"
	"tandem/internal/discover/tracker"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/tlspeer"
)

// DefaultPort is the TCP port a node listens on when nobody says otherwise; a
// free one is taken when it is busy.
const DefaultPort = 7741

// closeTime is how long an orderly end may take in all.
const closeTime = 2 * time.Second

// Config is what a Node is made from.
type Config struct {
	// Listen is "host:port". Empty: all addresses at DefaultPort, or at any
	// free port when that one is taken.
	Listen string
	// StateDir holds the identity key, the DHT's nodes and, for a long-running
	// node, the control socket and the list of its items. Created 0700.
	StateDir string

	DHT       bool
	Bootstrap []string // "host:port" of DHT nodes; nil: the well-known routers
	LAN       bool
	PortMap   bool

	// Up and Down limit all transfers together, in payload bytes per second;
	// 0: unlimited.
	Up, Down   int64
	Encryption transport.Encryption

	// Persist keeps shares and transfers across restarts (tandem node).
	Persist bool
	Log     *slog.Logger     // nil: silent
	Now     func() time.Time // nil: time.Now; by it documents of servers run out
}

// Node is a running node.
type Node struct {
	cfg      Config
	log      *slog.Logger
	identity *tlspeer.Identity
	net      transport.Network
	listener transport.Listener
	up, down *rate.Limiter
	trackers tracker.Limit

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	wait   sync.WaitGroup // the accept loop, connections being routed, port mapping, restored items

	reg     registry
	doors   doors
	pending pending
	saving  sync.Mutex // one writer of the state file

	clock    func() time.Time // for what signatures and networks are judged by
	patience time.Duration    // with a server that has never answered
	servers  authorities
	vicinity vicinity
}

// authorities are the servers whose documents the node has met.
type authorities struct {
	mu   sync.Mutex // guards list
	list map[peer.ID]*authority
}

// doors are the drivers that start with the first share or transfer.
type doors struct {
	mu     sync.Mutex // guards the fields below
	dht    *dht.DHT
	lan    *lan.LAN
	mapper *portmap.Mapper
	news   chan struct{} // closed at the first answer about the router
}

// New makes a node that listens and, with Persist, takes up what it had. The
// identity key is made in StateDir on the first run. Errors are of kind
// fault.Busy (ErrListen), fault.Permission, fault.NotFound or fault.Invalid
// (ErrAddress, or damaged state).
func New(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.StateDir == "" {
		return nil, fault.Errorf(fault.NotFound, "no state folder: neither TANDEM_STATE_DIR nor HOME is set")
	}
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", fileFault(err))
	}
	id, err := tlspeer.LoadIdentity(filepath.Join(cfg.StateDir, "identity.key"))
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	n := &Node{
		cfg: cfg, log: cfg.Log, identity: id,
		up: limiter(cfg.Up), down: limiter(cfg.Down),
		trackers: tracker.NewLimit(50), clock: cfg.Now, patience: firstPatience,
		net: tcp.New(tcp.Config{
			Encryption: cfg.Encryption, TLS: &tlspeer.Config{Identity: id}, Log: cfg.Log,
		}),
	}
	n.reg.init()
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if n.listener, err = n.listen(ctx); err != nil {
		n.cancel()
		return nil, err
	}
	n.wait.Go(n.accept)
	n.forgetOld()
	if cfg.Persist {
		if err := n.restore(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

// listen takes the configured address, or the default one with a fallback.
func (n *Node) listen(ctx context.Context) (transport.Listener, error) {
	addr := n.cfg.Listen
	if addr == "" {
		l, err := n.net.Listen(ctx, fmt.Sprintf(":%d", DefaultPort), &n.reg)
		if err == nil || fault.KindOf(err) != fault.Busy {
			return l, err
		}
		addr = ":0"
	}
	l, err := n.net.Listen(ctx, addr, &n.reg)
	switch {
	case err == nil:
	case fault.KindOf(err) == fault.Busy:
		err = fmt.Errorf("%w: %w", ErrListen, err)
	case fault.KindOf(err) == fault.Invalid:
		err = fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return l, err
}

// Addr returns the address the node listens at.
func (n *Node) Addr() netip.AddrPort { return n.listener.Addr() }

// ID returns the identity of the node, which link connections prove.
func (n *Node) ID() peer.ID { return n.identity.ID() }

// Close ends everything within two seconds: announcements are withdrawn,
// working copies synced.
func (n *Node) Close() error {
	n.cancel()
	err := n.listener.Close()
	for _, it := range n.reg.all() {
		it.halt()
	}
	over := time.NewTimer(closeTime)
	defer over.Stop()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for _, it := range n.reg.all() {
			<-it.Done()
		}
		n.wait.Wait()
	}()
	select {
	case <-gone:
	case <-over.C:
		n.log.Warn("some transfers did not end in time")
	}
	n.doors.mu.Lock()
	defer n.doors.mu.Unlock()
	if n.doors.dht != nil {
		err = errors.Join(err, n.doors.dht.Close())
	}
	if n.doors.lan != nil {
		err = errors.Join(err, n.doors.lan.Close())
	}
	return err
}

// limiter returns the limiter of bytes per second, nil for unlimited. Its burst
// is a twentieth of a second, but never less than what one request may take.
func limiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), max(int(bytesPerSecond/20), 2*content.BlockSize))
}

// fileFault gives an error of the file system its kind.
func fileFault(err error) error {
	switch {
	case err == nil || fault.KindOf(err) != fault.Other:
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Permission, err)
	case errors.Is(err, fs.ErrExist):
		return fault.Wrap(fault.Exists, err)
	}
	return err
}
