package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// firstSize is how much of content Open asks for: a small file takes one request.
const firstSize = 64 << 10

// reader reads an object by ranges, asked for when a Read needs one. It is used
// by one goroutine at a time.
type reader struct {
	b    *Blobs
	ctx  context.Context // of Open's caller
	name string
	etag string
	size int64

	first  []byte // the beginning
	off    int64
	body   io.ReadCloser // nil: none
	at     int64         // where body stands
	closed bool
}

// Open implements store.Blobs. Ctx bounds the reading, too. What is replaced
// while it is read ends with an error.
func (b *Blobs) Open(ctx context.Context, root content.Hash) (io.ReadSeekCloser, store.BlobInfo, error) {
	r := &reader{b: b, ctx: ctx, name: b.blob(root)}
	info, err := r.begin()
	if err != nil {
		return nil, store.BlobInfo{}, err
	}
	info.Root = root
	return r, info, nil
}

// begin reads the beginning, with which the store tells the size.
func (r *reader) begin() (store.BlobInfo, error) {
	ctx, done := r.b.begin(r.ctx, firstSize)
	defer done()
	opts, err := r.b.rangeOf(0, firstSize, "")
	if err != nil {
		return store.BlobInfo{}, err
	}
	body, o, head, err := r.b.core.GetObject(ctx, r.b.cfg.Bucket, r.name, opts)
	if err != nil {
		return store.BlobInfo{}, r.b.fail(ctx, "read", r.name, err)
	}
	defer body.Close()
	r.etag, r.size = o.ETag, o.Size
	if total, ok := totalSize(head.Get("Content-Range")); ok {
		r.size = total
	}
	want := min(r.size, firstSize)
	r.first = make([]byte, want)
	if _, err := io.ReadFull(body, r.first); err != nil {
		return store.BlobInfo{}, r.b.fail(ctx, "read", r.name, err)
	}
	return store.BlobInfo{Size: r.size, Modified: o.LastModified.UTC()}, nil
}

// totalSize reads the size behind the slash of a Content-Range.
func totalSize(head string) (int64, bool) {
	_, total, ok := strings.Cut(head, "/")
	n, err := strconv.ParseInt(total, 10, 64)
	return n, ok && err == nil && n >= 0
}

// Read implements io.Reader. A connection that breaks is taken up once.
func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, fault.Errorf(fault.Closed, "read %s: it is closed", r.name)
	}
	if r.off >= r.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.off < int64(len(r.first)) {
		n := copy(p, r.first[r.off:])
		r.off += int64(n)
		return n, nil
	}
	var err error
	for range 2 {
		if err = r.reach(); err != nil {
			return 0, err
		}
		var n int
		n, err = r.body.Read(p)
		r.off += int64(n)
		r.at = r.off
		if n > 0 {
			return n, nil
		}
		if err == nil {
			return 0, nil
		}
		r.drop()
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, r.b.fail(r.ctx, "read", r.name, err)
}

// reach makes body stand at off.
func (r *reader) reach() error {
	if r.body != nil && r.at == r.off {
		return nil
	}
	r.drop()
	opts, err := r.b.rangeOf(r.off, r.size-r.off, r.etag)
	if err != nil {
		return err
	}
	// The answer's head is to come in time; how long its body takes is the
	// matter of whom it is sent to.
	ctx, cancel := context.WithCancelCause(r.ctx)
	late := time.AfterFunc(r.b.limits.patience, func() { cancel(fault.Errorf(fault.Unreachable, "no answer in time")) })
	stop := context.AfterFunc(r.b.ctx, func() { cancel(context.Cause(r.b.ctx)) })
	body, _, _, err := r.b.core.GetObject(ctx, r.b.cfg.Bucket, r.name, opts)
	late.Stop()
	if err != nil {
		err = r.b.fail(ctx, "read", r.name, err)
		stop()
		cancel(nil)
		return err
	}
	r.body, r.at = &answer{body, func() { stop(); cancel(nil) }}, r.off
	return nil
}

// answer is a body whose request ends with it.
type answer struct {
	io.ReadCloser
	end func()
}

func (a *answer) Close() error {
	a.end() // first: what is not wanted any more need not arrive
	return a.ReadCloser.Close()
}

// drop gives up body.
func (r *reader) drop() {
	if r.body != nil {
		_ = r.body.Close() // its bytes were counted
		r.body = nil
	}
}

// Seek implements io.Seeker; nothing is asked for.
func (r *reader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.off
	case io.SeekEnd:
		off += r.size
	}
	if off < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return r.off, fault.Errorf(fault.Invalid, "seek %s to %d", r.name, off)
	}
	r.off = off
	return off, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.drop()
	r.closed = true
	return nil
}

// fetch returns a whole small object.
func (b *Blobs) fetch(ctx context.Context, p part) ([]byte, error) {
	ctx, done := b.begin(ctx, p.size)
	defer done()
	opts, err := b.rangeOf(0, p.size, p.etag)
	if err != nil {
		return nil, err
	}
	body, _, _, err := b.core.GetObject(ctx, b.cfg.Bucket, p.name, opts)
	if err != nil {
		return nil, b.fail(ctx, "read", p.name, err)
	}
	defer body.Close()
	data := make([]byte, p.size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, b.fail(ctx, "read", p.name, fmt.Errorf("%d bytes: %w", p.size, err))
	}
	return data, nil
}
