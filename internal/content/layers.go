package content

import (
	"sync"

	"tandem/internal/fault"
)

// rangeHashes is how many hashes of a piece layer are asked for, proven and
// known together (BEP 52: a request should not be for more than 512).
const rangeHashes = 512

// maxHeight is the layer of the root of the largest file, in leaves of BlockSize.
const maxHeight = 31 // MaxPieces of MaxPieceLength

// Layers are the piece layers of a manifest's files (BEP 52), as far as they
// are known. Files with the same root share theirs. All methods are safe for
// concurrent use.
type Layers struct {
	m      *Manifest
	byFile []*layer         // nil for files without pieces
	byRoot map[Hash][]int32 // files, in order
	pads   []Hash           // root of a subtree of zero leaves, by layer

	mu      sync.RWMutex // guards the fields below and what the layers hold
	unknown int          // layers not wholly known
}

// layer is the piece layer of a file. Nodes of ranges are kept too, so that any
// proof is a few hashes away.
type layer struct {
	root   Hash
	pieces int
	height int // of the root above the leaves

	hashes []Hash   // of pieces; nil until one range is known; for one piece the root
	upper  [][]Hash // upper[k][i]: node i of the layer k above that of ranges; zero: unknown
	known  []bool   // by range
	left   int      // ranges still unknown
}

// NewLayers returns the layers of m, of which those of files of at most one
// piece are known: their root is all there is.
func NewLayers(m *Manifest) *Layers {
	l := &Layers{m: m, byFile: make([]*layer, len(m.Files)), byRoot: make(map[Hash][]int32)}
	if !m.HasV2 {
		return l
	}
	l.pads = make([]Hash, maxHeight+1)
	for i := 1; i <= maxHeight; i++ {
		l.pads[i] = parent(l.pads[i-1], l.pads[i-1])
	}
	for i := range m.Files {
		f := &m.Files[i]
		if f.Length == 0 {
			continue
		}
		same := l.byRoot[f.Root]
		l.byRoot[f.Root] = append(same, int32(i))
		if len(same) > 0 && m.Files[same[0]].Length == f.Length {
			l.byFile[i] = l.byFile[same[0]]
			continue
		}
		y := &layer{root: f.Root, pieces: m.filePieces(i), height: m.fileHeight(i)}
		if y.pieces == 1 {
			y.hashes = []Hash{f.Root}
		} else {
			y.left = (y.pieces + rangeHashes - 1) / rangeHashes
			l.unknown++
		}
		l.byFile[i] = y
	}
	return l
}

// Piece returns the v2 hash of a piece, false while it is unknown.
func (l *Layers) Piece(piece int) (Hash, bool) {
	if l == nil || !l.m.HasV2 {
		return Hash{}, false
	}
	file := l.m.FileAt(int64(piece) * l.m.PieceLength)
	y, at := l.byFile[file], piece-int(l.m.Files[file].Offset/l.m.PieceLength)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if y.left == 0 || (y.known != nil && y.known[at/rangeHashes]) {
		return y.hashes[at], true
	}
	return Hash{}, false
}

// File returns the piece layer of a file, nil while any of it is unknown and
// for an empty file. It must not be changed.
func (l *Layers) File(file int) []Hash {
	y := l.byFile[file]
	if y == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if y.left > 0 {
		return nil
	}
	return y.hashes
}

// Lookup returns the first file whose root is root, and whether there is one.
func (l *Layers) Lookup(root Hash) (file int, ok bool) {
	if same := l.byRoot[root]; len(same) > 0 {
		return int(same[0]), true
	}
	return 0, false
}

// Complete reports whether every piece has a known v2 hash.
func (l *Layers) Complete() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.unknown == 0
}

// SetFile sets the whole piece layer of a file after checking it against the
// file's root. It keeps hashes, which must not be changed afterwards. The error
// is of kind fault.Corrupt.
func (l *Layers) SetFile(file int, hashes []Hash) error {
	y := l.byFile[file]
	if y == nil || len(hashes) != y.pieces {
		return fault.Errorf(fault.Corrupt, "piece layer of file %d has %d hashes, not %d",
			file, len(hashes), l.m.filePieces(file))
	}
	if y.pieces == 1 {
		if hashes[0] != y.root {
			return fault.Errorf(fault.Corrupt, "piece layer of file %d does not match its root", file)
		}
		return nil
	}
	upper := l.climb(y, hashes)
	if upper[len(upper)-1][0] != y.root {
		return fault.Errorf(fault.Corrupt, "piece layer of file %d does not match its root", file)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if y.left > 0 {
		y.hashes, y.upper, y.known, y.left = hashes, upper, nil, 0
		l.unknown--
	}
	return nil
}

// climb computes the nodes above the ranges of a whole piece layer, up to the
// root.
func (l *Layers) climb(y *layer, hashes []Hash) [][]Hash {
	upper := y.emptyUpper(l.m.pieceLayer())
	p, width := l.m.pieceLayer(), y.rangeWidth()
	for i := range upper[0] {
		part := hashes[min(i*width, len(hashes)):min((i+1)*width, len(hashes))]
		upper[0][i] = MerkleRoot(part, width, l.pads[p])
	}
	for k := 1; k < len(upper); k++ {
		for i := range upper[k] {
			upper[k][i] = parent(upper[k-1][2*i], upper[k-1][2*i+1])
		}
	}
	return upper
}

// rangeWidth returns the hashes of a full range: rangeHashes, or all there are
// with padding.
func (y *layer) rangeWidth() int { return min(rangeHashes, ceilPow2(y.pieces)) }

// emptyUpper returns upper with nothing known in it.
func (y *layer) emptyUpper(pieceLayer int) [][]Hash {
	bottom := pieceLayer + log2(y.rangeWidth())
	upper := make([][]Hash, y.height-bottom+1)
	for k := range upper {
		upper[k] = make([]Hash, 1<<(y.height-bottom-k))
	}
	return upper
}
