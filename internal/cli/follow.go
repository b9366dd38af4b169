package cli

import (
	"context"
	"errors"
	"time"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/transfer"
)

// item is what follow needs of a share or transfer.
type item interface {
	Status() node.Snapshot
	Ready() <-chan struct{}     // metadata is known
	Completed() <-chan struct{} // every wanted byte is verified and in place
	Done() <-chan struct{}      // it has ended
	Err() error                 // why; nil after an orderly stop. After Done
	Why(context.Context) error  // what keeps it from its sources
	Stop()                      // asks it to end
}

// follow reports on it until it ends or ctx does. tick paces the progress. What
// was not complete when ctx ended is an interruption, what served until then is
// not.
func follow(ctx context.Context, it item, r reporter, tick <-chan time.Time, patience time.Duration, now func() time.Time) error {
	defer r.Close()
	f := &follower{it: it, r: r, ready: it.Ready(), completed: it.Completed(), patience: patience, now: now, began: now()}
	for {
		select {
		case <-f.ready:
			f.tellReady()
		case <-f.completed:
			f.tellComplete()
			if s := it.Status(); s.State == string(transfer.Seeding) {
				r.Seeding(s)
			}
		case <-tick:
			f.tellProgress(ctx)
		case <-it.Done():
			if f.completed != nil && isClosed(f.completed) {
				f.tellComplete()
			}
			return it.Err()
		case <-ctx.Done():
			it.Stop()
			<-it.Done()
			if err := it.Err(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fault.Closed) {
				return err
			}
			if f.completed != nil {
				return context.Canceled
			}
			return nil
		}
	}
}

// follower is what one call of follow has told so far.
type follower struct {
	it               item
	r                reporter
	ready, completed <-chan struct{} // nil once told
	patience         time.Duration
	now              func() time.Time
	began            time.Time
	warned, paused   bool
}

func (f *follower) tellReady() {
	if f.ready != nil {
		f.ready = nil
		f.r.Ready(f.it.Status())
	}
}

func (f *follower) tellComplete() {
	f.tellReady()
	f.completed = nil
	s := f.it.Status()
	f.tellPause(s)
	if s.Kind != node.KindShare && s.Kind != node.KindSeed {
		f.r.Progress(s)
		f.r.Complete(s)
	}
}

func (f *follower) tellProgress(ctx context.Context) {
	s := f.it.Status()
	f.tellPause(s)
	if f.completed == nil {
		return
	}
	f.r.Progress(s)
	if !f.warned && !f.paused && len(s.Peers) == 0 && s.FromPeers == 0 && f.now().Sub(f.began) > f.patience {
		f.warned = true
		why := f.it.Why(ctx)
		f.r.Warn("nothing has come yet: " + why.Error() + "; " + hintFor(why))
	}
}

// tellPause tells once that the transfer waits, and once that it goes on.
func (f *follower) tellPause(s node.Snapshot) {
	paused := s.State == string(transfer.Paused)
	switch {
	case paused && !f.paused:
		f.r.Paused(s)
	case !paused && f.paused:
		f.r.Resumed()
	}
	f.paused = paused
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
