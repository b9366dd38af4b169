package origin

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

// people is what the accounts' side of a Server keeps in memory.
type people struct {
	hasher *hasher
	random io.Reader

	writes atomic.Int64 // Updates of this instance
	access atomic.Int64 // those that may have ended somebody's access

	known   *cache[content.Hash, Caller]   // who holds a secret
	strange *cache[content.Hash, struct{}] // secrets that nobody holds and that were counted
}

func (p *people) open(cfg Config) (err error) {
	p.random = cfg.Rand
	p.hasher, err = newHasher(cfg.Passwords, p.random)
	p.known = newCache[content.Hash, Caller](time.Second, 10_000)
	p.strange = newCache[content.Hash, struct{}](time.Minute, 10_000)
	return err
}

// sweepEvery is how often ended sessions and old failures are cleared away.
const sweepEvery = 10 * time.Minute

// runPeople clears away what ended, until ctx ends.
func (s *Server) runPeople(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweepPeople(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("ended sessions are not cleared away", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Server) sweepPeople(ctx context.Context) error {
	now := s.now()
	return s.cfg.Catalog.Update(ctx, func(tx *catalog.Tx) error {
		if err := tx.Sessions.SweepSessions(now); err != nil {
			return fmt.Errorf("sweep sessions: %w", err)
		}
		if err := tx.Attempts.SweepAttempts(now.Add(-forgetMany)); err != nil {
			return fmt.Errorf("sweep attempts: %w", err)
		}
		return nil
	})
}
