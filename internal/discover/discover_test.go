package discover_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"tandem/internal/discover"
)

func TestIsGlobal(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "203.0.113.9": true, "2606:4700::1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.1.1": false, "100.64.0.1": false, "224.0.0.1": false, "0.0.0.0": false,
		"0.1.2.3": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false,
		"ff02::1": false, "fec0::1": false,
		"::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true,
		"64:ff9b::10.0.0.1": false, "64:ff9b::8.8.8.8": true,
		"2002:7f00:1::": false, "2002:808:808::1": true,
	} {
		if got := discover.IsGlobal(netip.MustParseAddr(addr)); got != want {
			t.Errorf("IsGlobal(%s) = %v", addr, got)
		}
	}
	if discover.IsGlobal(netip.Addr{}) {
		t.Error("the zero address is global")
	}
}

func TestMayDial(t *testing.T) {
	for _, c := range []struct {
		name   string
		addr   string
		global bool
		want   bool
	}{
		{"a global source may name a global address", "8.8.8.8:1", true, true},
		{"a global source may not name loopback", "127.0.0.1:80", true, false},
		{"a global source may not name a private address", "192.168.0.1:80", true, false},
		{"a global source may not hide a private address in IPv6", "[::ffff:10.0.0.1]:80", true, false},
		{"a private source may name a private address", "10.0.0.2:6881", false, true},
		{"a private source may name loopback", "127.0.0.1:6881", false, true},
		{"nobody may name port zero", "8.8.8.8:0", false, false},
		{"nobody may name a multicast group", "239.192.152.143:6771", false, false},
		{"nobody may name the unspecified address", "0.0.0.0:80", false, false},
		{"nobody may name the broadcast address", "255.255.255.255:80", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := discover.MayDial(netip.MustParseAddrPort(c.addr), c.global); got != c.want {
				t.Fatalf("MayDial(%s, %v) = %v", c.addr, c.global, got)
			}
		})
	}
	if discover.MayDial(netip.AddrPort{}, false) {
		t.Error("the zero address may be dialled")
	}
}

func TestThrottleBansWhoSendsTooMuch(t *testing.T) {
	var th discover.Throttle
	now := time.Unix(0, 0)
	loud, neighbour, other := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("8.8.8.9"), netip.MustParseAddr("8.8.9.8")
	for range 50 {
		if !th.Allow(loud, now) {
			t.Fatal("refused within 50 packets")
		}
	}
	if th.Allow(loud, now) || th.Allow(neighbour, now) {
		t.Fatal("packet 51 from the same /24 was let through")
	}
	if !th.Allow(other, now) {
		t.Fatal("another network pays for it")
	}
	if th.Allow(loud, now.Add(4*time.Minute)) {
		t.Fatal("ban ended early")
	}
	if !th.Allow(loud, now.Add(5*time.Minute)) {
		t.Fatal("ban never ends")
	}
}

func TestThrottleKeepsAQuietSource(t *testing.T) {
	var th discover.Throttle
	now := time.Unix(0, 0)
	for i := range 1000 {
		if !th.Allow(netip.MustParseAddr("2606:4700::1"), now) {
			t.Fatalf("packet %d at 4 a second refused", i)
		}
		now = now.Add(250 * time.Millisecond)
	}
}

func TestThrottleTellsPrivateAddressesApart(t *testing.T) {
	var th discover.Throttle
	now := time.Unix(0, 0)
	for range 60 {
		th.Allow(netip.MustParseAddr("10.0.0.1"), now)
		if !th.Allow(netip.MustParseAddr("127.0.0.1"), now) {
			t.Fatal("loopback was throttled")
		}
	}
	if th.Allow(netip.MustParseAddr("10.0.0.1"), now) {
		t.Fatal("a loud private address was let through")
	}
	if !th.Allow(netip.MustParseAddr("10.0.0.2"), now) {
		t.Fatal("its neighbour pays for it")
	}
}

func TestThrottleForgetsTheOldest(t *testing.T) {
	var th discover.Throttle
	now := time.Unix(0, 0)
	first := netip.AddrFrom4([4]byte{1, 0, 0, 1})
	for range 60 {
		th.Allow(first, now)
	}
	for i := range 10_000 {
		th.Allow(netip.AddrFrom4([4]byte{2, byte(i >> 8), byte(i), 1}), now)
	}
	if !th.Allow(first, now) {
		t.Fatal("more than 10,000 sources are remembered")
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("torrent not registered")
	f.Add("\x1b[2J\x07 \u202e \xff")
	f.Add(strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, s string) {
		p := discover.Printable(s, 200)
		if !utf8.ValidString(p) || utf8.RuneCountInString(p) > 201 {
			t.Fatalf("%q", p)
		}
		for _, r := range p {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q let through in %q", r, p)
			}
		}
	})
}
