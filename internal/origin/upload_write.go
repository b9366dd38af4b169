package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
	"tandem/internal/store"
)

// Progress is saved so often: what a crash may take is that much. A sync holds up the
// upload, so that on a fast line time is what counts.
const (
	saveBytes = 1 << 30
	saveEvery = 5 * time.Second
	markEvery = 1 << 20 // hash states are kept at distances of this, until one is saved
)

// lastSteps is how long the last steps of an upload may take when nobody waits for
// them any more.
const lastSteps = 2 * time.Minute

// WriteUpload appends body at offset, which must be the upload's (fault.Precondition otherwise). What
// arrived is kept when body breaks off. With the last byte the content is checked
// (fault.Corrupt, and the upload is gone) and becomes the file: entry is then set. Bytes behind the last one
// are fault.Invalid, and the upload is gone, too. A later writer of the same upload ends this one with fault.Busy.
//
// Body is read by a goroutine that WriteUpload waits for. A body with a method Abort() is told to end a Read under way
// when the upload ends before the body does.
func (s *Server) WriteUpload(ctx context.Context, c Caller, id string, offset int64, body io.Reader) (_ catalog.Upload, entry *Entry, _ error) {
	in, entry, err := s.write(ctx, c, id, offset, body)
	return in.u, entry, err
}

// write is WriteUpload; the intake it returns is never nil.
func (s *Server) write(ctx context.Context, c Caller, id string, offset int64, body io.Reader) (*intake, *Entry, error) {
	w, err := s.files.take(ctx, id)
	if err != nil {
		return &intake{}, nil, err
	}
	in, f, err := s.receive(w, c, offset, body)
	var entry *Entry
	if err == nil {
		entry, err = s.afterBody(w.ctx, c, in)
	}
	w.release() // before waiting: whoever takes over need not wait for a dead connection
	if f != nil {
		f.wait()
	}
	return in, entry, err
}

// receive takes body as far as it comes.
func (s *Server) receive(w *writer, c Caller, offset int64, body io.Reader) (*intake, *feed, error) {
	in := &intake{s: s}
	var err error
	if in.u, err = s.takeUpload(w.ctx, c, w.id); err != nil {
		return in, nil, err
	}
	if in.u.Node == 0 && offset == in.u.Offset {
		if in, err = s.resume(w.ctx, in.u); err != nil {
			return in, nil, err
		}
	}
	if offset != in.u.Offset {
		return in, nil, errors.Join(in.close(w.ctx), fault.Errorf(fault.Precondition, "upload: it is at byte %d, not at %d", in.u.Offset, offset))
	}
	if in.u.Node != 0 || in.u.Offset == in.u.Size {
		return in, nil, nil
	}
	run := s.files.running.begin(c, policy.PublishFile, in.u.Collection, func() {
		w.cancel(fault.Errorf(fault.Unauthenticated, "upload: the permission for it has ended"))
	})
	defer s.files.running.end(run)
	f := startFeed(body, in.u.Size-in.u.Offset, s.cfg.Now)
	if err := in.take(w.ctx, f); errors.Is(err, errTooLong{}) {
		return in, f, s.giveUp(context.WithoutCancel(w.ctx), c, in, err)
	} else if err != nil {
		return in, f, errors.Join(err, in.close(w.ctx))
	}
	return in, f, nil
}

// afterBody saves how far the upload is, or finishes it.
func (s *Server) afterBody(ctx context.Context, c Caller, in *intake) (*Entry, error) {
	if in.u.Node != 0 {
		return s.finished(ctx, c, in.u)
	}
	if in.sum.Size() < in.u.Size {
		return nil, in.close(ctx)
	}
	e, err := s.finish(ctx, c, in)
	if err != nil {
		return nil, errors.Join(err, in.close(ctx))
	}
	return e, nil
}

// finished returns the file an upload became.
func (s *Server) finished(ctx context.Context, c Caller, u catalog.Upload) (*Entry, error) {
	var e Entry
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		var err error
		e, err = s.arrived(tx, c, u.Node)
		return err
	})
	return &e, err
}

// intake is an upload being written.
type intake struct {
	s       *Server
	u       catalog.Upload // as it is in the catalog
	ifMatch content.Hash
	sum     *content.Stream
	stage   store.Stage // nil: all bytes are there, or the stage is closed
	marks   []mark      // behind u.Offset, rising
	tried   int64       // offset at which saving was tried last
	brought bool        // the store did not have the content before
	created bool        // the name was free
}

// mark is the hash state at an offset.
type mark struct {
	offset int64
	state  []byte
}

