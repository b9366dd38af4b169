package metainfo_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
)

func ticket() *metainfo.Ticket {
	return &metainfo.Ticket{
		InfoHash: content.Hash{1, 31: 2},
		Secret:   [32]byte{3, 31: 4},
		Node:     peer.ID{5, 31: 6},
		Addrs:    []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:7777"), netip.MustParseAddrPort("[2001:db8::1]:1")},
		Trackers: []string{"http://tracker.example/announce"},
		Name:     "été.bin",
		NotAfter: time.Unix(1800000000, 0).UTC(),
	}
}

// The form of a ticket is part of what users hold in their hands: it stays.
const goldenTicket = "tandem:AQEAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAgAgAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQDACAFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABgQABsAAAgEeYQQAEiABDbgAAAAAAAAAAAAAAAEAAQUAH2h0dHA6Ly90cmFja2VyLmV4YW1wbGUvYW5ub3VuY2UGAAnDqXTDqS5iaW4HAAgAAAAAa0nSAPrW_RA"

func TestTicketForm(t *testing.T) {
	s := ticket().String()
	if s != goldenTicket {
		t.Errorf("the ticket is %s", s)
	}
	got, err := metainfo.ParseTicket(s)
	if err != nil || !reflect.DeepEqual(got, ticket()) {
		t.Fatalf("%+v, %v", got, err)
	}
	small := &metainfo.Ticket{InfoHash: content.Hash{1}}
	if got, err := metainfo.ParseTicket(small.String()); err != nil || !reflect.DeepEqual(got, small) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestTicketLeavesOutWhatDoesNotFit(t *testing.T) {
	k := ticket()
	k.Name = "../x"
	k.Addrs = []netip.AddrPort{
		{},
		netip.MustParseAddrPort("0.0.0.0:5"), netip.MustParseAddrPort("1.2.3.4:0"),
		netip.MustParseAddrPort("[::ffff:1.2.3.4]:5"), netip.MustParseAddrPort("1.2.3.4:5"), netip.MustParseAddrPort("[fe80::1%eth0]:5"),
	}
	k.Trackers = []string{"", "a b", strings.Repeat("x", 513), "http://t/", "http://t/"}
	for i := range 30 {
		k.Addrs = append(k.Addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, 9, 9, byte(i)}), 1))
		k.Trackers = append(k.Trackers, strings.Repeat("y", 500)+fmt.Sprint(i))
	}
	got, err := metainfo.ParseTicket(k.String())
	if err != nil || got.Name != "" || len(got.Addrs) != 16 || len(got.Trackers) != 8 {
		t.Fatalf("%+v, %v", got, err)
	}
	if fmt.Sprint(got.Addrs[:2]) != "[1.2.3.4:5 [fe80::1]:5]" || got.Trackers[0] != "http://t/" {
		t.Fatalf("%v %v", got.Addrs[:2], got.Trackers[0])
	}
}

func TestTicketComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := ticket()
		n := rapid.Int64Range(1, 253402300799).Draw(t, "notAfter")
		k.NotAfter = time.Unix(n, 0).UTC()
		k.Name = rapid.StringMatching(`[a-zé ]{1,20}`).Draw(t, "name")
		k.Addrs = nil
		for _, b := range rapid.SliceOfNDistinct(rapid.Byte(), 0, 16, rapid.ID[byte]).Draw(t, "addrs") {
			k.Addrs = append(k.Addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, 3, b}), 1+uint16(b)))
		}
		got, err := metainfo.ParseTicket(k.String())
		if err != nil || !reflect.DeepEqual(got, k) {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

// seal makes a ticket of raw fields, with a good checksum.
func seal(version byte, fields ...string) string {
	b := append([]byte{version}, strings.Join(fields, "")...)
	sum := sha256.Sum256(append([]byte("tandem/v1/ticket\x00"), b...))
	return "tandem:" + base64.RawURLEncoding.EncodeToString(append(b, sum[:4]...))
}

func field(tag byte, value string) string {
	return string([]byte{tag, byte(len(value) >> 8), byte(len(value))}) + value
}

// One byte over a multiple of three leaves four bits of the last character
// without a meaning.
func TestTicketHasNoSpareBits(t *testing.T) {
	for n := range 3 {
		k := &metainfo.Ticket{InfoHash: content.Hash{1}, Name: "abc"[:n+1]}
		s := k.String()
		last := strings.IndexByte(alphabet, s[len(s)-1])
		if len(s[len("tandem:"):])%4 == 0 {
			continue
		}
		if k, err := metainfo.ParseTicket(s[:len(s)-1] + alphabet[last+1:last+2]); k != nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestTicketIsRefused(t *testing.T) {
	hash, secret := field(1, strings.Repeat("h", 32)), field(2, strings.Repeat("s", 32))
	addr := field(4, "\x01\x02\x03\x04\x00\x05")
	if _, err := metainfo.ParseTicket(seal(1, hash, secret, addr)); err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for i := range 17 {
		addrs = append(addrs, field(4, "\x01\x02\x03"+string([]byte{byte(i)})+"\x00\x05"))
	}
	good := ticket().String()
	for name, in := range map[string]string{
		"nothing":                "",
		"another scheme":         "magnet:?xt=" + good,
		"scheme in capitals":     "TANDEM:" + good[7:],
		"only the scheme":        "tandem:",
		"cut":                    good[:len(good)-1],
		"a character changed":    good[:20] + "B" + good[21:],
		"a character more":       good + "A",
		"padding":                good + "=",
		"space in front":         " " + good,
		"line break inside":      good[:20] + "\n" + good[20:],
		"line break behind":      good + "\n",
		"not base64url":          good[:20] + "+" + good[21:],
		"too long":               "tandem:" + strings.Repeat("A", 8<<10),
		"version 0":              seal(0, hash, secret),
		"version 2":              seal(2, hash, secret),
		"no fields":              seal(1),
		"no secret":              seal(1, hash),
		"no info-hash":           seal(1, secret),
		"info-hash of zeros":     seal(1, field(1, strings.Repeat("\x00", 32)), secret),
		"info-hash cut":          seal(1, field(1, strings.Repeat("h", 31)), secret),
		"info-hash too long":     seal(1, field(1, strings.Repeat("h", 33)), secret),
		"out of order":           seal(1, secret, hash),
		"secret twice":           seal(1, hash, secret, secret),
		"node of zeros":          seal(1, hash, secret, field(3, strings.Repeat("\x00", 32))),
		"address of 5 bytes":     seal(1, hash, secret, field(4, "\x01\x02\x03\x04\x05")),
		"address without a port": seal(1, hash, secret, field(4, "\x01\x02\x03\x04\x00\x00")),
		"unspecified address":    seal(1, hash, secret, field(4, "\x00\x00\x00\x00\x00\x05")),
		"IPv4 written as IPv6":   seal(1, hash, secret, field(4, strings.Repeat("\x00", 10)+"\xff\xff\x01\x02\x03\x04\x00\x05")),
		"address twice":          seal(1, hash, secret, addr, addr),
		"17 addresses":           seal(1, append([]string{hash, secret}, addrs...)...),
		"empty tracker":          seal(1, hash, secret, field(5, "")),
		"tracker with a control": seal(1, hash, secret, field(5, "http://\x1b")),
		"name that is a path":    seal(1, hash, secret, field(6, "../x")),
		"empty name":             seal(1, hash, secret, field(6, "")),
		"not-after of 0":         seal(1, hash, secret, field(7, strings.Repeat("\x00", 8))),
		"not-after of 2^64-1":    seal(1, hash, secret, field(7, strings.Repeat("\xff", 8))),
		"not-after of 4 bytes":   seal(1, hash, secret, field(7, "\x01\x02\x03\x04")),
		"unknown field":          seal(1, hash, secret, field(99, "")),
		"field cut short":        seal(1, hash, secret, "\x06\x00\x05abc"),
		"field of 65,535 bytes":  seal(1, hash, secret, "\x06\xff\xffabc"),
		"half a field":           seal(1, hash, secret, "\x06\x00"),
	} {
		k, err := metainfo.ParseTicket(in)
		if k != nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v", name, k, err)
		} else if strings.Contains(err.Error(), "ssss") || len(in) > 40 && strings.Contains(err.Error(), in[10:40]) {
			t.Errorf("%s: the error quotes the ticket: %v", name, err)
		}
	}
}

func TestSwarmKeyIsOfTheSecretAlone(t *testing.T) {
	a, b := ticket(), ticket()
	b.InfoHash, b.Name, b.NotAfter = content.Hash{9}, "", time.Time{}
	if a.Key() != b.Key() {
		t.Error("the key depends on more than the secret")
	}
	b.Secret[0]++
	if a.Key() == b.Key() {
		t.Error("two secrets have one key")
	}
	// Computed apart: HMAC-SHA256 twice over, as RFC 5869 says.
	key := a.Key()
	if got := hex.EncodeToString(key[:]); got != goldenKey {
		t.Errorf("key is %s", got)
	}
}

const goldenKey = "9d193e1f5574769c5f8b8fb78cf2b1b3b941b85b"

func FuzzParseTicket(f *testing.F) {
	f.Add(ticket().String())
	f.Add(seal(1, field(1, strings.Repeat("h", 32)), field(2, strings.Repeat("s", 32))))
	f.Add("tandem:AQ")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := metainfo.ParseTicket(s); err == nil && k.String() != s {
			t.Fatalf("%q re-encodes as %q", s, k)
		}
	})
}

// FuzzTicketFields fuzzes what stands behind the checksum.
func FuzzTicketFields(f *testing.F) {
	raw, err := base64.RawURLEncoding.DecodeString(ticket().String()[7:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw[1 : len(raw)-4]))
	f.Fuzz(func(t *testing.T, fields string) {
		s := seal(1, fields)
		if k, err := metainfo.ParseTicket(s); err == nil && k.String() != s {
			t.Fatalf("%q re-encodes as %q", s, k)
		}
	})
}
