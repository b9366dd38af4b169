package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// limits are the sizes of the parts of an upload, and what else a test has smaller.
type limits struct {
	part   int64 // a full one
	least  int64 // of any but the last: what S3 composes
	budget int64 // of all stages' memory; above it parts are written from least on
	many   int   // parts from which full ones are larger
	tries  int   // how often a request is sent before its failure is told
	// patience is how long a request without a body of note may take, before
	// the object store counts as unreachable.
	patience time.Duration
}

const patience = 10 * time.Second

func defaultLimits() limits { return limits{16 << 20, 5 << 20, 512 << 20, 4000, 3, patience} }

// maxParts is how many parts S3 composes.
const maxParts = 10_000

// full returns the size of a full part behind n of them: 16 MiB up to 62 GiB,
// then 256 MiB up to 1.5 TiB.
func (s limits) full(n int) int64 {
	if n < s.many {
		return s.part
	}
	return 16 * s.part
}

// Stage is an upload on its way. It implements store.Stage. One part is filled
// while another is written.
type Stage struct {
	b    *Blobs
	id   string
	size int64 // -1: unknown

	kept  int64  // durable when it was opened
	fresh bool   // begun anew: what was staged before is still to be dropped
	parts []part // written, without a gap
	// old is the part that stood where buf begins; it is replaced when buf is
	// written.
	old    condition
	start  int64 // of buf
	buf    []byte
	spare  []byte
	flight chan written // nil: no part is being written
	gone   string       // object to remove at Commit: the part that buf has replaced
	broken error
	closed bool
}

// written is the outcome of writing a part.
type written struct {
	part part
	err  error
	buf  []byte
}

func (b *Blobs) staging(id string) string { return b.cfg.Prefix + "staging/" + id + "/" }

// Stage implements store.Blobs. The end of a part that is too small to be
// composed is read back.
func (b *Blobs) Stage(ctx context.Context, id string, offset, size int64) (store.Stage, error) {
	if err := store.CheckStage(id, offset, size); err != nil {
		return nil, err
	}
	if b.ctx.Err() != nil {
		return nil, context.Cause(b.ctx)
	}
	w := &Stage{b: b, id: id, size: size, kept: offset, fresh: offset == 0, start: offset, old: condition{absent: true}}
	if w.fresh { // most are small and need no part, nor a look at old ones
		return w, nil
	}
	if err := w.take(ctx, offset); err != nil {
		return nil, fmt.Errorf("stage %s: %w", id, err)
	}
	return w, nil
}

// take finds the parts before offset and drops the others.
func (w *Stage) take(ctx context.Context, offset int64) error {
	var drop []part
	at := int64(0)
	for p, err := range w.b.parts(ctx, w.id) {
		switch {
		case err != nil:
			return err
		case p.start == at && at < offset:
			w.parts = append(w.parts, p)
			at = p.end()
		default:
			drop = append(drop, p)
		}
	}
	if at < offset {
		return fault.Errorf(fault.NotFound, "%d bytes are durable, not %d", at, offset)
	}
	if err := w.reread(ctx, offset); err != nil {
		return err
	}
	for _, p := range drop {
		if p.name == w.gone {
			continue
		}
		if err := w.b.remove(ctx, p.name); err != nil {
			return err
		}
	}
	return nil
}

// reread takes the last part into memory if it cannot stand as it is: it is too
// small, goes beyond offset, or there are so many that small ones must not add up.
func (w *Stage) reread(ctx context.Context, offset int64) error {
	n := len(w.parts)
	if n == 0 {
		return nil
	}
	last := w.parts[n-1]
	if last.end() == offset && last.size >= w.b.limits.least && (n < w.b.limits.many || last.size >= w.b.limits.full(n-1)) {
		return nil
	}
	part := last
	part.size = offset - last.start
	data, err := w.b.fetch(ctx, part)
	if err != nil {
		return err
	}
	w.parts, w.start, w.old, w.gone = w.parts[:n-1], last.start, condition{etag: last.etag}, last.name
	w.add(data)
	return nil
}

