package mem_test

import (
	"net/netip"
	"testing"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/mem"
	"tandem/internal/transport/transporttest"
)

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
	addrC = netip.MustParseAddr("10.0.0.3")
)

var (
	public = transport.Target{Audience: peer.Public, Key: content.SHA1{7}}
	link   = transport.Target{Audience: peer.Link, Key: content.SHA1{8}, Secret: transport.Secret{5}}
)

func TestContract(t *testing.T) {
	tests := []struct {
		name   string
		target transport.Target
		key    bool
	}{
		{"public", public, false},
		{"public, encrypted", transport.Target{Audience: peer.Public, Key: content.SHA1{7}, MSE: true}, true},
		{"link", link, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Rig {
				n := mem.NewNet()
				a, b := n.Host(addrA), n.Host(addrB)
				to := tt.target
				if to.Audience == peer.Link {
					to.Want = b.ID()
				}
				return transporttest.Rig{
					Dialer: a, Listener: b, DialerID: a.ID(), ListenerID: b.ID(),
					Addr: ":0", Target: to, Path: transport.PathMem, KeyIn: tt.key, KeyOut: tt.key,
				}
			})
		})
	}
}
