package origin

import (
	"context"
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// SwarmRequest is a node that takes part in the swarm of a share; api.SwarmJoin has the meaning of its fields.
type SwarmRequest struct {
	Node     peer.ID
	Addrs    []netip.AddrPort // where it listens, the best first
	InfoHash content.Hash
	Torrent  bool
	Total    int64
	Have     int64
	Rate     float64
	Wait     time.Duration
	Seen     int64
	Leave    bool
	Keep     time.Time
	Served   *Served
}

// Served is bytes of content by who gave them.
type Served struct{ Server, LAN, Peers int64 }

// SwarmState is the answer; api.SwarmAnswer has the meaning of its fields.
type SwarmState struct {
	State      int64
	Server     peer.ID
	Time       time.Time
	InfoHash   content.Hash
	Audience   peer.Audience
	Name       string
	Ticket     string
	Capability []byte
	Denials    [][]byte
	Torrent    []byte
	Files      []string // of each file that is no padding, its path below what the caller asked for
	Peers      []netip.AddrPort
	Swarm      bool
	Spare      bool
	Upload     bool
	Copies     int
	Holders    int
	Next       time.Duration
}

// JoinSwarm takes part in the swarm of what a link, or a place the caller may read, leads to now. It waits up to
// r.Wait while nothing has changed since r.Seen. base is the URL under which the caller reaches the server, for what
// the ticket names. fault.Precondition: the content is not r.InfoHash any more. fault.Busy: the metadata is
// being made. It counts a download of a limited link once per node and day.
func (s *Server) JoinSwarm(ctx context.Context, c Caller, at Place, r SwarmRequest, base string) (SwarmState, error) {
	return SwarmState{}, fault.Errorf(fault.NotFound, "TODO")
}

// ServerID is the public half of the server's key, which is made on the first use and is the
// same for all instances.
func (s *Server) ServerID(ctx context.Context) (peer.ID, error) { return peer.ID{}, nil }

// Tracks reports whether a swarm key is one of a live public link, for the tracker.
func (s *Server) Tracks(key content.SHA1) bool { return false }

// Piece geometry and members of a share that nodes have joined here, for admission.
//
// SwarmShare returns the number of pieces and the size of a share, false when nobody has joined it here.
func (s *Server) SwarmShare(hash content.Hash) (pieces int, size int64, ok bool) { return 0, 0, false }

// SwarmAddrs returns where these nodes can be reached, of those that are in the swarm of hash now.
func (s *Server) SwarmAddrs(hash content.Hash, nodes []peer.ID) []netip.AddrPort { return nil }
