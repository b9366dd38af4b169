package mem

import (
	"context"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// Stage is an upload on its way. It implements store.Stage.
type Stage struct {
	b      *Blobs
	id     string
	size   int64   // -1: unknown
	s      *staged // of which it is the writer until another takes over
	closed bool
}

// Stage implements store.Blobs.
func (b *Blobs) Stage(ctx context.Context, id string, offset, size int64) (store.Stage, error) {
	if err := store.CheckStage(id, offset, size); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Stage"); err != nil {
		return nil, err
	}
	s := b.stages[id]
	if s == nil {
		s = new(staged)
	}
	if int64(s.durable) < offset {
		return nil, fault.Errorf(fault.NotFound, "stage %s: %d bytes are durable, not %d", id, s.durable, offset)
	}
	if more := size - offset; size >= 0 && b.limit > 0 && b.used-int64(len(s.data))+offset+more > b.limit {
		return nil, fault.Errorf(fault.Full, "stage %s: no room for %d more bytes", id, more)
	}
	b.used -= int64(len(s.data)) - offset
	next := &staged{data: s.data[:offset:offset], durable: int(offset), modified: b.now()}
	w := &Stage{b: b, id: id, size: size, s: next}
	next.writer, s.writer = w, nil
	b.stages[id] = next
	return w, nil
}

// begin is the first step of every call of a Stage. b.mu is held.
func (w *Stage) begin(ctx context.Context, op string) error {
	if w.closed {
		return fault.Errorf(fault.Closed, "%s stage %s: it is closed", op, w.id)
	}
	if w.s.writer != w {
		return fault.Errorf(fault.Busy, "%s stage %s: another writer took over", op, w.id)
	}
	return w.b.begin(ctx, op)
}

// Write implements store.Stage.
func (w *Stage) Write(p []byte) (int, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if err := w.begin(context.Background(), "Write"); err != nil {
		return 0, err
	}
	if w.b.limit > 0 && w.b.used+int64(len(p)) > w.b.limit {
		return 0, fault.Errorf(fault.Full, "write stage %s: no room", w.id)
	}
	w.s.data = append(w.s.data, p...)
	w.b.used += int64(len(p))
	return len(p), nil
}

// Offset implements store.Stage.
func (w *Stage) Offset() int64 {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	return int64(len(w.s.data))
}

// Sync implements store.Stage.
func (w *Stage) Sync(ctx context.Context) (int64, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	return w.sync(ctx, "Sync")
}

func (w *Stage) sync(ctx context.Context, op string) (int64, error) {
	if err := w.begin(ctx, op); err != nil {
		return int64(w.s.durable), err
	}
	w.s.durable, w.s.modified = len(w.s.data), w.b.now()
	return int64(w.s.durable), nil
}

// Commit implements store.Stage.
func (w *Stage) Commit(ctx context.Context, root content.Hash) error {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if err := w.begin(ctx, "Commit"); err != nil {
		return err
	}
	if err := store.CheckCommit(root, int64(len(w.s.data)), w.size); err != nil {
		return err
	}
	w.b.used -= int64(len(w.b.blobs[root].data))
	w.b.blobs[root] = memBlob{w.s.data, w.b.now()}
	w.closed = true
	delete(w.b.stages, w.id)
	return nil
}

// Close implements store.Stage.
func (w *Stage) Close(ctx context.Context) (int64, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if w.closed {
		return int64(w.s.durable), nil
	}
	n, err := w.sync(ctx, "Close")
	w.closed = true
	return n, err
}

// Discard implements store.Stage.
func (w *Stage) Discard() error {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if w.closed {
		return nil
	}
	err := w.begin(context.Background(), "Discard")
	w.closed = true
	if err != nil {
		return err
	}
	w.b.drop(w.id)
	return nil
}

// DropStage implements store.Blobs.
func (b *Blobs) DropStage(ctx context.Context, id string) error {
	if err := store.CheckStage(id, 0, -1); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.begin(ctx, "DropStage"); err != nil {
		return err
	}
	b.drop(id)
	return nil
}

// drop forgets a stage and who wrote to it. b.mu is held.
func (b *Blobs) drop(id string) {
	if s := b.stages[id]; s != nil {
		s.writer = nil
		b.used -= int64(len(s.data))
		delete(b.stages, id)
	}
}
