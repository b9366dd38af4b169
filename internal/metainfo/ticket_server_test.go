package metainfo_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
)

func serverKey(seed byte) (ed25519.PrivateKey, peer.ID) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return key, peer.ID(key.Public().(ed25519.PublicKey))
}

// bearer is the capability that a server puts into ticket().
func bearer() capability.Capability {
	_, server := serverKey(7)
	return capability.Capability{
		Server: server, Share: ticket().InfoHash, Rights: capability.Fetch | capability.Serve, Source: capability.Source{8},
		Issued: time.Unix(1790000000, 0).UTC(), NotAfter: time.Unix(1790604800, 0).UTC(),
	}
}

func sign(t testing.TB, c interface {
	Sign(ed25519.PrivateKey) ([]byte, error)
}, seed byte,
) []byte {
	key, _ := serverKey(seed)
	doc, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func serverTicket(t testing.TB) *metainfo.Ticket {
	k := ticket()
	k.Server, k.Capability = bearer().Server, sign(t, bearer(), 7)
	return k
}

func TestTicketOfAServerComesBack(t *testing.T) {
	s := serverTicket(t).String()
	if s != goldenServerTicket {
		t.Errorf("the ticket is %s", s)
	}
	got, err := metainfo.ParseTicket(s)
	if err != nil || !reflect.DeepEqual(got, serverTicket(t)) {
		t.Fatalf("%+v, %v", got, err)
	}
}

const goldenServerTicket = "tandem:AQEAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAgAgAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQDACAFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABgQABsAAAgEeYQQAEiABDbgAAAAAAAAAAAAAAAEAAQUAH2h0dHA6Ly90cmFja2VyLmV4YW1wbGUvYW5ub3VuY2UGAAnDqXTDqS5iaW4HAAgAAAAAa0nSABAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIsEQCqAQEg6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iwgAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIAAQMQCAAAAAAAAAAAAAAAAAAAAAgAAAAAarE7gAgAAAAAarp2AE_T_WmpiheUxtYR6YR99vifWtWt5NFZhUlWHSVib6dmVtRep32JO0h69bWZvRuSyA3D4Weq5dUnwKTIYyZqMwsmwG37"

func TestTicketOfAServerIsRefused(t *testing.T) {
	hash, secret := field(1, string(ticket().InfoHash[:])), field(2, strings.Repeat("s", 32))
	doc := string(sign(t, bearer(), 7))
	_, id := serverKey(7)
	server := field(16, string(id[:]))
	_, evil := serverKey(9)
	if _, err := metainfo.ParseTicket(seal(1, hash, secret, server, field(17, doc))); err != nil {
		t.Fatal(err)
	}
	otherShare, oneNode := bearer(), bearer()
	otherShare.Share, oneNode.Node = content.Hash{9}, peer.ID{9}
	denial := capability.Denial{Server: id, Issued: bearer().Issued, NotAfter: bearer().NotAfter}
	for name, in := range map[string]string{
		"a server alone":              seal(1, hash, secret, server),
		"a capability alone":          seal(1, hash, secret, field(17, doc)),
		"the reverse order":           seal(1, hash, secret, field(17, doc), server),
		"a server of zeros":           seal(1, hash, secret, field(16, strings.Repeat("\x00", 32)), field(17, doc)),
		"a server of 31 bytes":        seal(1, hash, secret, field(16, string(id[:31])), field(17, doc)),
		"another server":              seal(1, hash, secret, field(16, string(evil[:])), field(17, doc)),
		"an empty capability":         seal(1, hash, secret, server, field(17, "")),
		"a capability of 513 bytes":   seal(1, hash, secret, server, field(17, strings.Repeat("x", 513))),
		"a capability cut short":      seal(1, hash, secret, server, field(17, doc[:len(doc)-1])),
		"a changed byte":              seal(1, hash, secret, server, field(17, doc[:100]+"\xff"+doc[101:])),
		"one for another share":       seal(1, hash, secret, server, field(17, string(sign(t, otherShare, 7)))),
		"one for a single node":       seal(1, hash, secret, server, field(17, string(sign(t, oneNode, 7)))),
		"a denial":                    seal(1, hash, secret, server, field(17, string(sign(t, denial, 7)))),
		"the info-hash exchanged":     seal(1, field(1, strings.Repeat("h", 32)), secret, server, field(17, doc)),
		"two capabilities of a share": seal(1, hash, secret, server, field(17, doc), field(17, doc)),
	} {
		if k, err := metainfo.ParseTicket(in); k != nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
}

// An expired ticket is read: who has the clock says that it has expired.
func TestTicketsTimesAreNotLookedAt(t *testing.T) {
	k, c := serverTicket(t), bearer()
	c.Issued, c.NotAfter = time.Unix(1, 0), time.Unix(2, 0)
	k.Capability = sign(t, c, 7)
	if _, err := metainfo.ParseTicket(k.String()); err != nil {
		t.Error(err)
	}
}

func TestTicketLeavesOutHalfAServer(t *testing.T) {
	for _, change := range []func(k *metainfo.Ticket){
		func(k *metainfo.Ticket) { k.Server = peer.ID{} },
		func(k *metainfo.Ticket) { k.Capability = nil },
		func(k *metainfo.Ticket) { k.Capability = make([]byte, 513) },
	} {
		k := serverTicket(t)
		change(k)
		if k.String() != goldenTicket {
			t.Errorf("the ticket is %s", k)
		}
	}
}

func addr6(i byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: i}), 65535)
}

