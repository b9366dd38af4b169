package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"tandem/internal/fault"
)

// parallel is how many requests a folder keeps under way.
const parallel = 4

// Meter counts what passes; whoever shows progress reads it at leisure.
type Meter struct {
	Total, Done atomic.Int64 // bytes; Total grows while a folder is being read
	Files       atomic.Int64 // that are done
}

// Outcome is what became of a whole put or get.
type Outcome struct {
	Files   int   // stored or fetched
	Skipped int   // that were there already
	Bytes   int64 // of Files
	Failed  int
}

// Item is one file that is done.
type Item struct {
	Path    string // on the server
	Size    int64
	SHA256  string
	Skipped bool // it was there already
}

// tally collects what workers achieve.
type tally struct {
	mu    sync.Mutex // guards the fields below, and calls of tell
	out   Outcome
	first error
	tell  func(Item)
}

func (t *tally) done(i Item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i.Skipped {
		t.out.Skipped++
	} else {
		t.out.Files++
		t.out.Bytes += i.Size
	}
	if t.tell != nil {
		t.tell(i)
	}
}

// failed notes that one file failed. It returns err when going on with others makes
// no sense.
func (t *tally) failed(ctx context.Context, name string, err error) error {
	err = fmt.Errorf("%s: %w", name, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Failed++
	if ctx.Err() != nil && fault.KindOf(err) == fault.Closed {
		return ctx.Err() // broken off because another failed, which says more
	}
	if t.first == nil {
		t.first = err
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Exists, fault.NotFound, fault.Changed, fault.Corrupt, fault.Precondition, fault.Permission, fault.Gone:
		return ctx.Err() // a matter of this file
	}
	return err
}

// result returns the outcome, and the first failure with the number of others.
func (t *tally) result(err error) (Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first != nil && (err == nil || !errors.Is(err, context.Canceled)) {
		err = t.first
	}
	if err != nil && t.out.Failed > 1 {
		err = fmt.Errorf("%w (and %d more failed)", err, t.out.Failed-1)
	}
	return t.out, err
}

// inParallel runs the jobs, a few at a time, until one fails.
func inParallel(ctx context.Context, jobs []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(parallel, len(jobs)) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				if err := jobs[i](ctx); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
