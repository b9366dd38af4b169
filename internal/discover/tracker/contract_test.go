package tracker_test

import (
	"context"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/discover"
	"tandem/internal/discover/discovertest"
	"tandem/internal/discover/tracker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContractHTTP(t *testing.T) {
	discovertest.Run(t, discovertest.Driver{
		Source:    "tracker",
		Withdraws: true,
		Network: func(t *testing.T) func(t *testing.T) discover.Finder {
			srv := httptest.NewServer(tracker.NewServer(eager))
			t.Cleanup(srv.Close)
			return clients([][]string{{srv.URL + "/announce"}})
		},
	})
}

func TestContractUDP(t *testing.T) {
	discovertest.Run(t, discovertest.Driver{
		Source:    "tracker",
		Withdraws: true,
		Network: func(t *testing.T) func(t *testing.T) discover.Finder {
			return clients([][]string{{"udp://" + serveUDP(t, eager, "127.0.0.1:0") + "/announce"}})
		},
	})
}

// eager lets clients come back soon.
var eager = tracker.ServerOptions{MinInterval: time.Millisecond}

func clients(tiers [][]string) func(t *testing.T) discover.Finder {
	return func(t *testing.T) discover.Finder {
		c, err := tracker.New(tiers, tracker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tracker.SetEarliest(c, 50*time.Millisecond)
		return c
	}
}

// serveUDP runs a UDP tracker until the test ends.
func serveUDP(t *testing.T, o tracker.ServerOptions, at string) string {
	conn, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tracker.NewServer(o).ServeUDP(ctx, conn) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn.LocalAddr().String()
}
