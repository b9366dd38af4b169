// Package transfer runs one swarm over connections, a working copy and finders.
//
// One goroutine owns the state of a Transfer and feeds package swarm;
// connection readers and writers, hash workers and the disk worker talk to it by
// channel. No lock is shared between transfers, every queue is bounded, and Run
// returns only when every goroutine it started has ended.
package transfer

import (
	"context"
	"io"
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
	Secret   transport.Secret  // link and network
	Guard    transport.Guard   // link and network; nil: holding the secret is enough
	Want     content.Hash      // link and network: the v2 info-hash
	Torrent  *metainfo.Torrent // nil: fetch the info dictionary from peers first (BEP 9)
	PeerID   [20]byte          // our BitTorrent peer ID
	Port     uint16            // our listening port, for announcements and PEX

	Network transport.Network
	Finders []discover.Finder // none for a private torrent but its trackers: the node sees to it
	Peers   []transport.Target

	// Via says which sources may be used; zero: ViaBoth.
	Via Via
	// Origins are servers that hold the content. The Transfer does not close them.
	Origins []Origin
	// Near says whether an address is on our local network; nil: none is.
	Near func(netip.Addr) bool
	// Busy returns which part of this machine's CPUs was busy since it was last
	// called, 0 to 1; false when the system does not say. It is called once a second
	// and must not block; nil: nobody knows.
	Busy func() (float64, bool)
	// OnDocument is called with each signed document a connected peer passed on
	// (a newer capability of its own is kept by the Transfer as well), from the
	// goroutine that owns the Transfer: it must not block. May be nil.
	OnDocument func(doc []byte)

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

// Via is the network model: which sources a transfer may use.
type Via string

// The models.
const (
	ViaBoth   Via = "both"
	ViaServer Via = "server" // origins only; nobody is served either
	ViaPeers  Via = "peers"  // no origin
)

// Origin is a server as a source of content. Its methods may be called from
// several goroutines.
type Origin interface {
	// Name is the server's host, for status lines.
	Name() string
	// Near says whether the server is on our local network, as far as is known.
	Near() bool
	// Torrent returns the metadata, with piece layers where the content has them.
	// Errors as for Open.
	Torrent(ctx context.Context) (*metainfo.Torrent, error)
	// Open asks for s.Len bytes at s.Off of a file; ctx holds for the stream, too.
	// There are three outcomes.
	// Data: a stream of at most s.Len bytes, which the caller checks and closes; it may
	// end early. Sequential in *Stream says that the server gives whole files only
	// and the stream begins at byte 0. Elsewhere: an *Elsewhere, which is no failure.
	// An error: fault.Changed (the server has other content by now), fault.Gone,
	// fault.Permission, fault.Unauthenticated (we may not, or no longer),
	// fault.Unreachable, fault.Timeout, fault.Busy (try again later),
	// fault.Protocol.
	Open(ctx context.Context, s Span) (*Stream, error)
}

// Span is bytes of one file, and the pieces they lie in.
type Span struct {
	File        int // index in the manifest
	Off, Len    int64
	First, Last int // pieces
}

// Stream is what an origin sends.
type Stream struct {
	io.ReadCloser
	Sequential bool
}

// Elsewhere is an origin's answer that peers should be asked, or that it is to be
// asked later.
type Elsewhere struct {
	Peers []netip.AddrPort  // who holds these pieces
	Taken *content.Bitfield // pieces that it gives to others just now; nil: not said
	After time.Duration     // not to be asked again for them before
}

// Error implements error.
func (e *Elsewhere) Error() string { return "the server points elsewhere" }

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

// OriginStatus is one server as people see it.
type OriginStatus struct {
	Name  string
	Bytes int64  // accepted from it
	State string // "ok", "asked to wait", "unreachable", "refused", "changed"
	Err   error  // why not ok
}

// Status is a snapshot.
//
// Best compares the payload accepted from Started to Completed, per second, with
// what the limit that bound the transfer let through at best: the highest rate of
// any second of it (of any five seconds, in a transfer of fifteen and more), or the
// down limit if that is what bound. A transfer of less than two seconds does not
// tell.
type Status struct {
	State      State
	Name       string
	Torrent    *metainfo.Torrent // nil before metadata is known
	Swarm      swarm.Stats
	Peers      []PeerStatus
	FromPeers  int64             // payload bytes accepted from peers, FromLAN included
	FromLAN    int64             // of those, from peers that are near
	FromOrigin int64             // from servers
	ToPeers    int64             // payload bytes given
	Origins    []OriginStatus    // servers
	Best       float64           // part of the best possible rate that was reached, 0 to 1; 0: not known
	Lost       []swarm.Lost      // pieces that nobody we know has
	Sources    map[string]int64  // bytes accepted by peer, including those gone
	Sinks      map[string]int64  // bytes sent by peer
	Limit      string            // the limit that binds now, or bound the whole transfer once complete
	Finders    map[string]string // finder name to "ok" or its error
	Started    time.Time
	Completed  time.Time // zero while incomplete
	Err        error     // why State is Failed or Paused
	// Refusal is why the last peer refused us, or was refused, by the share or its
	// guard; nil: none was, or another was met since.
	Refusal error
}
