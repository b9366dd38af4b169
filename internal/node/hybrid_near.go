package node

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// nearAge is how long the list of local networks counts.
const nearAge = 10 * time.Second

// Networks wider than these are no local network, whatever the mask says.
const (
	widest4 = 12
	widest6 = 48
)

// vicinity is the networks this machine is on.
type vicinity struct {
	mu    sync.Mutex // guards the fields below
	asked time.Time
	nets  []netip.Prefix
}

// near reports whether an address is on a network that this machine is on too.
func (n *Node) near(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsLinkLocalUnicast() {
		return true
	}
	n.vicinity.mu.Lock()
	defer n.vicinity.mu.Unlock()
	if now := n.clock(); n.vicinity.nets == nil || now.Sub(n.vicinity.asked).Abs() > nearAge {
		list, err := net.InterfaceAddrs()
		if err != nil {
			n.log.Warn("list interface addresses", "err", err)
		}
		n.vicinity.asked, n.vicinity.nets = now, localNets(list)
	}
	for _, p := range n.vicinity.nets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// localNets returns the networks of interface addresses. It is never nil.
func localNets(list []net.Addr) []netip.Prefix {
	nets := []netip.Prefix{}
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() {
			continue
		}
		widest, single := widest6, 128
		if p.Addr().Is4() {
			widest, single = widest4, 32
		}
		if p.Bits() >= widest && p.Bits() < single {
			nets = append(nets, p.Masked())
		}
	}
	return nets
}