// parts yields what is staged of id, by start.
func (b *Blobs) parts(ctx context.Context, id string) iter.Seq2[part, error] {
	return func(yield func(part, error) bool) {
		prefix := b.staging(id)
		for o, err := range b.list(ctx, prefix) {
			if err != nil {
				yield(part{}, err)
				return
			}
			start, err := strconv.ParseInt(strings.TrimPrefix(o.Key, prefix), 16, 64)
			if err != nil || prefix+hexStart(start) != o.Key || o.Size == 0 {
				continue
			}
			if !yield(part{name: o.Key, start: start, size: o.Size, etag: strings.Trim(o.ETag, `"`)}, nil) {
				return
			}
		}
	}
}

// add appends to buf, which grows with what is in it.
func (w *Stage) add(p []byte) {
	if need := len(w.buf) + len(p); need > cap(w.buf) {
		room := max(need, min(2*cap(w.buf), int(w.b.limits.full(len(w.parts)))))
		w.buf = append(make([]byte, 0, room), w.buf...)
	}
	w.buf = append(w.buf, p...)
	w.b.buffered.Add(int64(len(p)))
}

// Write implements store.Stage.
func (w *Stage) Write(p []byte) (int, error) {
	if err := w.check("write"); err != nil {
		return 0, err
	}
	for rest := p; len(rest) > 0; {
		full := w.full()
		if int64(len(w.buf)) >= full {
			if err := w.flush(w.b.ctx); err != nil {
				return 0, err
			}
			continue
		}
		n := min(int64(len(rest)), full-int64(len(w.buf)))
		w.add(rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

// full returns from which length buf is written.
func (w *Stage) full() int64 {
	n := len(w.parts)
	if w.flight != nil {
		n++
	}
	full := w.b.limits.full(n)
	if w.b.buffered.Load() > w.b.limits.budget && n < w.b.limits.many {
		full = min(full, max(w.b.limits.least, int64(len(w.buf))))
	}
	return full
}

// check is the first step of a call.
func (w *Stage) check(op string) error {
	if w.closed {
		return fault.Errorf(fault.Closed, "%s stage %s: it is closed", op, w.id)
	}
	return w.broken
}

// flush begins to write buf, after the part before it was.
func (w *Stage) flush(ctx context.Context) error {
	if err := w.land(); err != nil {
		return err
	}
	if err := w.clean(ctx); err != nil {
		w.broken = fmt.Errorf("stage %s: %w", w.id, err)
		return w.broken
	}
	if len(w.parts) >= maxParts-1 {
		w.broken = fault.Errorf(fault.Full, "stage %s: more than %d parts", w.id, maxParts)
		return w.broken
	}
	p := part{name: w.b.staging(w.id) + hexStart(w.start), start: w.start, size: int64(len(w.buf))}
	buf, old, flight := w.buf, w.old, make(chan written, 1)
	w.flight = flight
	go func(p part) {
		etag, err := w.b.put(ctx, p.name, buf, old)
		p.etag = etag
		flight <- written{p, err, buf}
	}(p)
	w.start, w.buf, w.spare = p.end(), w.spare[:0], nil
	w.old, w.gone = condition{absent: true}, ""
	return nil
}

// clean drops what was staged before w began anew.
func (w *Stage) clean(ctx context.Context) error {
	if !w.fresh {
		return nil
	}
	err := w.b.DropStage(ctx, w.id)
	w.fresh = err != nil
	return err
}

// land waits for the part that is being written.
func (w *Stage) land() error {
	if w.flight == nil {
		return w.broken
	}
	done := <-w.flight
	w.flight = nil
	w.b.buffered.Add(-int64(len(done.buf)))
	if done.err != nil {
		w.broken = fmt.Errorf("stage %s: %w", w.id, done.err)
		return w.broken
	}
	w.parts, w.spare = append(w.parts, done.part), done.buf[:0]
	return nil
}

// Offset implements store.Stage.
func (w *Stage) Offset() int64 { return w.start + int64(len(w.buf)) }

// durable returns how many bytes are.
func (w *Stage) durable() int64 {
	if n := len(w.parts); n > 0 {
		return max(w.kept, w.parts[n-1].end())
	}
	return w.kept
}

// Sync implements store.Stage: parts that are full are durable.
func (w *Stage) Sync(ctx context.Context) (int64, error) {
	if err := w.check("sync"); err != nil {
		return w.durable(), err
	}
	if err := ctx.Err(); err != nil {
		return w.durable(), fault.Wrap(fault.Closed, err)
	}
	err := w.land()
	return w.durable(), err
}

// Close implements store.Stage. An error that was told before is not told again.
func (w *Stage) Close(ctx context.Context) (int64, error) {
	if w.closed {
		return w.durable(), nil
	}
	told := w.broken != nil
	err := w.land()
	if err == nil && len(w.buf) > 0 {
		if err = w.flush(ctx); err == nil {
			err = w.land()
		}
	} else if err == nil {
		err = w.clean(ctx)
	}
	w.end()
	if told {
		err = nil
	}
	return w.durable(), err
}

// end gives up the memory.
func (w *Stage) end() {
	w.closed = true
	w.b.buffered.Add(-int64(len(w.buf)))
	w.buf, w.spare = nil, nil
}

// Discard implements store.Stage.
func (w *Stage) Discard() error {
	if w.closed {
		return nil
	}
	_ = w.land() // what it has written is deleted
	w.end()
	return w.b.DropStage(w.b.ctx, w.id)
}

// DropStage implements store.Blobs.
func (b *Blobs) DropStage(ctx context.Context, id string) error {
	if err := store.CheckStage(id, 0, -1); err != nil {
		return err
	}
	for o, err := range b.list(ctx, b.staging(id)) {
		if err != nil {
			return err
		}
		if err := b.remove(ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// Stages implements store.Blobs.
func (b *Blobs) Stages(ctx context.Context) iter.Seq2[store.StageInfo, error] {
	return func(yield func(store.StageInfo, error) bool) {
		prefix := b.cfg.Prefix + "staging/"
		var info store.StageInfo // of what is listed now: objects come by name
		for o, err := range b.list(ctx, prefix) {
			if err != nil {
				yield(store.StageInfo{}, err)
				return
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(o.Key, prefix), "/")
			if store.CheckStage(id, 0, -1) != nil {
				continue
			}
			if id != info.ID {
				if info.ID != "" && !yield(info, nil) {
					return
				}
				info = store.StageInfo{ID: id}
			}
			info.Size += o.Size
			if o.LastModified.After(info.Modified) {
				info.Modified = o.LastModified.UTC()
			}
		}
		if info.ID != "" {
			yield(info, nil)
		}
	}
}

// Commit implements store.Stage. What fits into one part is written in its
// place at once; else the parts are composed by the store.
func (w *Stage) Commit(ctx context.Context, root content.Hash) error {
	if err := w.check("commit"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Closed, err)
	}
	if err := store.CheckCommit(root, w.Offset(), w.size); err != nil {
		return err
	}
	if err := w.land(); err != nil {
		return err
	}
	if err := w.commit(ctx, w.b.blob(root)); err != nil {
		w.broken = fmt.Errorf("commit stage %s: %w", w.id, err)
		return w.broken
	}
	for _, p := range w.parts {
		_ = w.b.remove(ctx, p.name) // else it is swept
	}
	if w.gone != "" {
		_ = w.b.remove(ctx, w.gone)
	}
	w.end()
	return nil
}

func (w *Stage) commit(ctx context.Context, to string) error {
	switch {
	case len(w.parts) == 0:
		_, err := w.b.put(ctx, to, w.buf, condition{})
		return err
	case len(w.parts) == 1 && len(w.buf) == 0:
		return w.lost(w.b.copy(ctx, to, w.parts[0]))
	}
	return w.lost(w.b.compose(ctx, to, w.parts, w.buf))
}

// lost says who has taken a part that is not there any more.
func (w *Stage) lost(err error) error {
	if errors.Is(err, fault.NotFound) {
		return fault.Errorf(fault.Busy, "another writer took over: %w", err)
	}
	return err
}
