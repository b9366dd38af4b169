package tracker

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tandem/internal/bencode"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	maxReply = 1 << 20 // bytes of an HTTP reply, decompressed
	maxPeers = 2000    // taken from one reply
	peer4    = 6       // bytes of a compact peer
	peer6    = 18
)

// reply is what a tracker answered.
type reply struct {
	interval    time.Duration // until the next announce; 0: not said
	minInterval time.Duration // least time until an early one; 0: not said
	trackerID   string        // to be sent back
	warning     string        // printable
	peers       []netip.AddrPort
}

// seconds converts what a tracker says, within a day.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 24*3600)) * time.Second
}

// parseReply reads the body of an HTTP reply. Unsorted keys are tolerated. A
// failure reason comes back as an error of kind fault.Refused, anything
// malformed as fault.Protocol.
func parseReply(body []byte) (reply, error) {
	v, err := bencode.Decode(body, bencode.Options{Unsorted: true, MaxDepth: 8, MaxTokens: 100_000})
	if err != nil {
		return reply{}, fault.Errorf(fault.Protocol, "tracker's answer: %w", err)
	}
	if v.Kind() != bencode.Dict {
		return reply{}, fault.Errorf(fault.Protocol, "tracker's answer is not a dictionary")
	}
	if reason, ok := v.Dict("failure reason"); ok {
		s, _ := reason.String()
		return reply{}, fault.Errorf(fault.Refused, "tracker says: %s", discover.Printable(s, maxReason))
	}
	var r reply
	r.interval = seconds(intOf(v, "interval"))
	r.minInterval = seconds(intOf(v, "min interval"))
	if id, ok := v.Dict("tracker id"); ok {
		if b, _ := id.Bytes(); len(b) <= 256 {
			r.trackerID = string(b)
		}
	}
	if w, ok := v.Dict("warning message"); ok {
		s, _ := w.String()
		r.warning = discover.Printable(s, maxReason)
	}
	if r.peers, err = replyPeers(v); err != nil {
		return reply{}, err
	}
	return r, nil
}

func intOf(v bencode.Value, key string) int64 {
	e, _ := v.Dict(key)
	n, _ := e.Int()
	return n
}

// replyPeers reads "peers", compact or as a list of dictionaries, and "peers6".
func replyPeers(v bencode.Value) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	if p, ok := v.Dict("peers"); ok {
		switch p.Kind() {
		case bencode.Bytes:
			b, _ := p.Bytes()
			peers, err := parsePeers(b, false)
			if err != nil {
				return nil, err
			}
			all = peers
		case bencode.List:
			all = listedPeers(p)
		default:
			return nil, fault.Errorf(fault.Protocol, "tracker's peers are neither a string nor a list")
		}
	}
	if p, ok := v.Dict("peers6"); ok {
		b, isBytes := p.Bytes()
		if !isBytes {
			return nil, fault.Errorf(fault.Protocol, "tracker's peers6 are not a string")
		}
		peers, err := parsePeers(b, true)
		if err != nil {
			return nil, err
		}
		all = append(all, peers...)
	}
	return all, nil
}

// listedPeers reads the dictionaries of BEP 3. Host names in them are passed
// over: a tracker must not make us look names up.
func listedPeers(list bencode.Value) []netip.AddrPort {
	items, _ := list.List()
	var peers []netip.AddrPort
	for _, item := range items {
		if len(peers) == maxPeers {
			break
		}
		ip, _ := item.Dict("ip")
		s, _ := ip.String()
		addr, err := netip.ParseAddr(s)
		port := intOf(item, "port")
		if err != nil || addr.Zone() != "" || port < 1 || port > 65535 {
			continue
		}
		peers = append(peers, netip.AddrPortFrom(addr.Unmap(), uint16(port)))
	}
	return peers
}

// parsePeers reads compact peers (BEP 23, BEP 7). Of more than 2,000 the rest
// is passed over; a length that does not divide is of kind fault.Protocol.
func parsePeers(b []byte, v6 bool) ([]netip.AddrPort, error) {
	size := peer4
	if v6 {
		size = peer6
	}
	if len(b)%size != 0 {
		return nil, fault.Errorf(fault.Protocol, "tracker's peers are %d bytes, not a multiple of %d", len(b), size)
	}
	peers := make([]netip.AddrPort, 0, min(len(b)/size, maxPeers))
	for ; len(b) > 0 && len(peers) < maxPeers; b = b[size:] {
		addr, _ := netip.AddrFromSlice(b[:size-2]) // 4 or 16 bytes: always one
		peers = append(peers, netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[size-2:])))
	}
	return peers, nil
}

// appendPeer appends p in compact form, 6 or 18 bytes.
func appendPeer(dst []byte, p netip.AddrPort) []byte {
	dst = append(dst, p.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(dst, p.Port())
}
