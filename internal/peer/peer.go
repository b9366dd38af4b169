// Package peer says who is on the other side of a connection: an identity, the
// addresses it may be reached at, and the audience it was admitted for.
package peer

import (
	"encoding/base32"
	"fmt"
	"net/netip"
	"strings"
)

// ID is a node's raw Ed25519 public key. The zero ID is an anonymous
// BitTorrent peer, about which nothing is proven.
type ID [32]byte

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// IsZero reports whether id is the anonymous peer.
func (id ID) IsZero() bool { return id == ID{} }

// String returns id in lower-case base32, 52 characters.
func (id ID) String() string { return idEncoding.EncodeToString(id[:]) }

// Short returns the first eight characters of String, for people.
func (id ID) Short() string { return id.String()[:8] }

// ParseID reads the form String writes. It accepts no other spelling.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := idEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("peer ID %q is not 52 characters of lower-case base32", s)
	}
	copy(id[:], b)
	if id.String() != s { // unused trailing bits must be zero
		return ID{}, fmt.Errorf("peer ID %q is not canonical", s)
	}
	return id, nil
}

// Audience says for whom a share is served and for what a connection was
// admitted. A share of one audience is never served over a connection admitted
// for another.
type Audience uint8

// The audiences.
const (
	Public  Audience = 1 // any BitTorrent client; nothing is enforced
	Link    Audience = 2 // whoever holds the ticket
	Network Audience = 3 // whom one server has signed a capability for
)

// String returns the audience as flags and --json spell it.
func (a Audience) String() string {
	switch a {
	case Public:
		return "public"
	case Link:
		return "link"
	case Network:
		return "network"
	}
	return "none"
}

// ParseAudience reads the form String writes of an audience that somebody may choose
// for a share. Nobody chooses network: a server gives it to what its accounts may read.
func ParseAudience(s string) (Audience, error) {
	if a, ok := AudienceNamed(strings.ToLower(s)); ok && a != Network {
		return a, nil
	}
	return 0, fmt.Errorf("audience %q is not link or public", s)
}

// AudienceNamed reads the form String writes of any audience, as servers say it.
func AudienceNamed(s string) (Audience, bool) {
	for _, a := range [...]Audience{Public, Link, Network} {
		if a.String() == s {
			return a, true
		}
	}
	return 0, false
}

// Key identifies a peer for bans, limits, statistics and duplicate checks: the
// verified ID when there is one, otherwise the BitTorrent peer ID together with
// the address. Never the IP address alone: many peers behind one NAT, or on
// 127.0.0.1, are normal.
type Key struct {
	ID   ID             // zero when anonymous
	BT   [20]byte       // BitTorrent peer ID; zero when ID is set
	Addr netip.AddrPort // without port for incoming connections; zero when ID is set
}

// KeyOf returns the key of a peer.
func KeyOf(id ID, bt [20]byte, addr netip.AddrPort) Key {
	if !id.IsZero() {
		return Key{ID: id}
	}
	return Key{BT: bt, Addr: netip.AddrPortFrom(addr.Addr().Unmap(), 0)}
}

// String names the peer for logs and status lines.
func (k Key) String() string {
	if !k.ID.IsZero() {
		return k.ID.Short()
	}
	return fmt.Sprintf("%s/%s", k.Addr.Addr(), printable(k.BT[:8]))
}

func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if c < 0x21 || c > 0x7e {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}
