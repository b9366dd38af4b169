//go:build linux

package real

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
)

// LAN is hosts on a switch of their own behind a router. They share the router's
// link to the star, are routed without address translation, and hear each other's
// multicast, which does not pass the router.
type LAN struct {
	// Router is the host whose link the LAN shares; what it sends leaves the LAN.
	Router *Host

	star   *Star
	number int

	mu    sync.Mutex
	hosts int
}

// LAN makes a local network that is joined to the star by a router behind link.
func (s *Star) LAN(ctx context.Context, link Link) (*LAN, error) {
	router, err := s.Add(ctx, link)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.lans++
	l := &LAN{Router: router, star: s, number: s.lans}
	s.mu.Unlock()
	err = ipBatch(ctx, router.ns,
		"link add br0 type bridge forward_delay 0 mcast_snooping 0",
		"addr add "+l.addr(1).String()+"/24 dev br0",
		"link set br0 up")
	if err == nil {
		// The star's hosts have no route to the LAN: the router answers for it.
		err = run(ctx, "ip", "netns", "exec", router.ns, "sysctl", "-q", "-w",
			"net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.proxy_arp=1",
			"net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
	}
	if err != nil {
		return nil, fmt.Errorf("make a local network: %w", err)
	}
	return l, nil
}

func (l *LAN) addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 78, byte(l.number), byte(i)})
}

// Add makes a host on the local network; link is its own cable, usually unshaped.
func (l *LAN) Add(ctx context.Context, link Link) (*Host, error) {
	l.mu.Lock()
	l.hosts++
	i := l.hosts
	l.mu.Unlock()
	name := "l" + strconv.Itoa(l.number) + "h" + strconv.Itoa(i)
	h := &Host{Name: name, Addr: l.addr(i + 1), ns: l.star.name + "-" + name, hub: l.Router.ns, port: "p" + strconv.Itoa(i)}
	l.star.mu.Lock()
	l.star.hosts = append(l.star.hosts, h)
	l.star.mu.Unlock()
	err := h.join(ctx, link,
		"addr add "+h.Addr.String()+"/24 dev eth0",
		"link set eth0 up",
		"route replace "+l.addr(0).String()+"/24 dev eth0 src "+h.Addr.String()+congestion,
		"route add default via "+l.addr(1).String()+congestion)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// AddN makes n hosts with equal cables.
func (l *LAN) AddN(ctx context.Context, n int, link Link) ([]*Host, error) {
	hosts := make([]*Host, n)
	for i := range hosts {
		h, err := l.Add(ctx, link)
		if err != nil {
			return nil, err
		}
		hosts[i] = h
	}
	return hosts, nil
}
