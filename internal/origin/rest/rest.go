// Package rest is the central server's interface to the network: REST under
// /api/v1, resumable uploads (tus 1.0), downloads, links, metrics and health.
//
// Every route stands in one table (routes.go), from which the mux, the served
// OpenAPI document and the tests are made. What a route does is one call of
// origin.Server, which decides; this package only knows HTTP. Sources: RFC 9110
// (semantics, ranges, conditions), RFC 9457 (problems), RFC 9530 (digests),
// tus 1.0. Differs: a PUT needs Content-Length, so that its size is set aside
// before the body is sent; ranges beyond 64 in one request are ignored.
package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// Config is what a Handler is made from.
type Config struct {
	Server *origin.Server
	// PublicURL is where people find this server; its host is accepted and
	// links begin with it. nil: links begin with the host that was asked.
	PublicURL *url.URL
	// Hosts are further names this server may be asked by, without port: the
	// machine's name. localhost and addresses are always accepted.
	Hosts []string
	// TrustedProxies are whose Forwarded and X-Forwarded headers, and
	// X-Request-ID, are believed.
	TrustedProxies []netip.Prefix
	// Pages gets everything that is no route of this package, behind the same
	// checks; nil: 404.
	Pages http.Handler
	// ProblemPage shows a problem to a browser that asked for a download;
	// nil: the problem document. It sets p.Status itself.
	ProblemPage func(w http.ResponseWriter, r *http.Request, p api.Problem)

	Log      *slog.Logger // one line a request, at Info; nil: none
	Now      func() time.Time
	Rand     io.Reader            // beginning of request IDs; nil: crypto/rand
	Registry *prometheus.Registry // nil: one of its own
	Version  string               // of the program, for the OpenAPI document
}

// Handler answers every request of a server. Hand it to an http.Server with
// ConfigureServer, and let Run watch its connections.
type Handler struct {
	cfg      Config
	draining atomic.Bool
}

// New makes a Handler. The error says what in cfg is missing or malformed.
func New(cfg Config) (*Handler, error) {
	if cfg.Server == nil {
		return nil, errors.New("rest: no origin.Server")
	}
	return &Handler{cfg: cfg}, nil
}

// Drain makes /readyz answer 503, so that a balancer sends nobody here any
// more, and asks clients to come back on another connection. What runs goes
// on; http.Server.Shutdown waits for it.
func (h *Handler) Drain() { h.draining.Store(true) }

// Run closes connections that are too slow, until ctx ends. It returns nil.
func (h *Handler) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// ConfigureServer sets the limits and timeouts of s, and lets h see its
// connections; a ConnContext or ConnState that s has is called too. For TLS,
// set s.TLSConfig as usual.
func (h *Handler) ConfigureServer(s *http.Server) { DefaultLimits().apply(s) }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "not built yet", http.StatusNotImplemented)
}
