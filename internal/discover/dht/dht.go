// Package dht takes part in the main BitTorrent DHT.
//
// Source: BEP 5, 32 (IPv6), 43 (read-only nodes), through the library
// anacrolix/dht. Ours are the store of announced peers, what is let through to
// the library (see clean), the limits, and the rhythm of lookups: quick while
// few peers are known, so that a swarm forms within seconds in a network of
// two nodes as in the Internet. A node also answers for itself: asked from a
// private network for a key it takes part in, it counts its own address among
// the peers, and whoever announces such a key to it is found at once.
package dht

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	library "github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
	alog "github.com/anacrolix/log"
	"golang.org/x/time/rate"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

// Options of a DHT node.
type Options struct {
	// Conn is the UDP socket, owned by the DHT from now on. When nil, Addr
	// is listened at on the first use.
	Conn net.PacketConn
	Addr string // "host:port" or ":port"; ":0" when empty
	// Bootstrap are host:port of nodes to ask when no other is known. None is
	// contacted when it is empty; see DefaultBootstrap.
	Bootstrap []string
	StateFile string       // node ID and table between runs; none when empty
	Log       *slog.Logger // nil: none
}

const (
	queryTimeout = 2 * time.Second
	queryRate    = 60 // messages a second, beside the bytes guard counts
	maxPings     = 8  // of AddNode, at a time
	closeWait    = time.Second
	saveEvery    = 10 * time.Minute
)

// DHT is a node of the DHT. It is a discover.Finder.
type DHT struct {
	o       Options
	timeout time.Duration // of a query; shorter in tests
	pause   time.Duration // firstPause, shorter in tests
	pings   chan struct{} // tokens
	peers   *peers
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup // our goroutines, not the library's

	mu     sync.Mutex // guards the fields below
	server *library.Server
	guard  *guard
	boot   []library.Addr // resolved
	id     [idSize]byte
	closed bool
	err    error
	joins  map[content.SHA1]map[*joined]struct{}
	heard  map[netip.AddrPort]bool // nodes that asked us, the first few
}

// DefaultBootstrap returns the well-known routers of the main DHT.
func DefaultBootstrap() []string {
	return []string{
		"dht.libtorrent.org:25401",
		"router.bittorrent.com:6881",
		"dht.transmissionbt.com:6881",
		"router.utorrent.com:6881",
	}
}

// New returns a node that is silent until Start or the first Join.
func New(o Options) (*DHT, error) {
	if o.Addr == "" {
		o.Addr = ":0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, hostport := range o.Bootstrap {
		if host, _, err := net.SplitHostPort(hostport); err != nil || host == "" {
			return nil, fault.Errorf(fault.Invalid, "DHT bootstrap node %s: not host:port", discover.Printable(hostport, 80))
		}
	}
	d := &DHT{
		o:       o,
		timeout: queryTimeout,
		pause:   firstPause,
		pings:   make(chan struct{}, maxPings),
		joins:   make(map[content.SHA1]map[*joined]struct{}),
		heard:   make(map[netip.AddrPort]bool),
	}
	d.peers = &peers{now: time.Now, announced: d.announced}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Start opens the socket and begins to fill the node table. It does nothing
// when the node has started already. The error is of kind fault.Busy when the
// port is taken, fault.Closed after Close.
func (d *DHT) Start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return fault.Errorf(fault.Closed, "start DHT: closed")
	case d.server != nil:
		return nil
	}
	conn := d.o.Conn
	if conn == nil {
		var lc net.ListenConfig
		var err error
		if conn, err = lc.ListenPacket(ctx, "udp", d.o.Addr); err != nil {
			kind := fault.Other
			if errors.Is(err, syscall.EADDRINUSE) {
				kind = fault.Busy
			}
			d.err = fault.Errorf(kind, "start DHT: %w", err)
			return d.err
		}
	}
	d.guard = newGuard(conn)
	known := loadState(d.o.StateFile)
	d.id = known.id
	quiet := alog.NewLogger("dht")
	quiet.SetHandlers(alog.DiscardHandler)
	server, err := library.NewServer(&library.ServerConfig{
		NodeId:           known.id,
		Conn:             d.guard,
		StartingNodes:    d.startingNodes,
		NoSecurity:       true, // BEP 42: many nodes of the network do not follow it
		OnQuery:          d.queried,
		QueryResendDelay: func() time.Duration { return d.timeout },
		PeerStore:        d.peers,
		Logger:           quiet,
		DefaultWant:      []krpc.Want{krpc.WantNodes, krpc.WantNodes6},
		SendLimiter:      rate.NewLimiter(queryRate, queryRate),
	})
	if err != nil {
		d.guard.Close()
		return fault.Errorf(fault.Other, "start DHT: %w", err)
	}
	d.server, d.err = server, nil
	d.wg.Go(func() { d.maintain(server, known.nodes) })
	return nil
}

// startingNodes gives the library the resolved bootstrap nodes.
func (d *DHT) startingNodes() ([]library.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.boot, nil
}

