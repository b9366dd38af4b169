package origin

import (
	"context"
	"sync/atomic"
)

// people is what the accounts' side of a Server keeps in memory.
type people struct {
	writes atomic.Int64 // Updates of this instance
	access atomic.Int64 // those that may have ended somebody's access
}

func (p *people) open(cfg Config) error { return nil }

func (s *Server) runPeople(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
