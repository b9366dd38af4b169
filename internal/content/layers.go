package content

// Layers are the piece layers of a manifest's files (BEP 52), as far as they
// are known. All methods are safe for concurrent use.
type Layers struct{}

// NewLayers returns the layers of m, of which those of files of at most one
// piece are known: their root is all there is.
func NewLayers(m *Manifest) *Layers { panic("todo") }

// Piece returns the v2 hash of a piece, false while it is unknown.
func (l *Layers) Piece(piece int) (Hash, bool) { panic("todo") }

// File returns the piece layer of a file, nil while any of it is unknown. It
// must not be changed.
func (l *Layers) File(file int) []Hash { panic("todo") }

// SetFile sets the whole piece layer of a file after checking it against the
// file's root. The error is of kind fault.Corrupt.
func (l *Layers) SetFile(file int, hashes []Hash) error { panic("todo") }

// AddRange adds hashes at index of a file's piece layer, as a peer sent them,
// after checking them and proof against the file's root. Hashes behind the end
// of the file are padding. The error is of kind fault.Corrupt.
func (l *Layers) AddRange(file, index int, hashes, proof []Hash) error { panic("todo") }

// HashRange asks for hashes of a file's Merkle tree: a BEP 52 hash request.
type HashRange struct {
	Root        Hash // of the file
	Base        int  // layer, counted from the leaves
	Index       int  // of the first hash in that layer
	Length      int  // hashes, a power of two that divides Index
	ProofLayers int  // layers above Base, up to which uncle hashes prove them
}

// MissingRanges appends the requests that together bring every hash that is
// still unknown, each of at most 512 hashes.
func (l *Layers) MissingRanges(dst []HashRange) []HashRange { panic("todo") }

// Complete reports whether every piece has a known v2 hash.
func (l *Layers) Complete() bool { panic("todo") }

// AnswerRange returns what answers r: its hashes followed by the proof. Leaves
// returns the leaf hashes of a piece and is called for r.Base below the piece
// layer only. Errors are of kind fault.Invalid for a range that is not in the
// tree, fault.NotFound while the layers are unknown, or come from leaves.
func (m *Manifest) AnswerRange(l *Layers, r HashRange, leaves func(piece int) ([]Hash, error)) ([]Hash, error) {
	panic("todo")
}

// LeafRange returns the request for the leaf hashes of one piece. It asks for
// no proof, since the piece's own hash must be known to ask.
func (m *Manifest) LeafRange(piece int) HashRange { panic("todo") }
