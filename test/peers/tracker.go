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
	seeds  map[string]bool     // addresses that announced with nothing left
	heard  map[string][]string // address to what it announced, in short
	wake   chan struct{}
}

// StartTracker serves HTTP announces at port 6969 of host.
func StartTracker(host *real.Host) (*Tracker, error) {
	l, err := host.Listen(6969)
	if err != nil {
		return nil, err
	}
	t := &Tracker{URL: "http://" + l.Addr().String() + "/announce", seeds: map[string]bool{}, heard: map[string][]string{}, wake: make(chan struct{}, 1)}
	inner := tracker.NewServer(tracker.ServerOptions{Interval: 10 * time.Second, MinInterval: 2 * time.Second})
	t.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		q := r.URL.Query()
		ip, _, _ := net.SplitHostPort(r.RemoteAddr)
		t.mu.Lock()
		t.heard[ip] = append(t.heard[ip], q.Get("event")+" left "+q.Get("left"))
		t.seeds[ip] = t.seeds[ip] || q.Get("left") == "0"
		t.mu.Unlock()
		select {
		case t.wake <- struct{}{}:
		default:
		}
	})}
	go func() { _ = t.server.Serve(l) }()
	return t, nil
}

// StartSeed starts a seeder and waits for its announcement. Tandem has one attempt.
// transmission-cli ends by itself, having said nothing, if it looks at its torrent
// just when that is between two of its states, which under load is every other
// time; libtorrent gives a tracker half a minute and then waits before it asks
// again. They are started again while less than twice within has passed: what they
// say to a tracker is not what is tested.
func (t *Tracker) StartSeed(ctx context.Context, kind Kind, job Job, within time.Duration) (*Proc, error) {
	begun := time.Now()
	for {
		p, err := Start(ctx, kind, job)
		if err != nil {
			return nil, err
		}
		if err = t.wait(ctx, p, within); err == nil {
			return p, nil
		}
		p.Kill()
		if kind == Tandem || time.Since(begun) > 2*within || ctx.Err() != nil {
			return nil, err
		}
	}
}

// wait waits until p has announced the whole content. An error tells what it
// announced instead, and the end of its log.
func (t *Tracker) wait(ctx context.Context, p *Proc, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	addr := p.Job.Host.Addr.String()
	for {
		t.mu.Lock()
		seeds, heard := t.seeds[addr], t.heard[addr]
		t.mu.Unlock()
		select {
		case <-p.exited:
			return fmt.Errorf("%s on %s ended: %v; it announced %q; %s", p.Kind, p.Job.Host.Name, p.err, heard, p.tail())
		default:
		}
		if seeds {
			return nil
		}
		select {
		case <-t.wake:
		case <-p.exited:
		case <-ctx.Done():
			return fmt.Errorf("%s on %s did not announce the whole content: %w; it announced %q; %s", p.Kind, p.Job.Host.Name, ctx.Err(), heard, p.tail())
		}
	}
}

// Close stops the tracker.
func (t *Tracker) Close() error { return t.server.Close() }
