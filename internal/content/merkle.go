package content

// LeafHash returns the Merkle leaf of one block of at most BlockSize bytes,
// which is not padded.
func LeafHash(block []byte) Hash { panic("todo") }

// MerkleRoot returns the root over nodes, padded with pad to width, which is a
// power of two.
func MerkleRoot(nodes []Hash, width int, pad Hash) Hash { panic("todo") }

// PieceRoot returns the v2 hash of a piece from the leaf hashes of its blocks:
// what Layers.Piece returns for it. For a file of one piece or less it is the
// file's root.
func (m *Manifest) PieceRoot(piece int, leaves []Hash) Hash { panic("todo") }
