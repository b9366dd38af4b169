package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// limited serves o on a real port with a budget, and returns how to get a path from there.
func (o *house) limited(t *testing.T, b origin.Budget) (get func(path string, header ...string) (*http.Response, error)) {
	t.Helper()
	o.Handler.cfg.Gate = origin.NewGate(o.server, b, nil)
	l := listener(t)
	serveOn(t, l, o.Handler)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return func(path string, header ...string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+l.Addr().String()+path, nil)
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return transport.RoundTrip(r)
	}
}

// take reads an answer's body.
func take(res *http.Response, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("status %s", res.Status)
	}
	_ = res.Body.Close()
	return n, err
}

// A crowd of browsers gets all of what it asked for, no faster than the budget, in every form that content has.
func TestBrowsersWaitForTheBudget(t *testing.T) {
	const rate, size = 2 << 20, 300_000
	o := newDiskHouse(t)
	o.put("album/a.bin", strings.Repeat("x", size))
	_, token := o.link(api.NewLink{Path: "album"})
	get := o.limited(t, origin.Budget{Rate: rate, Conns: 3})
	var all sync.WaitGroup
	begin := time.Now()
	var mu sync.Mutex
	var sum int64
	for _, path := range []string{"files/a.bin", "files/a.bin", "download", "download", "seed/album/a.bin"} {
		all.Go(func() {
			n, err := take(get("/s/" + token + "/" + path))
			if err != nil || n < size {
				t.Errorf("%s: %d bytes, %v", path, n, err)
			}
			mu.Lock()
			sum += n
			mu.Unlock()
		})
	}
	all.Wait()
	took := time.Since(begin)
	if least := time.Duration(float64(sum-256<<10) / rate * float64(time.Second)); took < least {
		t.Errorf("%d bytes in %v, less than %v", sum, took, least)
	}
	if n := o.Handler.cfg.Gate.Waiting(); n != 0 {
		t.Errorf("%d wait for nobody", n)
	}
}

// Who waits for the budget knows that it is being served, and is cut when its permission ends.
func TestWaitingIsCutWithThePermission(t *testing.T) {
	o := newDiskHouse(t)
	o.put("a.bin", strings.Repeat("x", 1<<20))
	link, token := o.link(api.NewLink{Path: "a.bin"})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.server.Run(ctx) }()
	defer func() {
		end()
		check(t, <-ended)
	}()
	get := o.limited(t, origin.Budget{Rate: 1024})
	first, err := get("/s/" + token + "/download")
	check(t, err)
	second, err := get("/s/" + token + "/download")
	check(t, err)
	if first.StatusCode != 200 || second.StatusCode != 200 || second.ContentLength != 1<<20 {
		t.Errorf("%s, %s", first.Status, second.Status)
	}
	o.do("ann", "DELETE", fmt.Sprintf("links/%d", link.ID), nil).want(204)
	for _, res := range []*http.Response{first, second} {
		if n, err := take(res, nil); err == nil || n > 256<<10 {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
}

// Under a budget too the kernel sends files by itself.
func TestTheKernelSendsUnderABudget(t *testing.T) {
	const size = 4 << 20
	o := newDiskHouse(t)
	o.put("a.bin", strings.Repeat("x", size))
	o.Handler.cfg.Gate = origin.NewGate(o.server, origin.Budget{Rate: 1 << 30}, nil)
	l := &tapped{TCPListener: listener(t)}
	serveOn(t, l, o.Handler)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+l.Addr().String()+"/api/v1/collections/photos/content/a.bin", nil)
	check(t, err)
	r.Header.Set("Authorization", "Bearer "+o.secret["ann"])
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	n, err := take(transport.RoundTrip(r))
	if err != nil || n != size {
		t.Fatal(n, err)
	}
	if bare := l.bare.Load(); bare < size-64<<10 {
		t.Errorf("the kernel sent %d bytes of %d", bare, size)
	}
}
