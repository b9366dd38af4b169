package blobdir

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"sync"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

const (
	// flushEvery is how many bytes are handed to the device at once while an
	// upload runs, so that its Commit waits for the last of them only.
	flushEvery = 8 << 20
	// aloneSize is from how many unsynced bytes a Commit syncs its own file
	// before it joins the others.
	aloneSize = 1 << 20
	// spaceSize is from how many bytes it is asked whether they fit.
	spaceSize = 1 << 20
)

// Stage is an upload on its way. It implements store.Stage.
type Stage struct {
	b    *Blobs
	id   string
	size int64 // -1: unknown

	mu      sync.Mutex // guards the fields below; held by every call
	f       file       // nil when closed
	offset  int64
	durable int64
	flushed int64
	named   bool  // the name is durable
	broken  error // after it nothing can be added
	ended   error // why it was taken away from its caller
}

// Stage implements store.Blobs.
func (b *Blobs) Stage(ctx context.Context, id string, offset, size int64) (store.Stage, error) {
	if err := store.CheckStage(id, offset, size); err != nil {
		return nil, err
	}
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	w := &Stage{b: b, id: id, size: size, offset: offset, durable: offset, flushed: offset, named: offset > 0}
	w.mu.Lock() // until it is open: who takes it over waits
	defer w.mu.Unlock()
	if err := b.takeOver(id, w); err != nil {
		return nil, err
	}
	if err := w.open(); err != nil {
		b.forget(w)
		return nil, err
	}
	return w, nil
}

// takeOver makes w, or nobody when it is nil, the writer of id.
func (b *Blobs) takeOver(id string, w *Stage) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return b.errClosed()
	}
	before := b.writers[id]
	if b.writers[id] = w; w == nil {
		delete(b.writers, id)
	}
	b.mu.Unlock()
	if before != nil {
		before.revoke(fault.Errorf(fault.Busy, "stage %s: another writer took over, or it was dropped", id))
	}
	return nil
}

// open opens the file at the offset. mu is held.
func (w *Stage) open() error {
	if more := w.size - w.offset; w.size >= 0 && more >= spaceSize {
		if free, _, ok := w.b.tree.Space(); ok && free < more {
			return fault.Errorf(fault.Full, "stage %s: %d bytes to come, %d free", w.id, more, free)
		}
	}
	if w.offset > 0 { // Create would make what is not there
		if fi, err := w.b.tree.Stat(w.name()); errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() < w.offset {
			return fault.Errorf(fault.NotFound, "stage %s: less than %d bytes are there", w.id, w.offset)
		} else if err != nil {
			return wrap("stage", w.show(), err)
		}
	}
	f, err := w.b.tree.Create(w.name(), w.offset > 0)
	if err != nil {
		return wrap("stage", w.show(), err)
	}
	size, err := f.Size()
	if err == nil && size > w.offset {
		err = f.Truncate(w.offset)
	}
	if err != nil {
		f.Close()
		return wrap("stage", w.show(), err)
	}
	w.f = f
	return nil
}

func (w *Stage) name() string { return stagingDir + "/" + w.id }
func (w *Stage) show() string { return w.b.show(w.name()) }

// forget takes w out of the writers, unless another took over.
func (b *Blobs) forget(w *Stage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writers[w.id] == w {
		delete(b.writers, w.id)
	}
}

// revoke closes w after the call that is under way; those to come get err.
func (w *Stage) revoke(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = err
	w.close()
}

// close closes the file; what has to be durable is. mu is held.
func (w *Stage) close() {
	if w.f != nil {
		_ = w.f.Close() // synced as far as it was promised
		w.f = nil
	}
	w.b.forget(w)
}

// begin is the first step of a call. mu is held.
func (w *Stage) begin(op string) error {
	switch {
	case w.ended != nil:
		return w.ended
	case w.f == nil:
		return fault.Errorf(fault.Closed, "%s stage %s: it is closed", op, w.id)
	}
	return w.broken
}

