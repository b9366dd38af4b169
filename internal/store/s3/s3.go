// Package s3 keeps finished content as objects in a bucket of any store that
// speaks the S3 protocol.
//
// Objects, below the prefix: blobs/ab/ROOT is content, staging/ID/START are the
// parts of an upload on its way (START in 16 hex digits), quarantine/ROOT is
// damaged content. A part is written only where the writer knows what stands
// there (If-None-Match, If-Match), so that a writer that was replaced cannot
// change what its successor has; Commit copies the parts with their ETags as a
// condition. A store that ignores conditions on writes keeps the second of the two.
package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

const (
	// slowest is the least rate of requests that move bytes, per second.
	slowest = 1 << 20
	// maxCopy is the largest object that one request may copy.
	maxCopy = 5 << 30
)

// Blobs is a bucket. It implements store.Blobs.
type Blobs struct {
	cfg    Config
	core   *minio.Core
	conns  *http.Transport
	limits limits
	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc

	buffered atomic.Int64 // bytes of all stages
}

// Open reaches the bucket, making it if there is none. The error is of kind
// fault.Unreachable, fault.Permission or fault.Other.
func Open(ctx context.Context, cfg Config) (*Blobs, error) {
	return open(ctx, cfg, newTransport(patience), nil, defaultLimits())
}

// open lets a test wrap the transport.
func open(ctx context.Context, cfg Config, conns *http.Transport, wrap func(http.RoundTripper) http.RoundTripper, limits limits) (*Blobs, error) {
	var transport http.RoundTripper = conns
	if wrap != nil {
		transport = wrap(transport)
	}
	core, err := minio.NewCore(cfg.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(cfg.Key, cfg.secret, ""), Secure: cfg.Secure, Region: cfg.Region,
		Transport: transport, MaxRetries: limits.tries, BucketLookup: minio.BucketLookupAuto,
	})
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "open object store %s: %w", cfg, err)
	}
	b := &Blobs{cfg: cfg, core: core, conns: conns, limits: limits}
	b.ctx, b.cancel = context.WithCancelCause(context.Background())
	if err := b.reach(ctx); err != nil {
		_ = b.Close()
		return nil, fmt.Errorf("open object store %s: %w", cfg, err)
	}
	return b, nil
}

// reach finds the bucket or makes it.
func (b *Blobs) reach(ctx context.Context) error {
	ctx, done := b.begin(ctx, 0)
	defer done()
	found, err := b.core.BucketExists(ctx, b.cfg.Bucket)
	if err != nil || found {
		return b.fail(ctx, "find bucket", b.cfg.Bucket, err)
	}
	err = b.core.MakeBucket(ctx, b.cfg.Bucket, minio.MakeBucketOptions{Region: b.cfg.Region})
	switch minio.ToErrorResponse(err).Code {
	case "BucketAlreadyOwnedByYou": // by another instance, this moment
		return nil
	}
	return b.fail(ctx, "make bucket", b.cfg.Bucket, err)
}

// begin bounds a call that moves size bytes.
func (b *Blobs) begin(ctx context.Context, size int64) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })
	bounded, done := context.WithTimeoutCause(ctx, b.limits.patience+time.Duration(size/slowest)*time.Second,
		fault.Errorf(fault.Unreachable, "no answer in time"))
	return bounded, func() { done(); stop(); cancel(nil) }
}

func (b *Blobs) blob(root content.Hash) string {
	name := hex.EncodeToString(root[:])
	return b.cfg.Prefix + "blobs/" + name[:2] + "/" + name
}

// Stat implements store.Blobs.
func (b *Blobs) Stat(ctx context.Context, root content.Hash) (store.BlobInfo, error) {
	ctx, done := b.begin(ctx, 0)
	defer done()
	name := b.blob(root)
	o, err := b.core.StatObject(ctx, b.cfg.Bucket, name, minio.StatObjectOptions{})
	if err != nil {
		return store.BlobInfo{}, b.fail(ctx, "find", name, err)
	}
	return store.BlobInfo{Root: root, Size: o.Size, Modified: o.LastModified.UTC()}, nil
}

// Remove implements store.Blobs.
func (b *Blobs) Remove(ctx context.Context, root content.Hash) error {
	return b.remove(ctx, b.blob(root))
}

