package storetest

import (
	"math/rand/v2"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// pieceLength of the suite's content: two blocks.
const pieceLength = 2 * content.BlockSize

// share is content with its bytes.
type share struct {
	m     *content.Manifest
	files [][]byte // by file; zeros for padding

	faults bool
}

// layouts returns content of every shape that a store has to cope with.
func layouts() map[string]*share {
	const k = 1 << 10
	return map[string]*share{
		"one v2 file":                         newShare(false, true, 60*k+1).faulty(),
		"one v1 file":                         newShare(true, false, 97*k),
		"one empty file":                      newShare(true, true, 0),
		"v2 folder with gaps behind files":    newShare(false, true, 20*k, 0, 1, 32*k, 40*k).faulty(),
		"hybrid folder":                       newShare(true, true, 10*k, 33*k, 0, 64*k),
		"v1 folder whose pieces hold files":   newShare(true, false, 20*k, 0, 3, 30*k, 7*k, 20*k).faulty(),
		"v1 folder with padding of its own":   newShare(true, false, 20*k, -12*k, 40*k, -24*k, 5),
		"v2 folder whose last file is tiny":   newShare(false, true, 64*k, 3),
		"v1 folder that ends with empty file": newShare(true, false, 40*k, 0),
	}
}

// faulty makes a layout one of those for which every operation is made to fail.
func (s *share) faulty() *share {
	s.faults = true
	return s
}

// newShare makes content of files of the given lengths, negative ones being
// padding. Several make a folder.
func newShare(v1, v2 bool, lengths ...int) *share {
	m := &content.Manifest{Name: "content", Single: len(lengths) == 1, PieceLength: pieceLength, HasV1: v1, HasV2: v2}
	m.InfoHash1[0], m.InfoHash2[0] = 1, 2
	r := rand.New(rand.NewPCG(1, uint64(len(lengths))))
	s := &share{m: m}
	for i, n := range lengths {
		f := content.File{Path: []string{string(rune('a' + i))}, Length: int64(max(n, -n)), Pad: n < 0, Exec: i == 1}
		if i%2 == 1 {
			f.Path = []string{"sub", f.Path[0], "file"}
		}
		b := make([]byte, f.Length)
		for j := range b {
			if !f.Pad {
				b[j] = byte(r.Uint32())
			}
		}
		m.Files = append(m.Files, f)
		s.files = append(s.files, b)
	}
	m.Seal()
	return s
}

// piece returns the bytes of a piece that are stored.
func (s *share) piece(i int) []byte {
	b := make([]byte, 0, s.m.PieceLength)
	for _, e := range s.m.Extents(nil, i, 0, s.m.PieceSize(i)) {
		if e.File < 0 {
			b = append(b, make([]byte, e.Length)...)
		} else {
			b = append(b, s.files[e.File][e.Offset:e.Offset+int64(e.Length)]...)
		}
	}
	return b
}

// write writes a piece block by block, without committing it.
func (s *share) write(p store.Pieces, piece int) error {
	b := s.piece(piece)
	for i := range s.m.NumBlocks(piece) {
		at := i * content.BlockSize
		if err := p.WriteAt(b[at:at+s.m.BlockLen(piece, i)], piece, at); err != nil {
			return err
		}
	}
	return nil
}

// right reports whether p holds the right bytes of a piece.
func (s *share) right(p store.Pieces, piece int) (bool, error) {
	b := make([]byte, s.m.PieceSize(piece))
	if err := p.ReadAt(b, piece, 0); err != nil {
		return false, err
	}
	return string(b) == string(s.piece(piece)), nil
}

// fetch does what a transfer does: hash what is suspect, write what is missing,
// finish.
func (s *share) fetch(p store.Pieces) error {
	suspect := p.Suspect()
	for i := suspect.Next(0); i >= 0; i = suspect.Next(i + 1) {
		good, err := s.right(p, i)
		if err != nil {
			return err
		}
		if good {
			if err := p.Commit(i); err != nil {
				return err
			}
		}
	}
	for i := range s.m.NumPieces() {
		if p.Have().Has(i) {
			continue
		}
		if err := s.write(p, i); err != nil {
			return err
		}
		if good, err := s.right(p, i); err != nil || !good {
			return orCorrupt(err, i)
		}
		if err := p.Commit(i); err != nil {
			return err
		}
		if i%2 == 1 { // files get their names one by one
			if err := p.Finish(); err != nil {
				return err
			}
		}
	}
	if err := p.Finish(); err != nil {
		return err
	}
	return p.Sync()
}

func orCorrupt(err error, piece int) error {
	if err == nil {
		err = fault.Errorf(fault.Corrupt, "piece %d reads back as something else", piece)
	}
	return err
}
