// Package store keeps the bytes of content. Its contract is Pieces, one share's
// working copy; the drivers are disk and mem, the suite that both pass is
// storetest.
package store

import (
	"tandem/internal/content"
)

// Pieces is the working copy of one manifest: random reads and writes, and the
// set of pieces known to be verified.
//
// Every method is safe for concurrent use, but the caller keeps blocks from being
// written to a piece while it hashes and commits it. Errors are of kind
// fault.NotFound (never written or removed), fault.Changed (a file shared in
// place, or finished, is no longer what it was), fault.Full (no room; nothing
// durable is lost and the same call may be made again later), fault.Exists (a
// different file has the final name), fault.Permission, fault.Closed,
// fault.Invalid (outside of the content, or a misuse), or fault.Other (the
// device).
//
// A sync in the background that fails takes the pieces whose bytes may be lost
// out of Have, and the next Commit, Sync or Finish returns its error, once,
// without doing anything else: ask Have again then.
type Pieces interface {
	// Have returns a copy of the set of verified pieces. Bytes behind it
	// survive a crash of the process, and those whose Commit came before the last
	// Sync survive a crash of the machine.
	Have() *content.Bitfield

	// Suspect returns the pieces that were committed before a crash but not
	// synced. They are not in Have: hash them, then Commit the good ones.
	Suspect() *content.Bitfield

	// ReadAt fills p from begin of piece. Padding reads as zeros. It does not
	// check hashes, nor whether the piece is verified; p is not retained.
	ReadAt(p []byte, piece, begin int) error

	// WriteAt stores p at begin of piece; it may be visible to ReadAt at once
	// and is not durable. Padding is dropped. p is not retained. Writing to a
	// verified piece is an error (fault.Invalid).
	WriteAt(p []byte, piece, begin int) error

	// Commit marks a piece as verified. Its data is made durable before its
	// bit, at the latest one second or 64 MiB later.
	Commit(piece int) error

	// Forget takes a piece out of the verified set (found damaged).
	Forget(piece int) error

	// Sync makes everything committed so far durable.
	Sync() error

	// Finish moves every file whose pieces are all verified under its final
	// name, creating empty files and folders, and returns fault.Exists if
	// something else has that name by now. It may be called again.
	Finish() error

	// Close syncs and releases everything. The working copy stays resumable.
	Close() error

	// Remove closes and deletes the working copy: staged data and the piece
	// map, never a file under its final name.
	Remove() error
}
