package store

import (
	"context"
	"io"
	"iter"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
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

// Reuser is a Blobs that can keep what Open returned for whoever opens the same content next, which
// saves the system's work of opening and closing. Content that is asked for a thousand times a second is worth it.
type Reuser interface {
	// GiveBack takes the place of r.Close: r must have come from Open of root, and nobody may
	// use it any more, from no goroutine.
	GiveBack(root content.Hash, r io.ReadSeekCloser) error
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
	// Write appends. Bytes are not durable before Sync or Commit. A Write that
	// fails has taken nothing (n is 0), and p is not kept. fault.Busy: another
	// Stage of the same id took over.
	io.Writer
	// Offset returns how many bytes were accepted.
	Offset() int64
	// Sync makes bytes durable and returns how many are; on an object store
	// that may be fewer than Offset, since parts have a least size. Such a
	// rest is made durable by Close. After a Sync that failed, what
	// it returns is still durable and everything behind it is lost: the Stage
	// is of no more use but for Close and Discard.
	Sync(ctx context.Context) (durable int64, err error)
	// Commit makes everything durable and shows it as root, in one step: after a
	// crash it is there whole or not at all. Commits at the same time share
	// one sync of the device. What was kept under root is replaced. The Stage is closed
	// by a Commit that succeeds; after one that failed it can only be closed
	// (resumable where it was durable before) or discarded.
	Commit(ctx context.Context, root content.Hash) error
	// Close makes everything durable for a later Stage of the same id and
	// returns how many bytes are.
	Close(ctx context.Context) (durable int64, err error)
	// Discard closes and deletes. It does nothing once the Stage is closed.
	Discard() error
}

// CheckStage refuses what no driver can stage, as fault.Invalid.
func CheckStage(id string, offset, size int64) error {
	good := len(id) >= 1 && len(id) <= 64
	for i := range len(id) {
		good = good && (id[i] >= 'a' && id[i] <= 'z' || id[i] >= '0' && id[i] <= '9')
	}
	switch {
	case !good:
		return fault.Errorf(fault.Invalid, "stage %q: not a name of 1 to 64 of a-z and 0-9", id)
	case offset < 0 || size < -1 || size >= 0 && offset > size:
		return fault.Errorf(fault.Invalid, "stage %s: offset %d of %d bytes", id, offset, size)
	}
	return nil
}

// CheckCommit refuses, as fault.Invalid, less or more bytes than Stage was told
// of (-1: it was not), empty content and the zero root: an empty file is never
// stored.
func CheckCommit(root content.Hash, bytes, size int64) error {
	switch {
	case root.IsZero() || bytes == 0:
		return fault.Errorf(fault.Invalid, "commit %d bytes as %x: empty content is not stored", bytes, root)
	case size >= 0 && bytes != size:
		return fault.Errorf(fault.Invalid, "commit %d bytes as %x: there were to be %d", bytes, root, size)
	}
	return nil
}
