package origin

import (
	"context"
	"errors"
	"sync"
	"time"
)

// files is what the files' side of a Server keeps in memory. The zero value works.
type files struct {
	writers writers
	running runningSet
	tally   tally

	once  sync.Once
	cache *cache[opening, opened]
}

func (f *files) openings() *cache[opening, opened] {
	f.once.Do(func() { f.cache = newCache[opening, opened](openKeep, openMost) })
	return f.cache
}

// runFiles counts downloads, watches who may go on, makes .torrent files and
// sweeps, until ctx ends.
func (s *Server) runFiles(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.makeTorrents(ctx) })
	wg.Go(func() { s.sweepHourly(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	kick := s.files.tally.awake()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := s.watch(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("cannot see who may go on", "err", err)
			}
			if err := errors.Join(s.watchSwarms(ctx), s.keepBooks(ctx, false)); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("swarms are looked at later", "err", err)
			}
		case <-s.swarm.watch.kick:
			if err := s.watchAllowed(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("cannot see which nodes may go on", "err", err)
			}
		case <-kick:
		}
		if err := s.flush(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("downloads are counted later", "err", err)
		}
	}
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	return s.patiently(last, func() error { return errors.Join(s.flush(last), s.keepBooks(last, true)) })
}

// awake returns the channel that says that there is much to write.
func (t *tally) awake() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kick == nil {
		t.kick = make(chan struct{}, 1)
	}
	return t.kick
}

// When Sweep is called: soon after the start, for what a crash has left half removed, and then each hour.
const (
	sweepFirst = 10 * time.Second
	sweepThen  = time.Hour
)

// sweepHourly removes what nobody can reach any more.
func (s *Server) sweepHourly(ctx context.Context) {
	next := time.NewTimer(sweepFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Error("sweep", "err", err)
			}
			next.Reset(sweepThen)
		}
	}
}
