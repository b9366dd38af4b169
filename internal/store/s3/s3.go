// Package s3 keeps finished content as objects in a bucket of any store that
// speaks the S3 protocol.
//
// Objects, below the prefix: blobs/ab/ROOT is content, staging/ID/START are the
// parts of an upload on its way (START in 16 hex digits), quarantine/ROOT is
// damaged content. A part is written only where the writer knows what stands
// there (If-None-Match, If-Match), so that a writer that was replaced cannot
// change what its successor has; Commit copies the parts with their ETags as a
// condition.
package s3

import (
	"context"
	"errors"

	"tandem/internal/store"
)

// Blobs is a bucket. It implements store.Blobs.
type Blobs struct {
	store.Blobs
	cfg Config
}

// Open reaches the bucket, making it if there is none. The error is of kind
// fault.Unreachable, fault.Permission or fault.Other.
func Open(ctx context.Context, cfg Config) (*Blobs, error) { return nil, errors.New("not built yet") }
