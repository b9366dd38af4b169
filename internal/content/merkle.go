package content

import (
	"crypto/sha256"
	"math/bits"
)

// LeafHash returns the Merkle leaf of one block of at most BlockSize bytes,
// which is not padded.
func LeafHash(block []byte) Hash { return sha256.Sum256(block) }

// Leaves appends to dst the leaf hashes of data, which starts on a block.
func Leaves(dst []Hash, data []byte) []Hash {
	for len(data) > BlockSize {
		dst = append(dst, LeafHash(data[:BlockSize]))
		data = data[BlockSize:]
	}
	if len(data) > 0 {
		dst = append(dst, LeafHash(data))
	}
	return dst
}

// parent returns the node above a and b.
func parent(a, b Hash) Hash {
	var both [2 * len(a)]byte
	copy(both[:], a[:])
	copy(both[len(a):], b[:])
	return sha256.Sum256(both[:])
}

// MerkleRoot returns the root over nodes, padded with pad to width, which is a
// power of two and not less than len(nodes).
func MerkleRoot(nodes []Hash, width int, pad Hash) Hash {
	return fold(append(make([]Hash, 0, len(nodes)+1), nodes...), width, pad)
}

// fold is MerkleRoot that uses nodes as scratch, with room for one more if
// their number is odd. Padding is never laid out: one pad a level is enough.
func fold(nodes []Hash, width int, pad Hash) Hash {
	if width <= 0 || width&(width-1) != 0 || len(nodes) > width {
		panic("content: width of a Merkle tree is not a power of two, or too small")
	}
	for ; width > 1; width /= 2 {
		if len(nodes)%2 != 0 {
			nodes = append(nodes, pad)
		}
		for i := 0; i < len(nodes); i += 2 {
			nodes[i/2] = parent(nodes[i], nodes[i+1])
		}
		nodes = nodes[:len(nodes)/2]
		pad = parent(pad, pad)
	}
	if len(nodes) == 0 {
		return pad
	}
	return nodes[0]
}

// ceilPow2 returns the smallest power of two that is not less than n >= 1.
func ceilPow2(n int) int { return 1 << bits.Len(uint(n-1)) }

// log2 returns the binary logarithm of a power of two.
func log2(n int) int { return bits.TrailingZeros(uint(n)) }

// pieceLayer returns the layer whose nodes cover one piece each.
func (m *Manifest) pieceLayer() int { return log2(int(m.PieceLength / BlockSize)) }

// filePieces returns how many pieces file i has.
func (m *Manifest) filePieces(i int) int {
	return int((m.Files[i].Length + m.PieceLength - 1) / m.PieceLength)
}

// fileHeight returns the layer of the root of file i, which is not empty.
func (m *Manifest) fileHeight(i int) int {
	return log2(ceilPow2(int((m.Files[i].Length + BlockSize - 1) / BlockSize)))
}

// leafWidth returns how many leaves the tree of a piece has, padding included.
// A file of one piece or less has a tree of its own width.
func (m *Manifest) leafWidth(piece int) int {
	if f := m.FileAt(int64(piece) * m.PieceLength); m.filePieces(f) > 1 {
		return int(m.PieceLength / BlockSize)
	}
	return ceilPow2(m.NumBlocks(piece))
}

// PieceRoot returns the v2 hash of a piece from the leaf hashes of its blocks:
// what Layers.Piece returns for it. For a file of one piece or less it is the
// file's root. Padding among the leaves counts if it is given; more leaves than
// the piece has room for give the zero Hash, which is no piece's.
func (m *Manifest) PieceRoot(piece int, leaves []Hash) Hash {
	width := m.leafWidth(piece)
	if len(leaves) > width {
		return Hash{}
	}
	return MerkleRoot(leaves, width, Hash{})
}
