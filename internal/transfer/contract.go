// Package transfer runs one swarm over connections, a working copy and finders.
//
// One goroutine owns the state of a Transfer and feeds package swarm;
// connection readers and writers, hash workers and the disk worker talk to it by
// channel. No lock is shared between transfers, every queue is bounded, and Run
// returns only when every goroutine it started has ended.
package transfer

import (
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/swarm"
	"tandem/internal/transport"
)

// Config is what a Transfer is made from. It is not changed afterwards.
type Config struct {
	Audience peer.Audience
	Keys     []content.SHA1    // swarm keys: the info-hashes; for a link share the one derived key
	Secret   transport.Secret  // link only
	Want     content.Hash      // link only: the v2 info-hash the ticket names
	Torrent  *metainfo.Torrent // nil: fetch the info dictionary from peers first (BEP 9)
	PeerID   [20]byte          // our BitTorrent peer ID
	Port     uint16            // our listening port, for announcements and PEX

	Network transport.Network
	Finders []discover.Finder // none for a private torrent but its trackers: the node sees to it
	Peers   []transport.Target

	// Encryption is the network's policy: with PreferPlain an outgoing
	// connection that is closed before the other side's handshake is dialed
	// again with the encrypted one.
	Encryption transport.Encryption
	// DHTPort is the UDP port of our DHT node, told to peers of public swarms
	// that are not private; 0: we have none.
	DHTPort uint16
	// OnDHTNode is called with the DHT nodes of peers, from the goroutine that
	// owns the Transfer: it must not block. May be nil.
	OnDHTNode func(netip.AddrPort)

	// Open opens the working copy once the manifest is known, and is called
	// once. The Transfer closes what it returns.
	Open func(*metainfo.Torrent) (store.Pieces, error)
	// Select says which files to fetch, by index; nil means all.
	Select func(*content.Manifest) []bool

	// Up and Down limit payload bytes per second; each slice holds the node's
	// limiter and the transfer's own. Empty: unlimited.
	Up, Down []*rate.Limiter
	MaxConns int // outgoing and incoming; 0: 256

	// SaveTorrent is called when metadata and, later, piece layers have
	// become known, so that a restart does not fetch them again. May be nil.
	SaveTorrent func(*metainfo.Torrent) error
	Log         *slog.Logger
	Seed        uint64 // of the swarm's randomness
}

// State is where a Transfer stands.
type State string

// The states.
const (
	Metadata    State = "metadata" // waiting for the info dictionary
	Checking    State = "checking" // hashing suspect pieces, and nothing was fetched yet
	Downloading State = "downloading"
	Paused      State = "paused" // no room on the device; goes on by itself
	Seeding     State = "seeding"
	Failed      State = "failed"
	Stopped     State = "stopped"
)

// PeerStatus is one connection as people see it.
type PeerStatus struct {
	swarm.ConnStats
	Addr   netip.AddrPort
	Path   transport.Path
	Client string // from the peer ID or the extension handshake, made printable
}

// Status is a snapshot.
type Status struct {
	State      State
	Name       string
	Torrent    *metainfo.Torrent // nil before metadata is known
	Swarm      swarm.Stats
	Peers      []PeerStatus
	FromPeers  int64             // payload bytes accepted from peers
	FromOrigin int64             // from servers: zero in this network model
	Sources    map[string]int64  // bytes accepted by peer, including those gone
	Sinks      map[string]int64  // bytes sent by peer
	Limit      string            // the limit that binds now, or bound the whole transfer once complete
	Finders    map[string]string // finder name to "ok" or its error
	Started    time.Time
	Completed  time.Time // zero while incomplete
	Err        error     // why State is Failed or Paused
}
