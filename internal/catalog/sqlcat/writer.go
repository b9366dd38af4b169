package sqlcat

import (
	"context"
	"errors"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// writer is the state of the goroutine that owns the writing session.
type writer struct {
	db      *DB
	session *session // nil: none yet, or the last one was lost
	wrote   bool     // the open transaction holds changes
	counts  bool     // and they are to be seen by Changed
}

// run is the writer. It ends when the catalog closes.
func (db *DB) run() {
	defer close(db.stopped)
	w := &writer{db: db}
	defer w.drop()
	for {
		select {
		case j := <-db.queue:
			w.round(j)
		case <-db.closing:
			for j := w.next(); j != nil; j = w.next() {
				j.answer <- errClosed
			}
			return
		}
	}
}

// next takes the next job that waits, nil when none does.
func (w *writer) next() *job {
	for {
		select {
		case j := <-w.db.queue:
			if j.state.CompareAndSwap(queued, taken) {
				return j
			}
		default:
			return nil
		}
	}
}

// round runs first and those that wait behind it in one transaction. When the
// connection is lost they run once more on a fresh one.
func (w *writer) round(first *job) {
	if !first.state.CompareAndSwap(queued, taken) {
		return
	}
	batch := []*job{first}
	err := w.attempt(&batch, true)
	if errors.Is(err, fault.Unreachable) && !errors.Is(err, catalog.ErrDoubt) {
		err = w.attempt(&batch, false)
	}
	for _, j := range batch {
		switch {
		case j.gone:
		case err != nil: // also for those that failed: what they saw may not have been so
			j.answer <- err
		default:
			j.answer <- j.err
		}
	}
}

// attempt runs the batch, more that come up if so wanted, and commits.
func (w *writer) attempt(batch *[]*job, more bool) error {
	if err := w.begin(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if i == len(*batch) {
			if !more || i == most {
				break
			}
			j := w.next()
			if j == nil {
				break
			}
			*batch = append(*batch, j)
		}
		if (*batch)[i].gone { // the first time round
			continue
		}
		if err := w.one((*batch)[i]); err != nil {
			w.abandon()
			return err
		}
	}
	return w.commit()
}

// one runs a job within the open transaction. A job that fails leaves nothing
// in it; the error of one is that of the whole transaction.
func (w *writer) one(j *job) error {
	shared := w.wrote // others' changes are in the transaction, and must outlive a failure
	if shared {
		if _, err := w.exec("SAVEPOINT one"); err != nil {
			return err
		}
	}
	t := &tx{ctx: context.Background(), db: w.db, session: w.session, write: true}
	j.turn <- t
	r := <-j.back
	if t.bad != nil && t.fatal {
		j.gone = r.gone
		return t.bad
	}
	if r.err == nil && !r.gone {
		r.err = t.bad // f may have made light of it
	}
	j.err, j.gone = r.err, r.gone
	failed := j.err != nil || j.gone
	switch {
	case failed && shared:
		if _, err := w.exec("ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
	case failed && (t.wrote || t.bad != nil):
		w.abandon()
		return w.begin()
	case !failed:
		w.wrote = w.wrote || t.wrote
		w.counts = w.counts || t.wrote && !t.probe
	}
	if shared {
		_, err := w.exec("RELEASE SAVEPOINT one")
		return err
	}
	return nil
}

// exec runs a statement of the writer's own.
func (w *writer) exec(query string) (int64, error) {
	ctx, cancel := w.patience()
	defer cancel()
	n, err := w.session.exec(ctx, query)
	if err != nil {
		return 0, w.judge(err)
	}
	return n, nil
}

func (w *writer) patience() (context.Context, context.CancelFunc) {
	if w.db.dialect.Patience == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), w.db.dialect.Patience)
}

func (w *writer) judge(err error) error {
	kind, _ := w.db.judge(context.Background(), err)
	return fault.Errorf(kind, "catalog: %w", err)
}

// begin opens the transaction, on a fresh connection when the one at hand
// turns out to be dead.
func (w *writer) begin() (err error) {
	w.wrote, w.counts = false, false
	for range 2 {
		if w.session == nil {
			ctx, cancel := w.patience()
			w.session, err = openSession(ctx, w.db.dialect.Write, w.db.dialect.Prepare)
			cancel()
			if err != nil {
				w.session = nil
				return w.judge(err)
			}
		}
		if err = w.start(); err == nil {
			return nil
		}
		if !errors.Is(err, fault.Unreachable) {
			w.abandon()
			return err
		}
		w.drop()
	}
	return err
}

func (w *writer) start() error {
	ctx, cancel := w.patience()
	defer cancel()
	if err := w.session.script(ctx, w.db.dialect.BeginUpdate); err != nil {
		return w.judge(err)
	}
	return nil
}

// abandon ends the transaction without a trace.
func (w *writer) abandon() {
	if w.session != nil && w.session.rollback() != nil {
		w.drop()
	}
}

// drop closes the session.
func (w *writer) drop() {
	if w.session != nil {
		w.session.close()
		w.session = nil
	}
}

// commit makes what the transaction holds durable.
func (w *writer) commit() error {
	if !w.wrote {
		w.abandon()
		return nil
	}
	mark, err := w.mark()
	if err == nil {
		if _, err = w.exec("COMMIT"); err == nil {
			return nil
		}
	}
	w.abandon()
	if mark == "" || !errors.Is(err, fault.Unreachable) {
		return err
	}
	return w.settle(mark, err)
}

// mark counts the commit and returns the transaction's name, empty where the
// dialect has none.
func (w *writer) mark() (name string, err error) {
	const count = "UPDATE changes SET n = n + 1"
	expression := w.db.dialect.Mark
	switch {
	case expression == "" && w.counts:
		_, err = w.exec(count)
	case expression != "" && w.counts:
		err = w.own().change(into{&name}, count+" RETURNING "+expression)
	case expression != "":
		err = w.own().scan(into{&name}, "SELECT "+expression)
	}
	return name, err
}

// own returns the open transaction for the writer's own use.
func (w *writer) own() *tx {
	return &tx{ctx: context.Background(), db: w.db, session: w.session, write: true}
}

// settle finds out what became of a commit whose answer was lost with the
// connection: nil when it was made, lost when it was not.
func (w *writer) settle(mark string, lost error) error {
	const tries = 6
	pause := 50 * time.Millisecond
	for range tries {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-w.db.closing:
			timer.Stop()
			return errors.Join(catalog.ErrDoubt, lost)
		}
		pause *= 2
		if w.begin() != nil {
			continue
		}
		var done bool
		err := w.own().scan(into{&done}, w.db.dialect.Committed, mark)
		w.abandon()
		switch {
		case err != nil:
		case done:
			return nil
		default:
			return lost
		}
	}
	return errors.Join(catalog.ErrDoubt, lost)
}
