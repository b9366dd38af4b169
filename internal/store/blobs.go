package store

import (
	"context"
	"io"
	"iter"
	"time"

	"tandem/internal/content"
)

// Blobs keeps finished content, each file once, named by its BEP 52 root. The
// drivers are disk, s3 and mem; the suite that all pass is storetest.
//
// Every method is safe for concurrent use. Errors are of kind fault.NotFound,
// fault.Corrupt (kept content is not of its recorded size), fault.Full,
// fault.Unreachable (the object store does not answer; nothing durable is lost
// and the same call may be made again), fault.Permission, fault.Closed,
// fault.Invalid or fault.Other (the device).
//
// Blobs does not hash: who stages says under which root the bytes are to be
// kept, and vouches for it. An empty file has the zero root and is never stored.
type Blobs interface {
	// Stage opens the staged bytes called id (1 to 64 of [a-z0-9]) for
	// appending at offset, dropping what lies behind it. Offset 0 begins anew.
	// fault.NotFound: fewer than offset bytes are durable. size is the final size, -1
	// when unknown; a driver may refuse with fault.Full what cannot fit. One
	// writer at a time: the caller sees to it that an older Stage of the same
	// id is no longer used, and a driver sees to it that one that is still
	// used elsewhere cannot make Commit succeed with wrong bytes.
	Stage(ctx context.Context, id string, offset, size int64) (Stage, error)

	// Open returns the content of root for reading and seeking. The disk driver
	// returns an *os.File, so that the system can send it without copying.
	Open(ctx context.Context, root content.Hash) (io.ReadSeekCloser, BlobInfo, error)
	Stat(ctx context.Context, root content.Hash) (BlobInfo, error)

	// Remove deletes content; absent content is no error. Readers that
	// have it open may finish or fail.
	Remove(ctx context.Context, root content.Hash) error
	// Quarantine takes damaged content out of sight of Open and List and keeps
	// it apart for a person to look at.
	Quarantine(ctx context.Context, root content.Hash) error

	// List yields all content, in no order. An error ends it.
	List(ctx context.Context) iter.Seq2[BlobInfo, error]
	// Stages yields what is staged and not committed, so that it can be swept.
	Stages(ctx context.Context) iter.Seq2[StageInfo, error]
	// DropStage deletes staged bytes; absent ones are no error.
	DropStage(ctx context.Context, id string) error

	// Probe says whether content can be read and written now.
	Probe(ctx context.Context) error
	// Space returns the free and total bytes of the device, or ok false where
	// nobody knows (an object store).
	Space() (free, total int64, ok bool)
	Close() error
}

// BlobInfo describes kept content.
type BlobInfo struct {
	Root     content.Hash
	Size     int64
	Modified time.Time
}

// StageInfo describes staged bytes.
type StageInfo struct {
	ID       string
	Size     int64
	Modified time.Time
}

// Stage is an upload on its way. It is used by one goroutine at a time.
type Stage interface {
	// Write appends. Bytes are not durable before Sync or Commit.
	io.Writer
	// Offset returns how many bytes were accepted.
	Offset() int64
	// Sync makes bytes durable and returns how many are; on an object store
	// that may be fewer than Offset, since parts have a least size. Such a
	// rest is made durable by Close.
	Sync(ctx context.Context) (durable int64, err error)
	// Commit makes everything durable and shows it as root, in one step: after a
	// crash it is there whole or not at all. Commits at the same time share
	// one sync of the device. What was kept under root is replaced. The Stage is closed
	// by a Commit that succeeds.
	Commit(ctx context.Context, root content.Hash) error
	// Close makes everything durable for a later Stage of the same id and
	// returns how many bytes are.
	Close(ctx context.Context) (durable int64, err error)
	// Discard closes and deletes.
	Discard() error
}
