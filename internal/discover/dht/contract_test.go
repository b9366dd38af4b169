package dht_test

import (
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/discover"
	"tandem/internal/discover/dht"
	"tandem/internal/discover/discovertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	discovertest.Run(t, discovertest.Driver{Source: "dht", Network: network})
}

// network is a DHT of its own, whose nodes all know the first one.
func network(t *testing.T) func(t *testing.T) discover.Finder {
	router := start(t, dht.Options{Addr: "127.0.0.1:0"})
	return func(t *testing.T) discover.Finder {
		return start(t, dht.Options{Addr: "127.0.0.1:0", Bootstrap: []string{at(router).String()}})
	}
}

func start(t *testing.T, o dht.Options) *dht.DHT {
	d, err := dht.New(o)
	if err != nil {
		t.Fatal(err)
	}
	dht.Hurry(d, 300*time.Millisecond, 300*time.Millisecond)
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func at(d *dht.DHT) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), d.Port())
}
