package origin

import (
	"context"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// Keeper is a node that offers room for copies.
type Keeper struct {
	Node  peer.ID
	User  string
	Space int64 // bytes
	Used  int64
	Seen  time.Time
	Keep  []Kept // what it is asked to keep
}

// Kept is a share that a keeper is asked to keep.
type Kept struct {
	Token    string // of the link
	InfoHash content.Hash
	Size     int64
}

// SetKeeper offers k.Space at k.Node, or takes the offer back with Space 0, and returns what the server asks it to
// keep: of links that want more copies than there are those that the account could read anyway, the largest
// lack first, never more than Space.
func (s *Server) SetKeeper(ctx context.Context, c Caller, k Keeper) (Keeper, error) {
	return Keeper{}, fault.Errorf(fault.NotFound, "TODO")
}

// Keeper returns one offer of the caller's account; an admin sees all.
func (s *Server) Keeper(ctx context.Context, c Caller, node peer.ID) (Keeper, error) {
	return Keeper{}, fault.Errorf(fault.NotFound, "TODO")
}

// Keepers lists the caller's offers; an admin sees all.
func (s *Server) Keepers(ctx context.Context, c Caller) ([]Keeper, error) {
	return nil, fault.Errorf(fault.NotFound, "TODO")
}
