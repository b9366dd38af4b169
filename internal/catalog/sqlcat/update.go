package sqlcat

import (
	"context"
	"sync/atomic"

	"tandem/internal/catalog"
)

// most is how many Updates share one commit.
const most = 128

// The states of a job.
const (
	queued int32 = iota
	taken
	withdrawn
)

// job is an Update that waits. Its function runs in the goroutine that called
// Update, when the writer hands over the transaction: a panic in it
// goes where its caller expects it.
type job struct {
	state  atomic.Int32
	turn   chan *tx
	back   chan result
	answer chan error

	err  error // of the function, known to the writer
	gone bool  // the function ended without returning; nobody waits for an answer
}

// result is what the function came to.
type result struct {
	err  error
	gone bool
}

// Update implements catalog.Catalog.
func (db *DB) Update(ctx context.Context, f func(*catalog.Tx) error) error {
	return db.update(ctx, func(t *tx) error { return f(t.roles()) })
}

func (db *DB) update(ctx context.Context, f func(*tx) error) error {
	j := &job{turn: make(chan *tx), back: make(chan result), answer: make(chan error, 1)}
	select {
	case <-db.closing:
		return errClosed
	default:
	}
	select {
	case db.queue <- j:
	case <-db.closing:
		return errClosed
	case <-ctx.Done():
		return ended(ctx)
	}
	done := ctx.Done()
	for {
		select {
		case t := <-j.turn:
			j.run(t, f)
		case err := <-j.answer:
			return err
		case <-done:
			if j.state.CompareAndSwap(queued, withdrawn) {
				return ended(ctx)
			}
			done = nil // it runs, and what f captured is in use until the answer
		case <-db.stopped:
			select {
			case err := <-j.answer:
				return err
			default:
				return errClosed // it came into the queue when nobody read it any more
			}
		}
	}
}

// run runs f on the transaction and hands that back, whatever f does.
func (j *job) run(t *tx, f func(*tx) error) {
	r := result{gone: true}
	defer func() {
		t.over = true
		j.back <- r
	}()
	err := f(t)
	r = result{err: err}
}
