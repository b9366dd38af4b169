package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/transfer"
	"tandem/internal/units"
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
func follow(ctx context.Context, it item, r reporter, tick <-chan time.Time, wait waits, now func() time.Time) error {
	defer r.Close()
	f := &follower{it: it, r: r, ready: it.Ready(), completed: it.Completed(), wait: wait, now: now, began: now()}
	f.moved = f.began
	if it.Status().Kind == node.KindOffer { // there is nothing that it could complete
		f.ready, f.completed = nil, nil
	}
	for {
		select {
		case <-f.ready:
			f.tellReady()
		case <-f.completed:
			f.tellComplete()
			if s := it.Status(); s.State == string(transfer.Seeding) && !wait.leaves {
				r.Seeding(s)
			}
		case <-tick:
			f.tellProgress(ctx)
			if err := f.givenUp(ctx); err != nil {
				it.Stop()
				<-it.Done()
				return err
			}
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

// waits are how long follow waits for what.
type waits struct {
	silence time.Duration // until it says why nothing comes, or what is missing
	giveUp  time.Duration // without a new byte, until it ends; 0: never
	leaves  bool          // it serves nobody once it is complete
}

// follower is what one call of follow has told so far.
type follower struct {
	it               item
	r                reporter
	ready, completed <-chan struct{} // nil once told
	wait             waits
	now              func() time.Time
	began            time.Time
	warned, paused   bool

	bytes  int64     // verified when last looked at
	moved  time.Time // when that was last more than before
	lost   string    // what was last told to be missing; "": nothing
	notice string    // the last one told
	upload string    // state and progress last told
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
	f.tellUpload(s)
	if s.Kind != node.KindShare && s.Kind != node.KindSeed {
		f.r.Progress(s)
		f.r.Complete(s)
	}
}

func (f *follower) tellProgress(ctx context.Context) {
	s := f.it.Status()
	f.tellPause(s)
	f.tellNotice(s)
	f.tellUpload(s)
	if s.Kind == node.KindOffer {
		f.r.Offer(s)
	}
	if f.completed == nil {
		return
	}
	f.r.Progress(s)
	if s.Bytes > f.bytes || f.paused {
		f.bytes, f.moved = s.Bytes, f.now()
	}
	if !f.warned && !f.paused && len(s.Peers) == 0 && s.FromPeers+s.FromOrigin == 0 && !served(s) && f.now().Sub(f.began) > f.wait.silence {
		f.warned = true
		f.r.Warn(f.nothing(ctx, s))
	}
	f.tellMissing(s)
}

// nothing says why nothing has come: what is wrong with the server, or with the peers.
func (f *follower) nothing(ctx context.Context, s node.Snapshot) string {
	for _, o := range s.Origins {
		if o.Error != "" {
			return "nothing has come yet: " + o.Name + ": " + o.Error + "; peers are looked for as well"
		}
	}
	why := f.it.Why(ctx)
	return "nothing has come yet: " + why.Error() + "; " + hintFor(why)
}

// served reports whether a server gives what is wanted.
func served(s node.Snapshot) bool {
	for _, o := range s.Origins {
		if o.State == "ok" || o.State == "asked to wait" {
			return true
		}
	}
	return false
}

// begun reports whether any of the content has come or was here, be it less than a piece.
func begun(s node.Snapshot) bool { return s.Bytes+s.FromPeers+s.FromOrigin > 0 }

// tellMissing tells which pieces nobody has, once they have kept the transfer from going on for a
// while, and again when there are others.
func (f *follower) tellMissing(s node.Snapshot) {
	if len(s.Lost) == 0 || served(s) {
		f.lost = ""
		return
	}
	text := missingText(s)
	if text == f.lost || !begun(s) && len(s.Peers) == 0 || f.now().Sub(f.moved) <= f.wait.silence {
		return
	}
	f.lost = text
	f.r.Missing(s)
}

// tellNotice passes on what the node has to say of a server.
func (f *follower) tellNotice(s node.Snapshot) {
	if s.Notice != "" && s.Notice != f.notice {
		f.r.Warn(s.Notice)
	}
	f.notice = s.Notice
}

func (f *follower) tellUpload(s node.Snapshot) {
	if s.Upload == nil {
		return
	}
	if now := fmt.Sprint(*s.Upload); now != f.upload {
		f.upload = now
		f.r.Upload(s)
	}
}

// givenUp is why to end when nothing has come for too long.
func (f *follower) givenUp(ctx context.Context) error {
	idle := f.now().Sub(f.moved)
	if f.completed == nil || f.paused || f.wait.giveUp == 0 || idle < f.wait.giveUp {
		return nil
	}
	if s := f.it.Status(); len(s.Lost) > 0 && begun(s) {
		return withHint(missingHint, fault.Errorf(fault.Unreachable, "gave up after %s: %s", units.Seconds(idle), missingText(s)))
	}
	return fmt.Errorf("gave up after %s: nothing has come: %w", units.Seconds(idle), f.it.Why(ctx))
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
