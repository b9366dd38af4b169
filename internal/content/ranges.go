package content

import "tandem/internal/fault"

// HashRange asks for hashes of a file's Merkle tree: a BEP 52 hash request.
type HashRange struct {
	Root        Hash // of the file
	Base        int  // layer, counted from the leaves
	Index       int  // of the first hash in that layer
	Length      int  // hashes, a power of two that divides Index
	ProofLayers int  // layers above Base, up to which uncle hashes prove them
}

// MissingRanges appends the requests that together bring every hash that is
// still unknown, each of at most 512 hashes, padding included.
func (l *Layers) MissingRanges(dst []HashRange) []HashRange {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.unknown == 0 {
		return dst
	}
	p := l.m.pieceLayer()
	for i, y := range l.byFile {
		if y == nil || y.left == 0 || int(l.byRoot[y.root][0]) != i {
			continue
		}
		width := y.rangeWidth()
		for at := 0; at < y.pieces; at += width {
			if y.known == nil || !y.known[at/width] {
				dst = append(dst, HashRange{y.root, p, at, width, y.height - p - 1})
			}
		}
	}
	return dst
}

// Missing returns the first of MissingRanges.
func (l *Layers) Missing() (r HashRange, ok bool) {
	all := l.MissingRanges(nil)
	if len(all) == 0 {
		return HashRange{}, false
	}
	return all[0], true
}

