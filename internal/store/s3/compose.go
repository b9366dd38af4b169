package s3

import (
	"bytes"
	"context"
	"sync"

	"github.com/minio/minio-go/v7"
)

// copiers is how many parts are copied at once.
const copiers = 4

// compose makes the object to of parts and, behind them, tail.
func (b *Blobs) compose(ctx context.Context, to string, parts []part, tail []byte) error {
	size := int64(len(tail))
	for _, p := range parts {
		size += p.size
	}
	ctx, done := b.begin(ctx, size)
	defer done()
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream"}
	upload, err := b.core.NewMultipartUpload(ctx, b.cfg.Bucket, to, opts)
	if err != nil {
		return b.fail(ctx, "compose", to, err)
	}
	all, err := b.copyParts(ctx, to, upload, parts)
	if err == nil && len(tail) > 0 {
		var p minio.ObjectPart
		p, err = b.core.PutObjectPart(ctx, b.cfg.Bucket, to, upload, len(parts)+1, bytes.NewReader(tail), int64(len(tail)), minio.PutObjectPartOptions{})
		err = b.fail(ctx, "write", to, err)
		all = append(all, minio.CompletePart{PartNumber: len(parts) + 1, ETag: p.ETag})
	}
	if err == nil {
		_, err = b.core.CompleteMultipartUpload(ctx, b.cfg.Bucket, to, upload, all, opts)
		err = b.fail(ctx, "compose", to, err)
	}
	if err != nil {
		b.abort(to, upload)
	}
	return err
}

// copyParts copies parts side by side.
func (b *Blobs) copyParts(ctx context.Context, to, upload string, parts []part) ([]minio.CompletePart, error) {
	all := make([]minio.CompletePart, len(parts))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(copiers, len(parts)) {
		wg.Go(func() {
			for i := range next {
				if err := b.copyPart(ctx, to, upload, i, parts[i], &all[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range parts {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return all, nil
}

func (b *Blobs) copyPart(ctx context.Context, to, upload string, i int, p part, out *minio.CompletePart) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	head := map[string]string{}
	if p.etag != "" {
		head["x-amz-copy-source-if-match"] = `"` + p.etag + `"`
	}
	c, err := b.core.CopyObjectPart(ctx, b.cfg.Bucket, p.name, b.cfg.Bucket, to, upload, i+1, p.from, p.size, head)
	*out = c
	return b.fail(ctx, "copy", p.name, err)
}

// abort gives up what was composed so far. A store is set to expire what a crash
// leaves of it.
func (b *Blobs) abort(to, upload string) {
	ctx, done := b.begin(b.ctx, 0)
	defer done()
	_ = b.core.AbortMultipartUpload(ctx, b.cfg.Bucket, to, upload)
}
