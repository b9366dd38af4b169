// Package rest is the central server's interface to the network: REST under
// /api/v1, resumable uploads (tus 1.0), downloads, links, metrics and health.
//
// Every route stands in one table (routes.go), from which the mux, the served
// OpenAPI document and the tests are made. What a route does is one call of
// origin.Server, which decides; this package only knows HTTP. Sources: RFC 9110
// (semantics, ranges, conditions), RFC 9457 (problems), RFC 9530 (digests),
// RFC 7239 (forwarded), tus 1.0. Differs: a PUT needs Content-Length, so that its
// size is set aside before the body is sent; more than 64 ranges in one request
// are answered with the whole.
package rest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// Config is what a Handler is made from.
type Config struct {
	Server *origin.Server
	// Gate lets content out; nil: one without limits.
	Gate *origin.Gate
	// Tracker answers announces, with the client's address in RemoteAddr; nil: there is none.
	Tracker http.Handler
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

	Log      *slog.Logger         // one line a request, at Info; nil: none
	Now      func() time.Time     // nil: time.Now
	Rand     io.Reader            // beginning of request IDs; nil: crypto/rand
	Registry *prometheus.Registry // nil: one of its own
	Version  string               // of the program, for the OpenAPI document
}

// Handler answers every request of a server. Hand it to an http.Server with
// ConfigureServer, and let Run watch its connections.
type Handler struct {
	cfg        Config
	limits     Limits
	gate       *gate
	ids        *ids
	proofs     *proofs
	metrics    *metrics
	watch      *watch
	mux        *http.ServeMux
	document   []byte // OpenAPI
	memory     budget // of bodies that are read whole
	announcers announcers
	polls      *polls
	health     health
	elsewhere,
	refused *route // what is no route of ours, and what did not get as far as the mux
	draining atomic.Bool
}

// New makes a Handler. The error says what in cfg is missing or malformed.
func New(cfg Config) (*Handler, error) {
	if cfg.Server == nil {
		return nil, fault.Errorf(fault.Invalid, "no server to speak for")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Gate == nil {
		cfg.Gate = origin.NewGate(cfg.Server, origin.Budget{}, nil)
	}
	h := &Handler{cfg: cfg, limits: DefaultLimits(), memory: budget{free: maxBuffered}, polls: newPolls()}
	var err error
	if h.gate, err = newGate(cfg); err != nil {
		return nil, err
	}
	if h.ids, err = newIDs(cfg.Rand); err != nil {
		return nil, fmt.Errorf("make request IDs: %w", err)
	}
	if h.proofs, err = newProofs(cfg.Rand); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	h.watch = newWatch(h.limits, func(*socket) { h.metrics.slow.Inc() })
	h.metrics = newMetrics(cfg.Registry, h.watch.count, func() int { return h.cfg.Gate.Waiting() })
	h.mount(routes())
	return h, nil
}

// Drain makes /readyz answer 503, so that a balancer sends nobody here any
// more, and asks clients to come back on another connection. Who waits for
// something to happen is answered now. What runs goes on; http.Server.Shutdown
// waits for it.
func (h *Handler) Drain() {
	h.draining.Store(true)
	h.polls.stop()
}

// Run closes connections that are too slow, until ctx ends. It returns nil.
func (h *Handler) Run(ctx context.Context) error {
	h.watch.run(ctx)
	return nil
}

// ConfigureServer sets the limits and timeouts of s, and lets h see its
// connections; a ConnContext or ConnState that s has is called too. For TLS,
// set s.TLSConfig as usual. The listener's connections must have SyscallConn or
// NetConn for slow ones to be found, and ReadFrom for files to be sent by the
// kernel; *net.TCPConn and what embeds it do.
func (h *Handler) ConfigureServer(s *http.Server) {
	h.limits.apply(s)
	s.Handler = h
	connContext, connState := s.ConnContext, s.ConnState
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, c)
		}
		return h.watch.add(ctx, c)
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		h.watch.state(c, state)
		if connState != nil {
			connState(c, state)
		}
	}
	if s.ErrorLog == nil && h.cfg.Log != nil {
		// Handshakes that failed, mostly: nobody's business at Info.
		s.ErrorLog = slog.NewLogLogger(h.cfg.Log.Handler(), slog.LevelDebug)
	}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{inner: w, h: h, r: r, route: h.refused, begun: h.cfg.Now(), id: h.ids.next()}
	x.socket, _ = r.Context().Value(socketKey).(*socket)
	if x.socket != nil {
		x.socket.active.Add(1)
	}
	if r.Body != nil && r.Body != http.NoBody {
		b := &body{ReadCloser: r.Body, socket: x.socket}
		b.ender.ctl = http.NewResponseController(w)
		// A copy: net/http looks at its own request's body to find out whether the
		// client still waits to be told to send it.
		r = r.WithContext(r.Context())
		r.Body = b
		x.r = r
	}
	h.metrics.running.Inc()
	defer h.finish(x)
	h.gate.enter(x)
	h.dress(x)
	if err := h.admit(r); err != nil {
		x.fail(err)
		return
	}
	h.mux.ServeHTTP(x, r)
}

// admit refuses what was not meant for this server, and what the mux would
// answer by itself.
func (h *Handler) admit(r *http.Request) error {
	if r.URL.Path != healthPath && r.URL.Path != readyPath {
		if err := h.gate.host(r); err != nil {
			return err
		}
	}
	if err := h.gate.origin(r); err != nil {
		return err
	}
	if !canonicalPath(r.URL.EscapedPath()) {
		return fault.Errorf(fault.Invalid, "the path of the URL has empty parts, or such as . and ..")
	}
	return nil
}

// canonicalPath reports whether the mux takes an escaped path as it is, rather
// than redirect to what it thinks is meant.
func canonicalPath(path string) bool {
	if path == "" || path[0] != '/' || strings.Contains(path, "//") {
		return false
	}
	for at := strings.Index(path, "/."); at >= 0; {
		part, _, _ := strings.Cut(path[at+1:], "/")
		if part == "." || part == ".." {
			return false
		}
		next := strings.Index(path[at+1:], "/.")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return true
}

// finish is deferred around every request.
func (h *Handler) finish(x *exchange) {
	if p := recover(); p != nil {
		x.abort = x.abort || p == http.ErrAbortHandler
		if p != http.ErrAbortHandler {
			h.panicked(x, p)
		}
	}
	if b, ok := x.r.Body.(*body); ok {
		b.ender.close()
	}
	if x.socket != nil {
		x.socket.active.Add(-1)
	}
	h.metrics.running.Dec()
	if x.status == 0 && !x.abort {
		x.status = http.StatusOK // net/http's, for what wrote nothing
	}
	took := h.cfg.Now().Sub(x.begun)
	h.metrics.count(x.route.counters, x, took)
	h.log(x, took)
	if x.abort {
		panic(http.ErrAbortHandler) // net/http closes the connection without a word
	}
}

// panicked answers for a fault of the program.
func (h *Handler) panicked(x *exchange, p any) {
	h.metrics.panics.Inc()
	if h.cfg.Log != nil {
		h.cfg.Log.Error("panic", "request", x.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	x.fail(fault.Errorf(fault.Other, "panic: %v", p))
}
