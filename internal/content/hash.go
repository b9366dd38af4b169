package content

import (
	"context"
	"io"
)

// Digest is what HashFiles computes.
type Digest struct {
	Pieces1 []SHA1   // v1 piece hashes; nil unless asked for
	Roots   []Hash   // by file, zero for empty files; nil unless v2 was asked for
	Layers  [][]Hash // by file, the piece layer of files longer than a piece
}

// HashFiles hashes the files of m, of which Name, PieceLength, HasV1, HasV2 and
// the files' paths and lengths are set and Seal was called. Open is called once per
// run of pieces and need not be cheap; it may be called from several
// goroutines, at most workers at a time. Progress, which may be nil, is called with the
// number of bytes hashed since its last call, from one goroutine at a time. A
// file shorter than it should be is of kind fault.Changed.
func HashFiles(ctx context.Context, m *Manifest, v1, v2 bool,
	open func(file int) (io.ReaderAt, io.Closer, error), workers int, progress func(bytes int64),
) (*Digest, error) {
	panic("todo")
}

// CheckPiece hashes the data of a piece (PieceSize bytes) and compares it with
// every hash that is known of it. The error is of kind fault.Corrupt when none
// fits, and fault.Conflict when the v1 and v2 hashes of a hybrid disagree.
func (m *Manifest) CheckPiece(l *Layers, piece int, data []byte) error { panic("todo") }

// CheckLeaves compares the leaf hashes of a piece with its v2 hash. It reports
// whether that is known; the error is of kind fault.Corrupt.
func (m *Manifest) CheckLeaves(l *Layers, piece int, leaves []Hash) (known bool, err error) {
	panic("todo")
}

// CheckV1 compares the data of a piece (PieceSize bytes; padding is added here)
// with its v1 hash. The error is of kind fault.Corrupt. Without v1 it is nil.
func (m *Manifest) CheckV1(piece int, data []byte) error { panic("todo") }

// Leaves appends the leaf hashes of the data of a piece to dst.
func Leaves(dst []Hash, data []byte) []Hash { panic("todo") }
