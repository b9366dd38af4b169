package rest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"tandem/internal/fault"
)

// Where balancers look. They ask by address, so that any Host will do.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

// Readiness is asked for at most once in readyAge, however many ask.
const (
	readyAge  = time.Second
	readyTime = 2 * time.Second
)

// health remembers the last answer of Server.Ready.
type health struct {
	mu  sync.Mutex // guards what follows, and lets one ask at a time
	at  time.Time
	err error
}

func (h *Handler) ready(ctx context.Context) error {
	if h.draining.Load() {
		return fault.Errorf(fault.Closed, "the server is being stopped")
	}
	c := &h.health
	c.mu.Lock()
	defer c.mu.Unlock()
	now := h.cfg.Now()
	if age := now.Sub(c.at); c.at.IsZero() || age < 0 || age >= readyAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
		defer cancel()
		c.err = h.cfg.Server.Ready(ctx)
		c.at = h.cfg.Now()
	}
	return c.err
}

func (x *exchange) healthz() error { return x.text("ok\n") }

func (x *exchange) readyz() error {
	if err := x.h.ready(x.r.Context()); err != nil {
		return withStatus(http.StatusServiceUnavailable, err)
	}
	return x.text("ready\n")
}

func (x *exchange) text(s string) error {
	h := x.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h["Cache-Control"] = noStore
	_, _ = x.Write([]byte(s)) // a client that is gone is noticed by net/http
	return nil
}

// metricsPage is for who may operate the server, and for programs on the same
// machine that ask directly.
func (x *exchange) metricsPage() error {
	if !x.direct() {
		c, err := x.asker()
		if err != nil {
			return err
		}
		if err := x.h.cfg.Server.MayOperate(x.r.Context(), c); err != nil {
			return err
		}
	}
	x.h.metrics.serve.ServeHTTP(x, x.r)
	return nil
}

// direct reports whether the request comes from this machine and through no
// proxy, which would make everybody seem to.
func (x *exchange) direct() bool {
	return peerOf(x.r.RemoteAddr).IsLoopback() && !x.proxied
}