// Write implements store.Stage.
func (w *Stage) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("write"); err != nil {
		return 0, err
	}
	if _, err := w.f.WriteAt(p, w.offset); err != nil {
		err = wrap("write", w.show(), err)
		if terr := w.f.Truncate(w.offset); terr != nil {
			w.broken = err
		}
		return 0, err
	}
	w.offset += int64(len(p))
	if w.offset-w.flushed >= flushEvery && w.f.Flush(w.flushed, w.offset-w.flushed) {
		w.flushed = w.offset
	}
	return len(p), nil
}

// Offset implements store.Stage.
func (w *Stage) Offset() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.offset
}

// Sync implements store.Stage. Everything written is durable after it.
func (w *Stage) Sync(ctx context.Context) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return w.durable, fault.Wrap(fault.Closed, err)
	}
	if err := w.begin("sync"); err != nil {
		return w.durable, err
	}
	err := w.sync()
	return w.durable, err
}

// sync makes bytes and name durable. mu is held.
func (w *Stage) sync() error {
	if err := w.syncBytes(); err != nil {
		return err
	}
	if !w.named {
		if err := w.b.tree.SyncDir(stagingDir); err != nil {
			w.broken = wrap("sync", w.b.show(stagingDir), err)
			return w.broken
		}
		w.named = true
	}
	w.durable = w.offset
	return nil
}

// syncBytes makes the bytes durable. When that fails, what was not durable
// before is lost: the system may call clean what it could not write. mu is held.
func (w *Stage) syncBytes() error {
	if err := w.f.Sync(); err != nil {
		w.broken = wrap("sync", w.show(), err)
		_ = w.f.Truncate(w.durable) // else the next Stage of the id does
		return w.broken
	}
	return nil
}

// Commit implements store.Stage.
func (w *Stage) Commit(ctx context.Context, root content.Hash) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Closed, err)
	}
	if err := w.begin("commit"); err != nil {
		return err
	}
	if err := store.CheckCommit(root, w.offset, w.size); err != nil {
		return err
	}
	synced := w.offset == w.durable
	if !synced && w.offset-w.durable >= aloneSize {
		if err := w.syncBytes(); err != nil {
			return err
		}
		synced = true
	}
	if err := w.b.group.commit(&arrival{w: w, root: root, synced: synced}); err != nil {
		w.broken = fault.Errorf(fault.KindOf(err), "commit stage %s: %w", w.id, err)
		return w.broken
	}
	w.close()
	return nil
}

// arrivingName is where the file stands while its commit is under way.
func (w *Stage) arrivingName(root content.Hash) string {
	return arrivingDir + "/" + hex.EncodeToString(root[:]) + "." + w.id
}

// Close implements store.Stage. A stage of which nothing is durable leaves
// nothing. An error that was told before is not told again.
func (w *Stage) Close(ctx context.Context) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return w.durable, nil
	}
	defer w.close()
	if w.broken == nil && w.offset > w.durable {
		if err := ctx.Err(); err != nil {
			return w.durable, fault.Wrap(fault.Closed, err)
		}
		if err := w.sync(); err != nil {
			return w.durable, err
		}
	}
	if w.durable == 0 {
		_ = w.b.tree.Remove(w.name())
	}
	return w.durable, nil
}

// Discard implements store.Stage.
func (w *Stage) Discard() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.b.tree.Remove(w.name())
	w.close()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return wrap("discard", w.show(), err)
}

// DropStage implements store.Blobs.
func (b *Blobs) DropStage(ctx context.Context, id string) error {
	if err := errors.Join(store.CheckStage(id, 0, -1), b.begin(ctx)); err != nil {
		return err
	}
	if err := b.takeOver(id, nil); err != nil {
		return err
	}
	name := stagingDir + "/" + id
	if err := b.tree.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("drop", b.show(name), err)
	}
	return nil
}

// Stages implements store.Blobs.
func (b *Blobs) Stages(ctx context.Context) iter.Seq2[store.StageInfo, error] {
	return func(yield func(store.StageInfo, error) bool) {
		for fi, err := range b.files(ctx, stagingDir) {
			if err != nil {
				yield(store.StageInfo{}, err)
				return
			}
			if store.CheckStage(fi.Name(), 0, -1) != nil {
				continue
			}
			if !yield(store.StageInfo{ID: fi.Name(), Size: fi.Size(), Modified: fi.ModTime().UTC()}, nil) {
				return
			}
		}
	}
}