// AddRange adds hashes at index of a file's piece layer, a range as
// MissingRanges names them, after checking them and proof (uncle hashes, from
// below) against the file's root. Hashes behind the end of the file must be
// padding. The error is of kind fault.Corrupt.
func (l *Layers) AddRange(file, index int, hashes, proof []Hash) error {
	y := l.byFile[file]
	if y == nil || y.pieces == 1 {
		return fault.Errorf(fault.Corrupt, "file %d has no piece layer", file)
	}
	width := y.rangeWidth()
	if len(hashes) != width || index < 0 || index%width != 0 || index >= y.pieces {
		return fault.Errorf(fault.Corrupt, "hashes %d+%d of file %d are not a range that is asked for", index, len(hashes), file)
	}
	nodes, ok := l.prove(y, index, hashes, proof)
	if !ok {
		return fault.Errorf(fault.Corrupt, "hashes %d+%d of file %d do not match its root", index, len(hashes), file)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(y, index, hashes, nodes)
	return nil
}

// node is a proven node of a tree: index in upper[level].
type node struct {
	level, index int
	hash         Hash
}

// prove climbs from hashes at index with the uncles in proof to the root, and
// returns every node it has proven above them.
func (l *Layers) prove(y *layer, index int, hashes, proof []Hash) ([]node, bool) {
	p, width := l.m.pieceLayer(), len(hashes)
	for i := y.pieces - index; i < width; i++ {
		if hashes[i] != l.pads[p] {
			return nil, false
		}
	}
	bottom := p + log2(width)
	if len(proof) != y.height-bottom {
		return nil, false
	}
	at, hash := index/width, MerkleRoot(hashes, width, l.pads[p])
	nodes := []node{{0, at, hash}}
	for k, uncle := range proof {
		// A subtree behind the end of the file is padding and nothing else.
		if (at^1)*(width<<k) >= y.pieces && uncle != l.pads[bottom+k] {
			return nil, false
		}
		nodes = append(nodes, node{k, at ^ 1, uncle})
		if at&1 == 0 {
			hash = parent(hash, uncle)
		} else {
			hash = parent(uncle, hash)
		}
		at /= 2
		nodes = append(nodes, node{k + 1, at, hash})
	}
	return nodes, hash == y.root
}

// keep stores a proven range and its nodes. The caller holds mu.
func (l *Layers) keep(y *layer, index int, hashes []Hash, nodes []node) {
	width := y.rangeWidth()
	if y.left == 0 || (y.known != nil && y.known[index/width]) {
		return
	}
	if y.known == nil {
		y.known = make([]bool, y.left)
		y.hashes = make([]Hash, y.pieces)
		y.upper = y.emptyUpper(l.m.pieceLayer())
	}
	for _, n := range nodes {
		y.upper[n.level][n.index] = n.hash
	}
	copy(y.hashes[index:], hashes) // drops the padding
	y.known[index/width] = true
	if y.left--; y.left == 0 {
		y.known = nil
		l.unknown--
	}
}

// LeafRange returns the request for the leaf hashes of one piece. It asks for
// no proof, since the piece's own hash must be known to use the answer. The
// answer may end in zero hashes: padding behind the last block.
func (m *Manifest) LeafRange(piece int) HashRange {
	f := &m.Files[m.FileAt(int64(piece)*m.PieceLength)]
	first := int(f.Offset / m.PieceLength)
	return HashRange{
		Root:   f.Root,
		Index:  (piece - first) * int(m.PieceLength/BlockSize),
		Length: m.leafWidth(piece),
	}
}

// maxAnswer bounds the hashes of one answer: the leaves of the largest piece.
const maxAnswer = MaxPieceLength / BlockSize

// AnswerRange returns what answers r: its hashes followed by the proof. Leaves
// returns the leaf hashes of a piece and is called only for a Base below the
// piece layer, where a range may not be of more than one piece: so one request
// never costs more than one piece read. Errors are of kind fault.Invalid for a
// range that is not in the tree or of more than one piece, fault.NotFound while
// its hashes are unknown, or come from leaves.
func (m *Manifest) AnswerRange(l *Layers, r HashRange, leaves func(piece int) ([]Hash, error)) ([]Hash, error) {
	if l == nil || len(l.byRoot[r.Root]) == 0 {
		return nil, fault.Errorf(fault.NotFound, "no file has the root %x", r.Root[:8])
	}
	var err error
	for _, file := range l.byRoot[r.Root] { // all hold the same bytes, but which are here?
		a := answer{l: l, y: l.byFile[file], leaves: leaves, piece: -1}
		a.first = int(m.Files[file].Offset / m.PieceLength)
		var hashes []Hash
		if hashes, err = a.hashes(r); err == nil || r.Base >= m.pieceLayer() {
			return hashes, err
		}
	}
	return nil, err
}

// answer is the state of answering one request.
type answer struct {
	l      *Layers
	y      *layer
	leaves func(piece int) ([]Hash, error)
	first  int    // piece of the file
	piece  int    // whose leaves are in nodes, counted from first; -1: none
	nodes  []Hash // leaves, without padding
}

func (a *answer) hashes(r HashRange) ([]Hash, error) {
	height := a.y.height
	if r.Base < 0 || r.Base > height || r.Length < 1 || r.Length > maxAnswer ||
		r.Length&(r.Length-1) != 0 || r.Index < 0 || r.Index%r.Length != 0 ||
		r.Index >= 1<<(height-r.Base) || r.Length > 1<<(height-r.Base) ||
		r.ProofLayers < 0 || r.ProofLayers > max(0, height-r.Base-1) {
		return nil, fault.Errorf(fault.Invalid, "hashes %d+%d of layer %d are not in a tree of height %d", r.Index, r.Length, r.Base, height)
	}
	if p := a.l.m.pieceLayer(); r.Base < p && r.Length > 1<<(p-r.Base) {
		return nil, fault.Errorf(fault.Invalid, "hashes %d+%d of layer %d are of more than one piece", r.Index, r.Length, r.Base)
	}
	out := make([]Hash, 0, r.Length+r.ProofLayers)
	for i := range r.Length {
		h, err := a.node(r.Base, r.Index+i)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	// The nodes up to the root over these hashes follow from them.
	for k := max(1, log2(r.Length)); k <= r.ProofLayers; k++ {
		h, err := a.node(r.Base+k, r.Index>>k^1)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// node returns any node of the file's tree.
func (a *answer) node(height, index int) (Hash, error) {
	p := a.l.m.pieceLayer()
	if height < p && a.y.height > height {
		return a.low(height, index)
	}
	if height == a.y.height {
		return a.y.root, nil
	}
	a.l.mu.RLock()
	defer a.l.mu.RUnlock()
	width := a.y.rangeWidth()
	if k := height - p - log2(width); k >= 0 {
		if a.y.upper == nil || a.y.upper[k][index].IsZero() {
			return Hash{}, fault.Errorf(fault.NotFound, "node %d of layer %d is not known yet", index, height)
		}
		return a.y.upper[k][index], nil
	}
	span := 1 << (height - p)
	from := index * span
	if from >= a.y.pieces {
		return a.l.pads[height], nil
	}
	if a.y.left > 0 && (a.y.known == nil || !a.y.known[from/width]) {
		return Hash{}, fault.Errorf(fault.NotFound, "hash %d of layer %d is not known yet", index, height)
	}
	return MerkleRoot(a.y.hashes[from:min(from+span, a.y.pieces)], span, a.l.pads[p]), nil
}

// low returns a node below the piece layer, from the leaves of its piece.
func (a *answer) low(height, index int) (Hash, error) {
	width := 1 << min(a.l.m.pieceLayer(), a.y.height) // leaves of a piece
	from := index << height
	if piece := from / width; piece >= a.y.pieces {
		return a.l.pads[height], nil
	} else if piece != a.piece {
		nodes, err := a.leaves(a.first + piece)
		if err != nil {
			return Hash{}, err
		}
		if len(nodes) > width {
			return Hash{}, fault.Errorf(fault.Invalid, "piece %d has %d leaves, not %d", a.first+piece, len(nodes), width)
		}
		a.piece, a.nodes = piece, nodes
	}
	from %= width
	if from >= len(a.nodes) {
		return a.l.pads[height], nil
	}
	return MerkleRoot(a.nodes[from:min(from+1<<height, len(a.nodes))], 1<<height, Hash{}), nil
}
