// Package tracker asks trackers who is in a swarm, and is a small tracker.
//
// Source: BEP 3 (HTTP), 7 (IPv6), 12 (tiers), 15 and 41 (UDP), 23 (compact).
// Differs: every tier is announced to at the same time, one tracker of each
// (BEP 12 stops at the first that works), so that one dead tracker costs
// nothing; the client announces over IPv4 and IPv6 when a name has both.
package tracker

import (
	"context"
	"crypto/x509"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
)

// Limit bounds the announces in flight of all clients that share it.
type Limit chan struct{}

// NewLimit returns a Limit of n announces.
func NewLimit(n int) Limit { return make(Limit, n) }

// Options of a Client. The zero value is good.
type Options struct {
	UserAgent string         // "tandem" when empty
	Limit     Limit          // shared by all clients of a node; nil: 50 for this client
	RootCAs   *x509.CertPool // nil: the system's
	Log       *slog.Logger   // nil: none
	// Resolve looks a host name up; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Client announces to the trackers of one torrent. It is a discover.Finder.
type Client struct{}

// New returns a client for the tiers of an announce-list (BEP 12). Trackers of
// other schemes than http, https and udp are skipped; the error is of kind
// fault.Invalid when none remains.
func New(tiers [][]string, o Options) (*Client, error) { panic("coming") }

// Join implements discover.Finder.
func (c *Client) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] {
	panic("coming")
}

// Name implements discover.Finder.
func (c *Client) Name() string { panic("coming") }

// Err implements discover.Finder.
func (c *Client) Err() error { panic("coming") }

// Close implements discover.Finder.
func (c *Client) Close() error { panic("coming") }

// ServerOptions of a Server. The zero value is good.
type ServerOptions struct {
	Interval    time.Duration               // between announces; 30 minutes when zero
	MinInterval time.Duration               // least time between early announces; 5 seconds when zero
	MaxSwarms   int                         // 10,000 when zero
	MaxPeers    int                         // of one swarm; 2,000 when zero
	Allow       func(key content.SHA1) bool // nil: every swarm is tracked
	Now         func() time.Time            // nil: time.Now
}

// Server is a tracker that keeps everything in memory. It serves HTTP as an
// http.Handler at whatever path it is mounted, and UDP by ServeUDP.
type Server struct{}

// NewServer returns an empty tracker.
func NewServer(o ServerOptions) *Server { panic("coming") }

// ServeHTTP answers an HTTP announce. Timeouts are the embedder's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("coming") }

// ServeUDP answers announces on conn until ctx ends or conn fails. It closes
// conn. The error is nil when ctx ended.
func (s *Server) ServeUDP(ctx context.Context, conn net.PacketConn) error { panic("coming") }
