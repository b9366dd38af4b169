// Package discover finds who else has a share. Its contract is Finder; the
// drivers are tracker (HTTP and UDP, client and server), dht and lan, the suite
// they pass is discovertest.
package discover

import (
	"context"
	"iter"
	"net/netip"

	"tandem/internal/content"
)

// Swarm is what a node takes part in.
type Swarm struct {
	Key    content.SHA1    // info-hash, or the key derived from a ticket's secret
	PeerID [20]byte        // BitTorrent peer ID
	Port   uint16          // TCP port we listen on; 0: only look, do not announce
	Stats  func() Stats    // current figures for trackers; nil: unknown
	Wake   <-chan struct{} // a receive asks for an early round (few peers, or completed); may be nil
}

// Stats are the figures a tracker is told, in bytes.
type Stats struct {
	Uploaded, Downloaded, Left int64
}

// Found is an address somebody named.
type Found struct {
	Addr   netip.AddrPort
	Source string // "tracker", "dht", "lan", "pex", "link"
	// Global says that the source itself was at a global address: then Addr
	// must not lead to loopback, link-local, private or multicast addresses,
	// and the driver has already dropped it if it does.
	Global bool
}

// Finder takes part in a swarm.
type Finder interface {
	// Join announces s (unless s.Port is 0) and yields addresses as they are
	// learned, until ctx ends or the consumer stops. It renews by itself, backs
	// off after failures, and withdraws the announcement at the end where
	// that is possible (within two seconds). Addresses may repeat.
	Join(ctx context.Context, s Swarm) iter.Seq[Found]
	// Name is "tracker http://...", "dht", "lan", for status lines.
	Name() string
	// Err returns the last failure, nil when the last round worked.
	Err() error
	// Close releases sockets; Joins in progress end.
	Close() error
}