// remove deletes an object; an absent one is no error.
func (b *Blobs) remove(ctx context.Context, name string) error {
	ctx, done := b.begin(ctx, 0)
	defer done()
	err := b.fail(ctx, "remove", name, b.core.RemoveObject(ctx, b.cfg.Bucket, name, minio.RemoveObjectOptions{}))
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// Quarantine implements store.Blobs.
func (b *Blobs) Quarantine(ctx context.Context, root content.Hash) error {
	info, err := b.Stat(ctx, root)
	if err != nil {
		return err
	}
	from := b.blob(root)
	to := b.cfg.Prefix + "quarantine/" + hex.EncodeToString(root[:])
	if info.Size <= maxCopy {
		err = b.copy(ctx, to, part{name: from, size: info.Size})
	} else {
		var parts []part
		for at := int64(0); at < info.Size; at += maxCopy {
			parts = append(parts, part{name: from, from: at, size: min(maxCopy, info.Size-at)})
		}
		err = b.compose(ctx, to, parts, nil)
	}
	if err != nil {
		return err
	}
	return b.Remove(ctx, root)
}

// List implements store.Blobs. What is no content is passed over.
func (b *Blobs) List(ctx context.Context) iter.Seq2[store.BlobInfo, error] {
	return func(yield func(store.BlobInfo, error) bool) {
		prefix := b.cfg.Prefix + "blobs/"
		for o, err := range b.list(ctx, prefix) {
			if err != nil {
				yield(store.BlobInfo{}, err)
				return
			}
			var root content.Hash
			name := strings.TrimPrefix(o.Key, prefix)
			if len(name) != 3+2*len(root) {
				continue
			}
			if _, err := hex.Decode(root[:], []byte(name[3:])); err != nil || b.blob(root) != o.Key || root.IsZero() {
				continue
			}
			if !yield(store.BlobInfo{Root: root, Size: o.Size, Modified: o.LastModified.UTC()}, nil) {
				return
			}
		}
	}
}

// list yields the objects whose names begin with prefix, by name. The time it
// may take is that of a page, counted anew for every one.
func (b *Blobs) list(ctx context.Context, prefix string) iter.Seq2[minio.ObjectInfo, error] {
	return func(yield func(minio.ObjectInfo, error) bool) {
		after := ""
		for {
			n, last, more, err := b.listPage(ctx, prefix, after, yield)
			if err != nil {
				yield(minio.ObjectInfo{}, err)
				return
			}
			if !more || n == 0 {
				return
			}
			after = last
		}
	}
}

// listPage yields the objects behind after, at most a page of them.
func (b *Blobs) listPage(ctx context.Context, prefix, after string, yield func(minio.ObjectInfo, error) bool) (n int, last string, more bool, err error) {
	const page = 1000
	all := make([]minio.ObjectInfo, 0, page)
	ctx, done := b.begin(ctx, 0)
	defer done()
	for o := range b.core.ListObjectsIter(ctx, b.cfg.Bucket, minio.ListObjectsOptions{
		Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: page,
	}) {
		if o.Err != nil {
			return 0, "", false, b.fail(ctx, "list", prefix, o.Err)
		}
		if all = append(all, o); len(all) == page {
			break
		}
	}
	if len(all) == 0 {
		// What was cancelled before it began yields nothing, not even an error.
		return 0, "", false, b.fail(ctx, "list", prefix, context.Cause(ctx))
	}
	done()
	for _, o := range all {
		if last = o.Key; !yield(o, nil) {
			return 0, "", false, nil
		}
	}
	return len(all), last, len(all) == page, nil
}

// Probe implements store.Blobs.
func (b *Blobs) Probe(ctx context.Context) error {
	name := b.cfg.Prefix + "probe"
	if _, err := b.put(ctx, name, []byte{1}, condition{}); err != nil {
		return err
	}
	ctx, done := b.begin(ctx, 0)
	defer done()
	_, err := b.core.StatObject(ctx, b.cfg.Bucket, name, minio.StatObjectOptions{})
	return b.fail(ctx, "find", name, err)
}

// Space implements store.Blobs: nobody knows.
func (b *Blobs) Space() (free, total int64, ok bool) { return 0, 0, false }

// Close implements store.Blobs. Calls that are under way end with fault.Closed.
func (b *Blobs) Close() error {
	b.cancel(fault.Errorf(fault.Closed, "object store %s is closed", b.cfg))
	b.conns.CloseIdleConnections()
	return nil
}
