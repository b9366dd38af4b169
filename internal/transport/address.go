package transport

import "net/netip"

// Prefixes that netip has no word for.
var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	sharedNAT   = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598, carrier-grade NAT
	benchmark   = netip.MustParsePrefix("198.18.0.0/15")
	reserved    = netip.MustParsePrefix("240.0.0.0/4") // with the broadcast address
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local  = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour   = netip.MustParsePrefix("2002::/16")
	siteLocal   = netip.MustParsePrefix("fec0::/10")
	compatible  = netip.MustParsePrefix("::/96") // an IPv4 address, as once written
)

// IsGlobal reports whether addr leads out of local networks: it is not
// loopback, link-local, private, shared by a carrier, multicast, unspecified or
// reserved, and neither is an IPv4 address packed into it.
func IsGlobal(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	if addr.Is4() {
		return !thisNetwork.Contains(addr) && !sharedNAT.Contains(addr) &&
			!benchmark.Contains(addr) && !reserved.Contains(addr)
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return IsGlobal(netip.AddrFrom4([4]byte(b[12:16])))
	case sixToFour.Contains(addr):
		return IsGlobal(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return !nat64Local.Contains(addr) && !siteLocal.Contains(addr) && !compatible.Contains(addr)
}