// resume opens an upload for writing at its offset. When the bytes it should have are not there,
// it begins anew: u.Offset is then 0.
func (s *Server) resume(ctx context.Context, u catalog.Upload) (*intake, error) {
	in := &intake{s: s, u: u}
	var err error
	in.ifMatch, in.sum, err = openState(u.State)
	if err != nil || in.sum.Size() != u.Offset {
		s.cfg.Log.Error("state of an upload cannot be used; it begins anew", "upload", u.ID, "err", err)
		return in, in.restart(ctx)
	}
	if u.Offset == u.Size {
		return in, nil
	}
	in.stage, err = s.cfg.Blobs.Stage(ctx, u.ID, u.Offset, u.Size)
	if errors.Is(err, fault.NotFound) && u.Offset > 0 {
		return in, in.restart(ctx)
	}
	if err != nil {
		return in, fmt.Errorf("upload: %w", err)
	}
	return in, nil
}

// restart sets an upload back to its begin.
func (in *intake) restart(ctx context.Context) error {
	in.sum, in.marks = content.NewStream(), nil
	state, err := sealState(in.ifMatch, in.sum)
	if err != nil {
		return err
	}
	err = in.s.progress(ctx, func(tx *catalog.Tx) error {
		return tx.Uploads.Save(in.u.ID, in.u.Epoch, 0, state, in.s.now())
	})
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	in.u.Offset, in.u.State = 0, state
	in.stage, err = in.s.cfg.Blobs.Stage(ctx, in.u.ID, 0, in.u.Size)
	return err
}

// take hashes and stages what f reads, and saves progress now and then.
func (in *intake) take(ctx context.Context, f *feed) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.stop()
			return ended(ctx)
		case <-tick.C:
			if err := in.saveSome(ctx); err != nil {
				f.stop()
				return err
			}
		case c, ok := <-f.full:
			if !ok {
				return f.err
			}
			err := in.accept(c.bytes)
			c.free()
			if err == nil && in.stage.Offset()-max(in.u.Offset, in.tried) >= saveBytes {
				err = in.saveSome(ctx)
			}
			if err != nil {
				f.stop()
				return err
			}
		}
	}
}

// ended says why ctx did.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Closed, err)
	}
	return err
}

// accept hashes and stages b side by side.
func (in *intake) accept(b []byte) error {
	if len(b) <= smallChunk {
		if _, err := in.stage.Write(b); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		in.sum.Write(b)
	} else {
		hashed := make(chan struct{})
		go func() {
			defer close(hashed)
			in.sum.Write(b)
		}()
		_, err := in.stage.Write(b)
		<-hashed
		if err != nil {
			return fmt.Errorf("upload: %w", err)
		}
	}
	in.mark()
	return nil
}

// mark keeps the hash state at the present offset, in place of the last one when that is
// near the one before it.
func (in *intake) mark() {
	before := in.u.Offset
	if n := len(in.marks); n > 1 {
		before = in.marks[n-2].offset
	}
	at := in.sum.Size()
	state, err := sealState(in.ifMatch, in.sum)
	if err != nil {
		return
	}
	if n := len(in.marks); n > 0 && at-before < markEvery {
		in.marks[n-1] = mark{at, state}
		return
	}
	in.marks = append(in.marks, mark{at, state})
}

// saveSome makes what has arrived durable and saves it. That the catalog does not answer
// now does not end an upload; that another writer has it does.
func (in *intake) saveSome(ctx context.Context) error {
	at := in.stage.Offset()
	if at == in.u.Offset {
		return nil
	}
	in.tried = at
	durable, err := in.stage.Sync(ctx)
	if err == nil {
		err = in.save(ctx, durable)
	}
	if err != nil && !errors.Is(err, fault.Unreachable) {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// save records the newest mark that is durable.
func (in *intake) save(ctx context.Context, durable int64) error {
	m, rest := in.best(durable)
	if m.offset == in.u.Offset {
		return nil
	}
	err := in.s.progress(ctx, func(tx *catalog.Tx) error {
		return tx.Uploads.Save(in.u.ID, in.u.Epoch, m.offset, m.state, in.s.now())
	})
	if err == nil {
		in.u.Offset, in.u.State, in.marks = m.offset, m.state, rest
	}
	return err
}

// best returns the newest mark not behind durable, or what is saved already, and the marks behind it.
func (in *intake) best(durable int64) (mark, []mark) {
	for i := len(in.marks) - 1; i >= 0; i-- {
		if in.marks[i].offset <= durable {
			return in.marks[i], in.marks[i+1:]
		}
	}
	return mark{in.u.Offset, in.u.State}, in.marks
}

// close keeps what has arrived for a later writer. It may be called when nothing is open.
func (in *intake) close(ctx context.Context) error {
	if in.stage == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSteps)
	defer cancel()
	stage := in.stage
	in.stage = nil
	durable, err := stage.Close(ctx)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if m, _ := in.best(durable); m.offset == in.u.Offset {
		return nil
	}
	err = in.s.patiently(ctx, func() error { return in.save(ctx, durable) })
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// progress is an Update that changes nothing anybody's cache holds.
func (s *Server) progress(ctx context.Context, f func(*catalog.Tx) error) error {
	return s.cfg.Catalog.Update(ctx, f)
}
