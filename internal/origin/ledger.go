package origin

import (
	"context"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// LedgerLine is who gave how much: of a share, to an account, or in one transfer.
type LedgerLine struct {
	Name     string       // of the file, or of the user
	InfoHash content.Hash // of a share or transfer
	Node     peer.ID      // of a transfer
	User     string       // of a transfer: empty for links
	Served   Served
	Updated  time.Time
}

// Ledger returns the newest lines of the ledger by "share", "user" or "transfer": an admin sees all,
// others what they or who came by their links took.
func (s *Server) Ledger(ctx context.Context, c Caller, by string) ([]LedgerLine, error) {
	return nil, fault.Errorf(fault.NotFound, "TODO")
}

// Sent counts n bytes of content that this server sent to node as part of a share; both are zero for browsers and
// other clients. It does not wait.
func (s *Server) Sent(c Caller, share content.Hash, node peer.ID, n int64) {}
