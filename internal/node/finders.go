package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"tandem/internal/discover"
	"tandem/internal/discover/dht"
	"tandem/internal/discover/lan"
	"tandem/internal/discover/portmap"
	"tandem/internal/discover/tracker"
	"tandem/internal/fault"
	"tandem/internal/transport"
)

// resolveTime bounds looking up the names of one item's peers.
const resolveTime = 5 * time.Second

// maxAddrs bounds the addresses in a link.
const maxAddrs = 8

// shared is a finder several items use: they must not close it.
type shared struct{ discover.Finder }

func (shared) Close() error { return nil }

// finders returns where an item looks for peers, and which of those it has to
// close itself. A private torrent is looked up at its trackers only (BEP 27).
func (n *Node) finders(ctx context.Context, p plan) (all, mine []discover.Finder, err error) {
	if len(p.trackers) > 0 {
		c, err := tracker.New(p.trackers, tracker.Options{
			UserAgent: "tandem/" + Version, Limit: n.trackers, Log: n.log,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("trackers: %w", err)
		}
		all, mine = append(all, c), append(mine, c)
	}
	if p.torrent != nil && p.torrent.Manifest.Private {
		return all, mine, nil
	}
	n.doors.mu.Lock()
	defer n.doors.mu.Unlock()
	if n.cfg.LAN {
		if n.doors.lan == nil {
			n.doors.lan = lan.New(lan.Options{Log: n.log})
		}
		all = append(all, shared{n.doors.lan})
	}
	if n.cfg.DHT && p.session != nil {
		all = append(all, &lazy{name: "dht", open: n.sharedDHT})
	} else if n.cfg.DHT {
		if n.doors.dht == nil {
			n.doors.dht, err = n.startDHT(ctx)
		}
		if err != nil { // one way less to find peers is no reason to fail
			n.log.Warn("dht", "err", err)
		} else {
			all = append(all, shared{n.doors.dht})
		}
	}
	return all, mine, nil
}

// sharedDHT returns the DHT, which it starts if need be.
func (n *Node) sharedDHT(context.Context) (discover.Finder, error) {
	n.doors.mu.Lock()
	defer n.doors.mu.Unlock()
	if n.ctx.Err() != nil {
		return nil, fault.Errorf(fault.Closed, "the node is stopping")
	}
	if n.doors.dht == nil {
		d, err := n.startDHT(n.ctx)
		if err != nil {
			return nil, err
		}
		n.doors.dht = d
	}
	return shared{n.doors.dht}, nil
}

// startDHT joins the DHT on the number of our TCP port, or on any when that is
// taken. It runs from the first share or get on, and not before.
func (n *Node) startDHT(ctx context.Context) (*dht.DHT, error) {
	boot := n.cfg.Bootstrap
	if boot == nil {
		boot = dht.DefaultBootstrap()
	}
	at := n.Addr()
	host := at.Addr().String()
	if at.Addr().IsUnspecified() {
		host = ""
	}
	for _, port := range []uint16{at.Port(), 0} {
		d, err := dht.New(dht.Options{
			Addr:      net.JoinHostPort(host, strconv.Itoa(int(port))),
			Bootstrap: boot, StateFile: filepath.Join(n.cfg.StateDir, "dht"), Log: n.log,
		})
		if err != nil {
			return nil, err
		}
		if err = d.Start(ctx); err == nil {
			return d, nil
		}
		_ = d.Close()
		if fault.KindOf(err) != fault.Busy || port == 0 {
			return nil, err
		}
	}
	return nil, fault.Errorf(fault.Busy, "no UDP port")
}

func (n *Node) dhtPort() uint16 {
	n.doors.mu.Lock()
	defer n.doors.mu.Unlock()
	if n.doors.dht == nil {
		return 0
	}
	return n.doors.dht.Port()
}

func (n *Node) addDHTNode(addr netip.AddrPort) {
	n.doors.mu.Lock()
	d := n.doors.dht
	n.doors.mu.Unlock()
	if d != nil {
		d.AddNode(addr)
	}
}

// mapPort asks the router for a way in, from the first share on.
func (n *Node) mapPort() {
	n.doors.mu.Lock()
	defer n.doors.mu.Unlock()
	if !n.cfg.PortMap || n.doors.mapper != nil || n.Addr().Addr().IsLoopback() {
		return
	}
	news := make(chan struct{}, 1)
	n.doors.news = news
	n.doors.mapper = portmap.New(portmap.Options{Log: n.log, OnChange: func(portmap.Status) {
		select {
		case news <- struct{}{}:
		default:
		}
	}})
	m := n.doors.mapper
	n.wait.Go(func() { m.Map(n.ctx, n.Addr().Port()) })
}

// mapped returns what the router said, after at most patience.
func (n *Node) mapped(ctx context.Context, patience time.Duration) portmap.Status {
	n.doors.mu.Lock()
	m, news := n.doors.mapper, n.doors.news
	n.doors.mu.Unlock()
	if m == nil {
		return portmap.Status{Text: "not asked"}
	}
	over := time.NewTimer(patience)
	defer over.Stop()
	for s := m.Status(); ; s = m.Status() {
		if s.Mapped {
			return s
		}
		select {
		case <-news:
		case <-over.C:
			return s
		case <-ctx.Done():
			return s
		}
	}
}

// addresses returns where others may reach us, best first: what the router
// mapped, global, private, and loopback only when there is nothing else.
func (n *Node) addresses(external netip.AddrPort) []netip.AddrPort {
	at := n.Addr()
	var out []netip.AddrPort
	if external.IsValid() {
		out = append(out, external)
	}
	if !at.Addr().IsUnspecified() {
		return append(out, at)
	}
	var classes [3][]netip.AddrPort // global, local, loopback
	list, err := net.InterfaceAddrs()
	if err != nil {
		n.log.Warn("list interface addresses", "err", err)
	}
	for _, a := range list {
		prefix, err := netip.ParsePrefix(a.String())
		addr := prefix.Addr().Unmap()
		if err != nil || addr.IsLinkLocalUnicast() || !addr.Is4() && at.Addr().Is4() {
			continue
		}
		class := 1
		switch {
		case addr.IsLoopback():
			class = 2
		case transport.IsGlobal(addr):
			class = 0
		}
		classes[class] = append(classes[class], netip.AddrPortFrom(addr, at.Port()))
	}
	out = append(append(out, classes[0]...), classes[1]...)
	if len(out) == 0 {
		out = classes[2]
	}
	return out[:min(len(out), maxAddrs)]
}

// global says whether we listen on an IPv4 address that needs no router's help.
func (n *Node) global() bool {
	return slices.ContainsFunc(n.addresses(netip.AddrPort{}), func(a netip.AddrPort) bool {
		return a.Addr().Is4() && transport.IsGlobal(a.Addr())
	})
}

// reachability says who can reach us, and what to do when not everybody can.
func (n *Node) reachability(s portmap.Status) string {
	at := n.Addr()
	if at.Addr().IsLoopback() {
		return "reachable from this machine only; to change that listen elsewhere: --listen :" + strconv.Itoa(int(at.Port()))
	}
	if s.Mapped && s.External.IsValid() {
		return fmt.Sprintf("reachable from outside at %s (%s)", s.External, s.Text)
	}
	for _, a := range n.addresses(netip.AddrPort{}) {
		if transport.IsGlobal(a.Addr()) {
			return fmt.Sprintf("reachable from outside at %s, if no firewall blocks TCP port %d", a, at.Port())
		}
	}
	text := s.Text
	if text == "" {
		text = "no router answered yet"
	}
	return fmt.Sprintf("reachable from this network, not from outside (router: %s); to change that forward TCP port %d on the router to this machine. Receivers that can be reached from outside help the others", text, at.Port())
}

// targets resolves "host:port" names, each once; what the user named may be any
// address.
func (n *Node) targets(ctx context.Context, peers []string, src *Source) ([]transport.Target, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	var out []transport.Target
	for _, p := range peers {
		host, port, err := net.SplitHostPort(p)
		number, perr := strconv.ParseUint(port, 10, 16)
		if err != nil || perr != nil || number == 0 {
			return nil, fault.Errorf(fault.Invalid, "peer %q is not HOST:PORT", p)
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, fault.Wrap(fault.Unreachable, fmt.Errorf("look up peer %s: %w", p, err))
		}
		for _, a := range addrs[:min(len(addrs), 4)] {
			out = append(out, transport.Target{
				Addr: netip.AddrPortFrom(a.Unmap(), uint16(number)), Audience: src.Audience, Key: src.Keys[0], Secret: src.secret,
				Guard: src.guard.contract(),
			})
		}
	}
	return out, nil
}
