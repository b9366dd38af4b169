package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"tandem/internal/fault"
)

// The multicast groups of BEP 14.
const (
	group4 = "239.192.152.143:6771"
	group6 = "[ff15::efc0:988f]:6771"
)

// conn is one multicast group on all interfaces of the machine. It is an
// interface for the tests, whose machines have no multicast.
type conn interface {
	// Group is what the Host header says.
	Group() string
	// Read returns the next datagram and who sent it. It fails for good after
	// Close, otherwise for this datagram.
	Read(b []byte) (int, netip.AddrPort, error)
	// Send sends b out of every interface. The error is nil when one worked.
	// It is called by one goroutine.
	Send(b []byte) error
	// Near reports whether addr is on a network of one of our interfaces.
	Near(addr netip.Addr) bool
	Close() error
}

// multicast is a conn on the network.
type multicast struct {
	net.PacketConn
	group string
	to    *net.UDPAddr
	p4    *ipv4.PacketConn // one of them is set
	p6    *ipv6.PacketConn
}

// listen joins one group. The error is of kind fault.Unreachable when no
// interface can multicast.
func listen(ctx context.Context, group string) (conn, error) {
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(group))
	network := "udp6"
	if to.IP.To4() != nil {
		network = "udp4"
	}
	// For a multicast address the net package shares the port with other
	// programs and binds to all interfaces.
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, network, group)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err)
	}
	m := &multicast{PacketConn: pc, group: group, to: to}
	if network == "udp4" {
		m.p4 = ipv4.NewPacketConn(pc)
	} else {
		m.p6 = ipv6.NewPacketConn(pc)
	}
	if len(m.join()) == 0 {
		pc.Close()
		return nil, fault.Errorf(fault.Unreachable, "no interface takes part in %s", group)
	}
	return m, nil
}

// interfaces returns those that are up and can multicast.
func interfaces() []net.Interface {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var usable []net.Interface
	for _, i := range all {
		const want = net.FlagUp | net.FlagMulticast
		if i.Flags&want == want && i.Flags&net.FlagLoopback == 0 {
			usable = append(usable, i)
		}
	}
	return usable
}

// join joins the group on every interface, also on those that came up since
// the last call, and returns those it is joined on. Joining twice fails
// without harm.
func (m *multicast) join() []net.Interface {
	var joined []net.Interface
	for _, i := range interfaces() {
		addrs, err := i.Addrs()
		if err != nil || !m.hasFamily(addrs) {
			continue
		}
		if m.p4 != nil {
			_ = m.p4.JoinGroup(&i, m.to)
		} else {
			_ = m.p6.JoinGroup(&i, m.to)
		}
		joined = append(joined, i)
	}
	return joined
}

func (m *multicast) hasFamily(addrs []net.Addr) bool {
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && (n.IP.To4() != nil) == (m.p4 != nil) {
			return true
		}
	}
	return false
}

func (m *multicast) Group() string { return m.group }

func (m *multicast) Read(b []byte) (int, netip.AddrPort, error) {
	n, from, err := m.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, fault.Errorf(fault.Protocol, "datagram from nowhere")
	}
	return n, udp.AddrPort(), nil
}

func (m *multicast) Send(b []byte) error {
	var errs []error
	sent := 0
	for _, i := range m.join() {
		var err error
		if m.p4 != nil {
			err = m.p4.SetMulticastInterface(&i)
		} else {
			err = m.p6.SetMulticastInterface(&i)
		}
		if err == nil {
			_, err = m.WriteTo(b, m.to)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sent++
	}
	switch {
	case sent > 0:
		return nil
	case len(errs) == 0:
		return fault.Errorf(fault.Unreachable, "no interface takes part in %s", m.group)
	}
	return fault.Wrap(fault.Unreachable, errors.Join(errs...))
}

func (m *multicast) Near(addr netip.Addr) bool {
	for _, i := range interfaces() {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.Contains(addr.AsSlice()) {
				return true
			}
		}
	}
	return false
}
