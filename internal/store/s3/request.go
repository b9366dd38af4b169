package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"tandem/internal/fault"
)

// newTransport has the patience that the requests have. It takes no proxy from
// the environment for a host of the local network.
func newTransport(patience time.Duration) *http.Transport {
	dial := &net.Dialer{Timeout: patience / 2, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial.DialContext,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: patience / 2,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression:  true, // bytes are to come as they are kept
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}
}

// fail gives an error its kind, and says what was tried on what. Ctx is that of
// the request.
func (b *Blobs) fail(ctx context.Context, op, name string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		kind := fault.KindOf(cause)
		if kind == fault.Other {
			kind = fault.Closed // by the caller
		}
		return fault.Errorf(kind, "%s %s: %w", op, name, cause)
	}
	return fault.Errorf(kindOf(err), "%s %s: %w", op, name, err)
}

func kindOf(err error) fault.Kind {
	if k := fault.KindOf(err); k != fault.Other {
		return k
	}
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		return fault.Unreachable // the request or its answer did not arrive
	}
	switch r.Code {
	case "NoSuchKey", "NotFound":
		return fault.NotFound
	case "NoSuchBucket", "NoSuchUpload", "RequestTimeout", "SlowDown":
		return fault.Unreachable // absent content is something else
	case "PreconditionFailed", "ConditionalRequestConflict":
		return fault.Busy
	case "QuotaExceeded", "XMinioStorageFull", "StorageFull", "InsufficientCapacity":
		return fault.Full
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled":
		return fault.Permission
	case "InvalidRange":
		return fault.Corrupt
	}
	switch r.StatusCode {
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusForbidden, http.StatusUnauthorized:
		return fault.Permission
	case http.StatusPreconditionFailed, http.StatusConflict:
		return fault.Busy
	case http.StatusInsufficientStorage:
		return fault.Full
	case http.StatusRequestedRangeNotSatisfiable:
		return fault.Corrupt
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Unreachable
	}
	return fault.Other
}

// condition says what has to stand under a name before it is written.
type condition struct {
	absent bool
	etag   string // "" with absent false: anything
}

// put writes an object and returns its ETag. fault.Busy: the condition does not
// hold.
func (b *Blobs) put(ctx context.Context, name string, data []byte, cond condition) (etag string, err error) {
	ctx, done := b.begin(ctx, int64(len(data)))
	defer done()
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true}
	switch {
	case cond.absent:
		opts.SetMatchETagExcept("*")
	case cond.etag != "":
		opts.SetMatchETag(cond.etag)
	}
	o, err := b.core.PutObject(ctx, b.cfg.Bucket, name, bytes.NewReader(data), int64(len(data)), "", "", opts)
	if err = b.fail(ctx, "write", name, err); err == nil {
		return o.ETag, nil
	}
	if cond.etag != "" && errors.Is(err, fault.NotFound) {
		return "", fault.Errorf(fault.Busy, "write %s: another writer has taken it away: %w", name, err)
	}
	if cond != (condition{}) && (errors.Is(err, fault.Busy) || errors.Is(err, fault.Unreachable)) {
		return b.stands(ctx, name, data, cond, err)
	}
	return "", err
}

// stands looks what has become of a put that failed with err: it may have
// arrived although its answer did not, and a store that refuses it before it has
// read it all may break the connection instead of saying so.
func (b *Blobs) stands(ctx context.Context, name string, data []byte, cond condition, err error) (etag string, _ error) {
	o, serr := b.core.StatObject(ctx, b.cfg.Bucket, name, minio.StatObjectOptions{})
	if cond.etag != "" && minio.ToErrorResponse(serr).StatusCode == http.StatusNotFound {
		return "", fault.Errorf(fault.Busy, "write %s: another writer has taken it away: %w", name, err)
	}
	if serr != nil {
		return "", err
	}
	sum := md5.Sum(data)
	if o.ETag == hex.EncodeToString(sum[:]) && o.Size == int64(len(data)) {
		return o.ETag, nil
	}
	if o.ETag != cond.etag {
		return "", fault.Errorf(fault.Busy, "write %s: another writer was there: %w", name, err)
	}
	return "", err
}

// part is an object, or a range of one, to be copied.
type part struct {
	name  string
	start int64 // in the upload
	from  int64 // in the object
	size  int64
	etag  string // it must have; "": any
}

func (p part) end() int64 { return p.start + p.size }

// copy copies a whole object.
func (b *Blobs) copy(ctx context.Context, to string, p part) error {
	ctx, done := b.begin(ctx, p.size)
	defer done()
	_, err := b.core.Client.CopyObject(ctx,
		minio.CopyDestOptions{Bucket: b.cfg.Bucket, Object: to},
		minio.CopySrcOptions{Bucket: b.cfg.Bucket, Object: p.name, MatchETag: p.etag})
	return b.fail(ctx, "copy", p.name, err)
}

// rangeOf asks for size bytes at from.
func (b *Blobs) rangeOf(from, size int64, etag string) (minio.GetObjectOptions, error) {
	var opts minio.GetObjectOptions
	var err error
	if etag != "" {
		err = opts.SetMatchETag(etag)
	}
	if err == nil {
		err = opts.SetRange(from, from+size-1)
	}
	if err != nil {
		return opts, fault.Errorf(fault.Invalid, "range %d-%d: %w", from, from+size, err)
	}
	return opts, nil
}

func hexStart(start int64) string { return fmt.Sprintf("%016x", start) }
