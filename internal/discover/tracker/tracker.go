// Package tracker asks trackers who is in a swarm, and is a small tracker.
//
// Source: BEP 3 (HTTP), 7 (IPv6), 12 (tiers), 15 and 41 (UDP), 23 (compact).
// Differs: every tier is announced to at the same time, one tracker of each
// (BEP 12 stops at the first that works), so that a dead tracker costs no
// time; where a name has IPv4 and IPv6 addresses the client announces to both.
package tracker

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

// Limits on a foreign announce-list.
const (
	maxTiers   = 32
	maxPerTier = 32
	maxURL     = 2048 // bytes
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
type Client struct {
	o       Options
	name    string
	done    chan struct{} // closed by Close
	closing sync.Once
	// announce sends one announce to one tracker and hands its peers to emit,
	// possibly twice (IPv4, IPv6). It is a field for the tests of the schedule.
	announce func(ctx context.Context, u *url.URL, r request, trackerID string, emit func(discover.Found)) (reply, error)
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	earliest time.Duration // between announces, shorter in tests
	retry    time.Duration // before a UDP request is sent again; doubles

	mu    sync.Mutex   // guards the fields below
	tiers [][]*url.URL // the tracker that worked last in front of its tier
	errs  []error      // of the last round of each tier
}

// New returns a client for the tiers of an announce-list (BEP 12). Trackers of
// other schemes than http, https and udp are skipped; the error is of kind
// fault.Invalid when none remains.
func New(tiers [][]string, o Options) (*Client, error) {
	c := &Client{o: o, done: make(chan struct{}), earliest: earliest, retry: 15 * time.Second}
	if c.o.UserAgent == "" {
		c.o.UserAgent = "tandem"
	}
	if c.o.Limit == nil {
		c.o.Limit = NewLimit(50)
	}
	if c.o.Log == nil {
		c.o.Log = slog.New(slog.DiscardHandler)
	}
	if c.o.Resolve == nil {
		c.o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	c.announce = c.announceTo
	c.dial = new(net.Dialer).DialContext
	var last error
	total := 0
	for _, list := range tiers {
		var tier []*url.URL
		for _, s := range list {
			u, err := parseURL(s)
			if err != nil {
				last = err
				continue
			}
			if len(tier) < maxPerTier {
				tier = append(tier, u)
			}
		}
		if len(tier) == 0 || len(c.tiers) == maxTiers {
			continue
		}
		if c.name == "" {
			c.name = "tracker " + display(tier[0])
		}
		mrand.Shuffle(len(tier), func(i, j int) { tier[i], tier[j] = tier[j], tier[i] })
		c.tiers = append(c.tiers, tier)
		total += len(tier)
	}
	switch {
	case total == 0 && last != nil:
		return nil, last
	case total == 0:
		return nil, fault.Errorf(fault.Invalid, "no tracker given")
	case total > 1:
		c.name += fmt.Sprintf(" and %d more", total-1)
	}
	c.errs = make([]error, len(c.tiers))
	return c, nil
}

// parseURL accepts what may be announced to.
func parseURL(s string) (*url.URL, error) {
	shown := discover.Printable(s, 80)
	if len(s) > maxURL {
		return nil, fault.Errorf(fault.Invalid, "tracker %s: longer than %d bytes", shown, maxURL)
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, fault.Errorf(fault.Invalid, "tracker %s: not a URL", shown)
	}
	switch {
	case u.Scheme == "http", u.Scheme == "https":
	case u.Scheme == "udp" && u.Port() != "":
	case u.Scheme == "udp":
		return nil, fault.Errorf(fault.Invalid, "tracker %s: a port is missing", shown)
	default:
		return nil, fault.Errorf(fault.Invalid, "tracker %s: the scheme is not http, https or udp", shown)
	}
	u.Fragment = ""
	return u, nil
}

// display shows a tracker without path and query, which may hold a passkey.
func display(u *url.URL) string {
	return discover.Printable(u.Scheme+"://"+u.Host, 80)
}

// Name implements discover.Finder.
func (c *Client) Name() string { return c.name }

// Err implements discover.Finder. It is nil while one tier works.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first error
	for _, err := range c.errs {
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// Close implements discover.Finder.
func (c *Client) Close() error {
	c.closing.Do(func() { close(c.done) })
	return nil
}

// tier returns the trackers of tier i in the order to try them.
func (c *Client) tier(i int) []*url.URL {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*url.URL(nil), c.tiers[i]...)
}

// worked moves u to the front of tier i (BEP 12).
func (c *Client) worked(i int, u *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs[i] = nil
	tier := c.tiers[i]
	for k, v := range tier {
		if v == u {
			copy(tier[1:k+1], tier[:k])
			tier[0] = u
			return
		}
	}
}

func (c *Client) failed(i int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs[i] = err
}

// random32 returns a number nobody else can guess.
func random32() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}
