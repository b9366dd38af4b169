package discover

import "net/netip"

// local are the ranges besides netip's own classes that are not the public
// Internet: shared address space of carriers, protocol assignments, benchmark
// networks, reserved.
var local = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("fec0::/10"),
}

// Prefixes whose addresses carry an IPv4 address: NAT64 in the last four
// bytes, 6to4 in bytes two to five.
var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	sixTo = netip.MustParsePrefix("2002::/16")
)

// IsGlobal reports whether a is a unicast address of the public Internet:
// neither loopback, link-local, private, carrier-shared, multicast, reserved
// nor unspecified. IPv4 addresses inside IPv6 ones are judged as such.
func IsGlobal(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	b := a.As16()
	switch {
	case nat64.Contains(a):
		a = netip.AddrFrom4([4]byte(b[12:16]))
	case sixTo.Contains(a):
		a = netip.AddrFrom4([4]byte(b[2:6]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range local {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// MayDial reports whether an address that somebody named may be contacted. It
// must be unicast with a port; when the source that named it is at a global
// address, it must be global too, since strangers must not steer us at our
// own network.
func MayDial(a netip.AddrPort, sourceGlobal bool) bool {
	ip := a.Addr().Unmap()
	if !ip.IsValid() || a.Port() == 0 || ip.IsUnspecified() || ip.IsMulticast() {
		return false
	}
	if ip.Is4() && (ip.As4()[0] == 0 || ip.As4()[0] >= 240) {
		return false
	}
	return !sourceGlobal || IsGlobal(ip)
}