// The largest ticket there is stays below what a reader takes.
func TestLargestTicketIsRead(t *testing.T) {
	k := serverTicket(t)
	k.Name = strings.Repeat("n", 240)
	k.Addrs, k.Trackers = nil, nil
	for i := range byte(16) {
		k.Addrs = append(k.Addrs, addr6(i))
	}
	for i := range 8 {
		k.Trackers = append(k.Trackers, strings.Repeat(string(rune('a'+i)), 512))
	}
	got, err := metainfo.ParseTicket(k.String())
	if err != nil || !reflect.DeepEqual(got, k) {
		t.Fatalf("%d characters: %v", len(k.String()), err)
	}
}

func TestSplitLink(t *testing.T) {
	k := serverTicket(t).String()
	const url, magnet = "https://host.example/s/TOKEN", "magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&tr=http%3A%2F%2Ft"
	tests := []struct{ name, text, url, fragment string }{
		{"a ticket behind a URL", url + "#" + k, url, k},
		{"a magnet link behind a URL", url + "#" + magnet, url, magnet},
		{"a URL alone", url, url, ""},
		{"a URL with nothing behind its #", url + "#", url, ""},
		{"a place on a page", url + "#files", url, ""},
		{"a scheme in capitals", "HTTPS://HOST/s/T#" + k, "HTTPS://HOST/s/T", k},
		{"a port and plain HTTP", "http://127.0.0.1:8080/s/T#" + k, "http://127.0.0.1:8080/s/T", k},
		{"a ticket alone is no URL", k, "", ""},
		{"a magnet link alone is no URL", magnet, "", ""},
		{"a path with a # is no URL", "dir/#" + k, "", ""},
		{"nothing", "", "", ""},
	}
	for _, tt := range tests {
		if url, fragment := metainfo.SplitLink(tt.text); url != tt.url || fragment != tt.fragment {
			t.Errorf("%s: %q, %q", tt.name, url, fragment)
		}
	}
}

// FuzzTicketOfAServer fuzzes what stands behind the checksum and the signature.
func FuzzTicketOfAServer(f *testing.F) {
	raw, err := base64.RawURLEncoding.DecodeString(serverTicket(f).String()[7:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw[1 : len(raw)-4]))
	f.Fuzz(func(t *testing.T, fields string) {
		s := seal(1, fields)
		k, err := metainfo.ParseTicket(s)
		if err == nil && (k.String() != s || k.Server.IsZero() != (k.Capability == nil)) {
			t.Fatalf("%q re-encodes as %q", s, k)
		}
	})
}

// Computed apart: the last vector of docs/protocol/capability.md.
func TestSwarmKeyOfANetworkShare(t *testing.T) {
	_, server := serverKey(0x11)
	key := metainfo.SwarmKey(capability.NetworkSecret(server, content.Hash(bytes.Repeat([]byte{0x22}, 32))))
	if got := hex.EncodeToString(key[:]); got != "6aa018cf7c5ec49b08adacc0d786fb9a9ea5fd2e" {
		t.Errorf("the key is %s", got)
	}
}
