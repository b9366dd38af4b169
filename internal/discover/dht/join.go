package dht

import (
	"context"
	"iter"
	"net"
	"net/netip"
	"time"

	library "github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	firstPause    = 3 * time.Second // between lookups while few peers are known; doubles
	lastPause     = 5 * time.Minute
	wakePause     = time.Minute // what a wake shortens the pause to, when it is longer
	announceEvery = 15 * time.Minute
	enoughPeers   = 20          // of one lookup
	enoughNodes   = 8           // that an announce should reach
	nodePause     = time.Second // until a new node is asked, while few are known
	feedSize      = 64
	maxHeard      = 64
)

// joined is one Join in progress.
type joined struct {
	d     *DHT
	s     discover.Swarm
	found chan discover.Found
	feed  chan netip.AddrPort // peers that announced the key to this very node
	kick  chan struct{}       // a node has come into an empty or small table
}

// Join implements discover.Finder. It starts the node; while that fails, it
// tries again.
func (d *DHT) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] {
	return func(yield func(discover.Found) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(d.ctx, cancel)()
		j := &joined{
			d: d, s: s,
			found: make(chan discover.Found),
			feed:  make(chan netip.AddrPort, feedSize),
			kick:  make(chan struct{}, 1),
		}
		d.enter(j)
		defer d.leave(j)
		go func() {
			defer close(j.found)
			j.run(ctx)
		}()
		for f := range j.found {
			if !yield(f) {
				break
			}
		}
		cancel()
		for range j.found { // until the lookup in progress has ended
		}
	}
}

func (d *DHT) enter(j *joined) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.joins[j.s.Key] == nil {
		d.joins[j.s.Key] = make(map[*joined]struct{})
	}
	d.joins[j.s.Key][j] = struct{}{}
}

func (d *DHT) leave(j *joined) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.joins[j.s.Key], j)
	if len(d.joins[j.s.Key]) == 0 {
		delete(d.joins, j.s.Key)
	}
}

// kick tells the Joins that there is a new node to ask.
func (d *DHT) kick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, js := range d.joins {
		for j := range js {
			select {
			case j.kick <- struct{}{}:
			default:
			}
		}
	}
}

// announced hands a peer that announced itself here to the Joins of its key.
func (d *DHT) announced(key content.SHA1, addr netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for j := range d.joins[key] {
		select {
		case j.feed <- addr:
		default: // it will be found by lookup
		}
	}
}

// queried is called by the library for every query, before it answers, with
// the library's lock held.
func (d *DHT) queried(q *krpc.Msg, from net.Addr) bool {
	udp, ok := from.(*net.UDPAddr)
	if ok && d.isNew(udp.AddrPort()) {
		d.kick()
	}
	if !ok || q.Q != "get_peers" || q.A == nil {
		return true
	}
	key := content.SHA1(q.A.InfoHash)
	port := d.announcedPort(key)
	asker := udp.AddrPort()
	if port == 0 || discover.IsGlobal(asker.Addr()) {
		return true // nodes of the Internet are told by announce, with the address they see
	}
	if ip, ok := localAddr(asker); ok {
		d.peers.add(key, netip.AddrPortFrom(ip, port))
	}
	return true
}

// isNew reports whether a node at addr is heard for the first time. Only the
// first few matter: with more in the table nobody waits for another.
func (d *DHT) isNew(addr netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.heard[addr] || len(d.heard) >= maxHeard {
		return false
	}
	d.heard[addr] = true
	return true
}

// announcedPort returns the port under which we take part in key, 0 for none.
func (d *DHT) announcedPort(key content.SHA1) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	for j := range d.joins[key] {
		if j.s.Port != 0 {
			return j.s.Port
		}
	}
	return 0
}

// localAddr returns our address as somebody at addr sees it, if no router
// translates between us. Connecting a UDP socket sends nothing.
func localAddr(addr netip.AddrPort) (netip.Addr, bool) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return local.AddrPort().Addr().Unmap(), true
}

// run looks up and announces until ctx ends.
func (j *joined) run(ctx context.Context) {
	r := rhythm{announce: j.s.Port != 0, first: j.d.pause, node: j.d.pause / (firstPause / nodePause)}
	for ctx.Err() == nil {
		started := time.Now()
		o := j.round(ctx, r.announceNow(started))
		r.done(o, started)
		j.wait(ctx, &r, started)
	}
}

