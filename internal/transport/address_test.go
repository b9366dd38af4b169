package transport_test

import (
	"net/netip"
	"testing"

	"tandem/internal/transport"
)

func TestIsGlobal(t *testing.T) {
	tests := map[string]bool{
		"8.8.8.8": true, "1.0.0.1": true, "172.15.255.255": true, "172.32.0.1": true, "100.63.0.1": true,
		"100.128.0.1": true, "2001:4860:4860::8888": true, "::ffff:8.8.8.8": true, "2002:808:808::1": true,
		"64:ff9b::808:808": true,

		"0.0.0.0": false, "0.1.2.3": false, "127.0.0.1": false, "127.255.255.254": false, "10.0.0.1": false,
		"172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"100.127.255.255": false, "198.18.0.1": false, "224.0.0.1": false, "239.192.152.143": false,
		"240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false,
		"ff02::1": false, "fec0::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false,
		"::7f00:1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false,
		"2002:7f00:1::1": false, "2002:c0a8:101::1": false,
	}
	for text, want := range tests {
		if got := transport.IsGlobal(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if transport.IsGlobal(netip.Addr{}) {
		t.Error("no address at all is global")
	}
}
