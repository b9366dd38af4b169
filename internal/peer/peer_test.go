package peer_test

import (
	"net/netip"
	"strings"
	"testing"

	"tandem/internal/peer"
)

func TestIDRoundTrip(t *testing.T) {
	id := peer.ID{1, 2, 3, 31: 0xff}
	got, err := peer.ParseID(id.String())
	if err != nil || got != id {
		t.Fatalf("ParseID(%q) = %v, %v", id, got, err)
	}
	for _, bad := range []string{"", strings.ToUpper(id.String()), id.String() + "a", id.String()[:51] + "b"} {
		if _, err := peer.ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) accepted", bad)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(peer.ID{9}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := peer.ParseID(s); err == nil && id.String() != s {
			t.Fatalf("%q re-encodes as %q", s, id)
		}
	})
}

func TestKeyPrefersTheVerifiedID(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2")
	id := peer.ID{7}
	if peer.KeyOf(id, [20]byte{1}, a) != peer.KeyOf(id, [20]byte{2}, b) {
		t.Error("one identity at two addresses has two keys")
	}
	if peer.KeyOf(peer.ID{}, [20]byte{1}, a) == peer.KeyOf(peer.ID{}, [20]byte{2}, a) {
		t.Error("two anonymous peers behind one address share a key")
	}
}

func TestAudiences(t *testing.T) {
	for _, a := range []peer.Audience{peer.Public, peer.Link} {
		if got, err := peer.ParseAudience(a.String()); err != nil || got != a {
			t.Errorf("ParseAudience(%q) = %v, %v", a, got, err)
		}
	}
	for _, a := range []peer.Audience{peer.Public, peer.Link, peer.Network} {
		if got, ok := peer.AudienceNamed(a.String()); !ok || got != a {
			t.Errorf("AudienceNamed(%q) = %v, %v", a, got, ok)
		}
	}
	for _, bad := range []string{"everyone", "none", "", "network"} {
		if _, err := peer.ParseAudience(bad); err == nil {
			t.Errorf("audience %q may be chosen", bad)
		}
		if _, ok := peer.AudienceNamed(bad); ok && bad != "network" {
			t.Errorf("there is an audience %q", bad)
		}
	}
}
