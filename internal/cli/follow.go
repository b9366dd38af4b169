package cli

import (
	"context"
	"errors"
	"time"

	"tandem/internal/fault"
	"tandem/internal/node"
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
	ready, completed := it.Ready(), it.Completed()
	began, warned, complete := now(), false, false
	finished := func() {
		s := it.Status()
		if s.Kind != node.KindShare && s.Kind != node.KindSeed {
			r.Progress(s)
			r.Complete(s)
		}
		complete, completed = true, nil
	}
	for {
		select {
		case <-ready:
			ready = nil
			r.Ready(it.Status())
		case <-completed:
			if ready != nil {
				ready = nil
				r.Ready(it.Status())
			}
			finished()
			if s := it.Status(); s.State == "seeding" {
				r.Seeding(s)
			}
		case <-tick:
			s := it.Status()
			if !complete {
				r.Progress(s)
			}
			if !warned && !complete && len(s.Peers) == 0 && s.FromPeers == 0 && now().Sub(began) > patience {
				warned = true
				why := it.Why(ctx)
				r.Warn("nothing has come yet: " + why.Error() + "; " + hintFor(why))
			}
		case <-it.Done():
			if completed != nil && isClosed(completed) {
				if ready != nil {
					r.Ready(it.Status())
				}
				finished()
			}
			return it.Err()
		case <-ctx.Done():
			it.Stop()
			<-it.Done()
			if err := it.Err(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fault.Closed) {
				return err
			}
			if !complete {
				return context.Canceled
			}
			return nil
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