// wait passes on peers that announce themselves here until the next lookup is
// due.
func (j *joined) wait(ctx context.Context, r *rhythm, started time.Time) {
	timer := time.NewTimer(time.Until(started.Add(r.pause())))
	defer timer.Stop()
	wake := j.s.Wake
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case addr := <-j.feed:
			if j.isSelf(addr) {
				continue
			}
			j.emit(ctx, addr, discover.IsGlobal(addr.Addr()))
		case <-j.kick:
			if r.fewNodes {
				timer.Reset(time.Until(started.Add(r.node)))
			}
		case _, ok := <-wake:
			if !ok {
				wake = nil
				continue
			}
			timer.Reset(time.Until(started.Add(min(r.pause(), wakePause))))
		}
	}
}

// isSelf reports whether addr is the one we announced: nodes do not leave out
// the one asking. Our own address is where a packet to it starts from.
func (j *joined) isSelf(addr netip.AddrPort) bool {
	if addr.Port() != j.s.Port {
		return false
	}
	ip, ok := localAddr(addr)
	return ok && ip == addr.Addr()
}

func (j *joined) emit(ctx context.Context, addr netip.AddrPort, global bool) {
	select {
	case j.found <- discover.Found{Addr: addr, Source: "dht", Global: global}:
	case <-ctx.Done():
	}
}

// outcome of one lookup.
type outcome struct {
	nodes     int // that gave a token
	peers     int // distinct
	announced bool
}

// round looks the key up, and announces it to the closest nodes when announce
// is set.
func (j *joined) round(ctx context.Context, announce bool) (o outcome) {
	if err := j.d.Start(ctx); err != nil {
		return o
	}
	server := j.d.running()
	if server == nil {
		return o
	}
	var opts []library.AnnounceOpt
	if announce {
		opts = append(opts, library.AnnouncePeer(library.AnnouncePeerOpts{Port: int(j.s.Port)}))
	}
	if server.NumNodes() == 0 {
		j.d.setErr(errNoNode())
		return o
	}
	a, err := server.AnnounceTraversal(j.s.Key, opts...)
	if err != nil {
		j.d.setErr(fault.Errorf(fault.Unreachable, "DHT lookup: %w", err))
		return o
	}
	defer context.AfterFunc(ctx, a.Close)()
	seen := make(map[netip.AddrPort]bool)
	for values := range a.Peers {
		if values.Token != nil {
			o.nodes++
		}
		from, _ := netip.AddrFromSlice(values.Addr.IP)
		global := discover.IsGlobal(from)
		for _, p := range values.Peers {
			ip, _ := netip.AddrFromSlice(p.IP)
			addr := netip.AddrPortFrom(ip.Unmap(), uint16(p.Port))
			if seen[addr] || !discover.MayDial(addr, global) || j.isSelf(addr) {
				continue
			}
			seen[addr] = true
			j.emit(ctx, addr, global)
		}
	}
	<-a.Finished()
	o.peers, o.announced = len(seen), announce && ctx.Err() == nil
	if o.nodes > 0 {
		j.d.setErr(nil)
	} else {
		j.d.setErr(fault.Errorf(fault.Timeout, "no DHT node answered the lookup"))
	}
	return o
}

func (d *DHT) running() *library.Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	return d.server
}

// rhythm decides when to look up and when to announce.
type rhythm struct {
	first    time.Duration // firstPause, shorter in tests
	node     time.Duration // nodePause, shorter in tests
	announce bool          // at all
	fewNodes bool          // the last lookup reached few nodes: a new one is worth asking
	last     time.Time
	reached  int // nodes of the last announce
	quiet    int // lookups so far that found few peers
	many     bool
	none     int // lookups in a row that reached no node
}

// announceNow reports whether the lookup at now should announce too: every 15
// minutes, or sooner while the last announce reached few nodes.
func (r *rhythm) announceNow(now time.Time) bool {
	return r.announce && (r.last.IsZero() || r.reached < enoughNodes || now.Sub(r.last) >= announceEvery)
}

func (r *rhythm) done(o outcome, now time.Time) {
	if o.announced && o.nodes > 0 {
		r.last, r.reached = now, o.nodes
	}
	r.fewNodes = o.nodes < enoughNodes
	r.many = o.peers >= enoughPeers
	if o.nodes == 0 {
		r.none++
		return
	}
	r.none = 0
	if !r.many {
		r.quiet++
	}
}

// pause returns the time from the start of one lookup to the next.
func (r *rhythm) pause() time.Duration {
	switch {
	case r.none > 0:
		return discover.Backoff(r.node, r.none-1, time.Minute)
	case r.many:
		return lastPause
	}
	return discover.Backoff(r.first, r.quiet-1, lastPause)
}
