package origin

import (
	"context"
	"sync"

	"tandem/internal/fault"
)

// writers is who writes to which upload in this process.
type writers struct {
	mu sync.Mutex // guards the field below
	by map[string]*writer
}

// writer is one call that holds an upload.
type writer struct {
	of     *writers
	id     string
	ctx    context.Context // ends when a later writer comes
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the upload was let go
}

// take makes the caller the writer of upload id in this process: an earlier one is told to
// end, and waited for.
func (f *files) take(ctx context.Context, id string) (*writer, error) {
	return f.writers.take(ctx, id)
}

func (ws *writers) take(ctx context.Context, id string) (*writer, error) {
	w := &writer{of: ws, id: id, done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	for {
		old := ws.put(w)
		if old == nil {
			return w, nil
		}
		old.cancel(fault.Errorf(fault.Busy, "upload: another connection goes on with it"))
		select {
		case <-old.done:
		case <-ctx.Done():
			w.cancel(nil)
			return nil, fault.Wrap(fault.Closed, ctx.Err())
		}
	}
}

// put makes w the writer unless there is one, which it returns.
func (ws *writers) put(w *writer) *writer {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if old := ws.by[w.id]; old != nil {
		return old
	}
	if ws.by == nil {
		ws.by = make(map[string]*writer)
	}
	ws.by[w.id] = w
	return nil
}

// release lets the upload go.
func (w *writer) release() {
	w.of.mu.Lock()
	delete(w.of.by, w.id)
	w.of.mu.Unlock()
	w.cancel(nil)
	close(w.done)
}