// maintain fills the table and keeps it.
func (d *DHT) maintain(server *library.Server, known []knownNode) {
	// Not under mu: the library calls queried with its own lock held.
	for _, n := range known {
		ni := krpc.NodeInfo{ID: n.id}
		ni.Addr.FromAddrPort(n.addr)
		_ = server.AddNode(ni) // refused when its bucket is full
	}
	if !d.bootstrap(server) {
		return
	}
	kept := make(chan struct{})
	go func() { // waited for below, as long as a caller of Close may wait
		defer close(kept)
		// It pings and refreshes until the server is closed. The table is not
		// empty and nodes never leave it: with an empty one the library
		// would lose a goroutine in every round.
		server.TableMaintainer()
	}()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case <-save.C:
			d.save(server)
		case <-d.ctx.Done():
			d.save(server)
			server.Close()
			select {
			case <-kept:
			case <-time.After(closeWait): // a query of the library is in the air
			}
			return
		}
	}
}

// bootstrap asks the known and the bootstrap nodes until the table has a node.
// It returns false when the DHT was closed, with the server closed.
func (d *DHT) bootstrap(server *library.Server) bool {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		if server.NumNodes() == 0 {
			d.resolve()
		}
		if boot, _ := d.startingNodes(); len(boot) > 0 || server.NumNodes() > 0 {
			if _, err := server.BootstrapContext(d.ctx); err != nil {
				d.o.Log.Debug("fill the DHT table", "err", err)
			}
		}
		if server.NumNodes() > 0 {
			d.setErr(nil)
			d.kick()
			return true
		}
		d.setErr(errNoNode())
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-d.ctx.Done():
			t.Stop()
			server.Close()
			return false
		}
	}
}

func errNoNode() error { return fault.Errorf(fault.Unreachable, "no DHT node has answered") }

// resolve looks the bootstrap nodes up.
func (d *DHT) resolve() {
	ctx, cancel := context.WithTimeout(d.ctx, 10*time.Second)
	defer cancel()
	var boot []library.Addr
	for _, hostport := range d.o.Bootstrap {
		host, port, _ := net.SplitHostPort(hostport) // checked by New
		n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
		if err != nil {
			continue
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			d.o.Log.Debug("look up DHT bootstrap node", "host", host, "err", err)
			continue
		}
		for _, a := range addrs[:min(len(addrs), 4)] {
			boot = append(boot, library.NewAddr(net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.Unmap(), uint16(n)))))
		}
	}
	d.mu.Lock()
	d.boot = boot
	d.mu.Unlock()
}

func (d *DHT) save(server *library.Server) {
	if d.o.StateFile == "" {
		return
	}
	s := state{id: d.id}
	for _, n := range server.Nodes() {
		ip, ok := netip.AddrFromSlice(n.Addr.IP)
		if addr := netip.AddrPortFrom(ip.Unmap(), uint16(n.Addr.Port)); ok && discover.MayDial(addr, false) {
			s.nodes = append(s.nodes, knownNode{id: n.ID, addr: addr})
		}
	}
	if err := s.save(d.o.StateFile); err != nil {
		d.o.Log.Warn("save DHT nodes", "err", err)
	}
}

// AddNode tells of a node at addr (from a peer's PORT message or a link). It
// is asked once; before Start, or with many asked already, it is ignored.
func (d *DHT) AddNode(addr netip.AddrPort) {
	d.mu.Lock()
	server := d.server
	ok := server != nil && !d.closed && discover.MayDial(addr, false)
	if ok {
		select {
		case d.pings <- struct{}{}:
			d.wg.Add(1)
		default:
			ok = false
		}
	}
	d.mu.Unlock()
	if !ok {
		return
	}
	go func() {
		defer d.wg.Done()
		defer func() { <-d.pings }()
		addr = netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port())
		to := library.NewAddr(net.UDPAddrFromAddrPort(addr))
		// The answer puts the node into the table.
		if res := server.Query(d.ctx, to, "ping", library.QueryInput{NumTries: 2}); res.Err == nil {
			d.kick()
		}
	}()
}

// Port returns the UDP port, 0 before Start.
func (d *DHT) Port() uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guard == nil {
		return 0
	}
	addr, _ := d.guard.LocalAddr().(*net.UDPAddr)
	if addr == nil {
		return 0
	}
	return uint16(addr.Port)
}

// Nodes returns how many nodes the table holds.
func (d *DHT) Nodes() int {
	d.mu.Lock()
	server := d.server
	d.mu.Unlock()
	if server == nil {
		return 0
	}
	return server.NumNodes()
}

// Name implements discover.Finder.
func (d *DHT) Name() string { return "dht" }

// Err implements discover.Finder.
func (d *DHT) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *DHT) setErr(err error) {
	if d.ctx.Err() != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// Close implements discover.Finder. It saves the table.
func (d *DHT) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	guard := d.guard
	d.mu.Unlock()
	d.cancel()
	d.wg.Wait()
	if guard != nil {
		guard.Close() // the library has closed it, or is about to
	} else if d.o.Conn != nil {
		return d.o.Conn.Close()
	}
	return nil
}
