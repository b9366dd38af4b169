package content

import (
	"crypto/sha1"

	"tandem/internal/fault"
)

// zeros is what padding reads as.
var zeros [64 << 10]byte

// CheckPiece hashes the data of a piece (PieceSize bytes) and compares it with
// every hash that is known of it. The error is of kind fault.Corrupt when none
// fits, fault.Conflict when the v1 and v2 hashes of a hybrid disagree, and
// fault.NotFound when no hash is known (v2 without its piece layer).
func (m *Manifest) CheckPiece(l *Layers, piece int, data []byte) error {
	var leaves []Hash
	if m.HasV2 {
		leaves = Leaves(make([]Hash, 0, m.NumBlocks(piece)), data)
	}
	return m.CheckHashed(l, piece, data, leaves)
}

// CheckHashed is CheckPiece for data whose leaf hashes are already computed;
// without v2 they are not looked at.
func (m *Manifest) CheckHashed(l *Layers, piece int, data []byte, leaves []Hash) error {
	known, err2 := m.CheckLeaves(l, piece, leaves)
	if !m.HasV1 {
		if !known && err2 == nil {
			return fault.Errorf(fault.NotFound, "piece %d: its hash is not known yet", piece)
		}
		return err2
	}
	err1 := m.CheckV1(piece, data)
	if known && (err1 == nil) != (err2 == nil) {
		return fault.Errorf(fault.Conflict, "piece %d: the v1 and v2 hashes are of different content", piece)
	}
	if err1 != nil {
		return err1
	}
	return err2
}

// CheckLeaves compares the leaf hashes of a piece with its v2 hash. It reports
// whether that is known; the error is of kind fault.Corrupt.
func (m *Manifest) CheckLeaves(l *Layers, piece int, leaves []Hash) (known bool, err error) {
	want, known := l.Piece(piece)
	if !known {
		return false, nil
	}
	if len(leaves) != m.NumBlocks(piece) || m.PieceRoot(piece, leaves) != want {
		return true, fault.Errorf(fault.Corrupt, "piece %d: v2 hash mismatch", piece)
	}
	return true, nil
}

// BadBlocks compares the leaf hashes of a piece, as computed from what arrived,
// with those that a peer sent in answer to LeafRange, and returns the blocks that
// differ. It returns false when the peer's do not lead to the piece's hash or
// that is unknown: then they say nothing.
func (m *Manifest) BadBlocks(l *Layers, piece int, arrived, sent []Hash) (bad []int, ok bool) {
	want, known := l.Piece(piece)
	if n := m.NumBlocks(piece); !known || len(arrived) != n || len(sent) < n || m.PieceRoot(piece, sent) != want {
		return nil, false
	}
	for i, h := range arrived {
		if sent[i] != h {
			bad = append(bad, i)
		}
	}
	return bad, true
}

// CheckV1 compares the data of a piece (PieceSize bytes; the padding behind it
// is added here) with its v1 hash. The error is of kind fault.Corrupt. Without
// v1 it is nil.
func (m *Manifest) CheckV1(piece int, data []byte) error {
	if !m.HasV1 {
		return nil
	}
	if len(data) != m.PieceSize(piece) {
		return fault.Errorf(fault.Corrupt, "piece %d: %d bytes, not %d", piece, len(data), m.PieceSize(piece))
	}
	var got SHA1
	if pad := m.PaddedSize(piece) - len(data); pad == 0 {
		got = sha1.Sum(data)
	} else {
		h := sha1.New()
		h.Write(data)
		for ; pad > 0; pad -= min(pad, len(zeros)) {
			h.Write(zeros[:min(pad, len(zeros))])
		}
		h.Sum(got[:0])
	}
	if got != m.Pieces1[piece] {
		return fault.Errorf(fault.Corrupt, "piece %d: v1 hash mismatch", piece)
	}
	return nil
}
