package peers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"tandem/internal/discover/tracker"
	"tandem/internal/lab/real"
)

// Tracker is tandem's own tracker, running in this process on a host.
type Tracker struct {
	URL string

	server *http.Server
	mu     sync.Mutex
	seeds  map[string]int // address to number of announces with nothing left
	wake   chan struct{}
}

// StartTracker serves HTTP announces at port 6969 of host.
func StartTracker(host *real.Host) (*Tracker, error) {
	l, err := host.Listen(6969)
	if err != nil {
		return nil, err
	}
	t := &Tracker{URL: "http://" + l.Addr().String() + "/announce", seeds: map[string]int{}, wake: make(chan struct{}, 1)}
	inner := tracker.NewServer(tracker.ServerOptions{Interval: 10 * time.Second, MinInterval: 2 * time.Second})
	t.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if r.URL.Query().Get("left") == "0" {
			ip, _, _ := net.SplitHostPort(r.RemoteAddr)
			t.mu.Lock()
			t.seeds[ip]++
			t.mu.Unlock()
			select {
			case t.wake <- struct{}{}:
			default:
			}
		}
	})}
	go func() { _ = t.server.Serve(l) }()
	return t, nil
}

// WaitSeed waits until the client on host has announced the whole content.
func (t *Tracker) WaitSeed(ctx context.Context, host *real.Host) error {
	for {
		t.mu.Lock()
		n := t.seeds[host.Addr.String()]
		t.mu.Unlock()
		if n > 0 {
			return nil
		}
		select {
		case <-t.wake:
		case <-ctx.Done():
			return fmt.Errorf("no seed announced from %s: %w", host.Name, ctx.Err())
		}
	}
}

// Close stops the tracker.
func (t *Tracker) Close() error { return t.server.Close() }
