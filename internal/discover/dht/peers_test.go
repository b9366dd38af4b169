package dht

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	peerstore "github.com/anacrolix/dht/v2/peer-store"
)

func at(addr string) krpc.NodeAddr {
	var na krpc.NodeAddr
	na.FromAddrPort(netip.MustParseAddrPort(addr))
	return na
}

func TestPeersOfOneAddressAreKept(t *testing.T) {
	p := &peers{now: time.Now}
	for _, a := range []string{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:2", "[2001:db8::1]:3"} {
		p.AddPeer(peerstore.InfoHash{1}, at(a))
	}
	if got := p.GetPeers(peerstore.InfoHash{1}); len(got) != 3 {
		t.Fatalf("%v", got)
	}
	if got := p.GetPeers(peerstore.InfoHash{2}); len(got) != 0 {
		t.Fatalf("%v", got)
	}
}

func TestBadPeersAreNotStored(t *testing.T) {
	p := &peers{now: time.Now}
	for _, na := range []krpc.NodeAddr{
		{},
		{IP: net.IP{1, 2, 3}, Port: 1},
		at("1.2.3.4:0"),
		{IP: net.IP{1, 2, 3, 4}, Port: 65536},
		{IP: net.IP{1, 2, 3, 4}, Port: -1},
		at("0.0.0.0:1"), at("224.0.0.1:1"),
	} {
		p.AddPeer(peerstore.InfoHash{1}, na)
	}
	if got := p.GetPeers(peerstore.InfoHash{1}); len(got) != 0 {
		t.Fatalf("%v", got)
	}
}

func TestStoredPeersExpire(t *testing.T) {
	now := time.Unix(0, 0)
	p := &peers{now: func() time.Time { return now }}
	p.AddPeer(peerstore.InfoHash{1}, at("10.0.0.1:1"))
	now = now.Add(peerLife)
	if len(p.GetPeers(peerstore.InfoHash{1})) != 1 {
		t.Fatal("gone early")
	}
	now = now.Add(time.Second)
	if len(p.GetPeers(peerstore.InfoHash{1})) != 0 {
		t.Fatal("still there")
	}
}

// Memory does not grow with what strangers announce (N26).
func TestStoredPeersAreBounded(t *testing.T) {
	p := &peers{now: time.Now}
	for i := range 600 {
		p.AddPeer(peerstore.InfoHash{1}, at(netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, byte(i >> 8), byte(i)}), 1).String()))
	}
	for port := range uint16(100) {
		p.AddPeer(peerstore.InfoHash{2}, at(netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, 8, 8}), port+1).String()))
	}
	of := func(k byte) []storedPeer { return p.index[[20]byte{k}].Value.(*stored).peers }
	if n := len(of(1)); n != maxKeyPeers {
		t.Fatalf("%d peers of one key", n)
	}
	if got := of(1)[maxKeyPeers-1].addr.Addr(); got != netip.AddrFrom4([4]byte{8, 8, 2, 87}) {
		t.Fatalf("the newest is %v", got)
	}
	if n := len(of(2)); n != maxPerAddr {
		t.Fatalf("%d ports of one address", n)
	}
	if n := len(p.GetPeers(peerstore.InfoHash{1})); n != maxPeersSent {
		t.Fatalf("%d peers in one reply", n)
	}
	for i := range 3000 {
		p.AddPeer(peerstore.InfoHash{3, byte(i >> 8), byte(i)}, at("8.8.8.8:1"))
	}
	if n := p.order.Len(); n != maxKeys || len(p.index) != maxKeys {
		t.Fatalf("%d keys", n)
	}
	if p.index[[20]byte{1}] != nil {
		t.Fatal("the oldest key was kept")
	}
}
