package wire

import (
	"net/netip"

	"tandem/internal/bencode"
	"tandem/internal/fault"
)

// MaxPEX is how many added, and how many dropped, peers are taken from one
// message and should be put into one (BEP 11).
const MaxPEX = 50

// PexFlags say what the sender knows of a peer.
type PexFlags uint8

// The flags of BEP 11.
const (
	PexEncryption PexFlags = 0x01 // prefers encryption
	PexSeed       PexFlags = 0x02 // a seed, or upload only
	PexUTP        PexFlags = 0x04
	PexHolepunch  PexFlags = 0x08
	PexReachable  PexFlags = 0x10 // the sender connected to it
)

// PexPeer is a peer the sender is connected to.
type PexPeer struct {
	Addr  netip.AddrPort
	Flags PexFlags
}

// PEX is the payload of ut_pex (BEP 11): what changed since the last one.
type PEX struct {
	Added   []PexPeer
	Dropped []netip.AddrPort
}

// AppendPEX appends the payload of p to dst. Keeping to MaxPEX is the caller's
// affair: it has to remember what it has told.
func AppendPEX(dst []byte, p *PEX) []byte {
	var added, dropped [2][]byte // IPv4, IPv6
	var flags [2][]byte
	for _, a := range p.Added {
		v := family(a.Addr)
		added[v] = appendCompact(added[v], a.Addr)
		flags[v] = append(flags[v], byte(a.Flags))
	}
	for _, a := range p.Dropped {
		v := family(a)
		dropped[v] = appendCompact(dropped[v], a)
	}
	return bencode.Append(dst, map[string]any{
		"added": added[0], "added.f": flags[0], "added6": added[1], "added6.f": flags[1],
		"dropped": dropped[0], "dropped6": dropped[1],
	})
}

// ParsePEX reads the payload of ut_pex. Addresses that lead nowhere (no port, no
// address, multicast, IPv4 written as IPv6) are left out, and so is what comes
// after MaxPEX. Flags count only if there is one for each peer.
func ParsePEX(b []byte) (PEX, error) {
	var p PEX
	d, err := decodeDict(b)
	if err != nil {
		return p, fault.Errorf(fault.Protocol, "peer exchange: %w", err)
	}
	for v, suffix := range [...]string{"", "6"} {
		size := compactLen[v]
		added, _ := bytesAt(d, "added"+suffix)
		dropped, _ := bytesAt(d, "dropped"+suffix)
		if len(added)%size != 0 || len(dropped)%size != 0 {
			return PEX{}, fault.Errorf(fault.Protocol, "peer exchange: addresses end within one")
		}
		flags, _ := bytesAt(d, "added"+suffix+".f")
		if len(flags)*size != len(added) {
			flags = make([]byte, len(added)/size)
		}
		for i := 0; i < len(flags) && len(p.Added) < MaxPEX; i++ {
			if a, ok := parseCompact(added[i*size : (i+1)*size]); ok {
				p.Added = append(p.Added, PexPeer{a, PexFlags(flags[i])})
			}
		}
		for ; len(dropped) > 0 && len(p.Dropped) < MaxPEX; dropped = dropped[size:] {
			if a, ok := parseCompact(dropped[:size]); ok {
				p.Dropped = append(p.Dropped, a)
			}
		}
	}
	return p, nil
}

// compactLen is the length of a compact address by family.
var compactLen = [2]int{6, 18}

func family(a netip.AddrPort) int {
	if a.Addr().Unmap().Is4() {
		return 0
	}
	return 1
}

func appendCompact(dst []byte, a netip.AddrPort) []byte {
	dst = append(dst, a.Addr().Unmap().AsSlice()...)
	return be.AppendUint16(dst, a.Port())
}

// parseCompact reads an address and a port, and reports whether they can lead
// anywhere.
func parseCompact(b []byte) (netip.AddrPort, bool) {
	n := len(b) - 2
	a, _ := netip.AddrFromSlice(b[:n])
	port := be.Uint16(b[n:])
	ok := port != 0 && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6()
	return netip.AddrPortFrom(a, port), ok
}
