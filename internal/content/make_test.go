package content_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"tandem/internal/content"
)

// stream returns n bytes that depend on seed.
func stream(seed, n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(out)
	return out
}

// share is content in memory with everything known about it.
type share struct {
	m     *content.Manifest
	files [][]byte
	d     *content.Digest
	l     *content.Layers
}

// makeShare hashes files of the given sizes.
func makeShare(t testing.TB, v1, v2 bool, pieceLength int64, sizes ...int) *share {
	t.Helper()
	s := &share{m: &content.Manifest{Name: "share", PieceLength: pieceLength, HasV1: v1, HasV2: v2}}
	for i, n := range sizes {
		s.files = append(s.files, stream(i, n))
		s.m.Files = append(s.m.Files, content.File{Path: []string{string(rune('a' + i))}, Length: int64(n)})
	}
	s.m.Seal()
	d, err := content.HashFiles(context.Background(), s.m, v1, v2, s.open, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.d, s.m.Pieces1 = d, d.Pieces1
	for i := range d.Roots {
		s.m.Files[i].Root = d.Roots[i]
	}
	s.l = s.layers(t)
	return s
}

func (s *share) open(i int) (io.ReaderAt, io.Closer, error) {
	return bytes.NewReader(s.files[i]), nil, nil
}

// layers returns the layers of s, all known.
func (s *share) layers(t testing.TB) *content.Layers {
	t.Helper()
	l := content.NewLayers(s.m)
	for i, layer := range s.d.Layers {
		if layer != nil {
			if err := l.SetFile(i, layer); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

// piece returns the data of a piece, padding left out.
func (s *share) piece(p int) []byte {
	var out []byte
	for _, e := range s.m.Extents(nil, p, 0, s.m.PieceSize(p)) {
		if e.File < 0 {
			out = append(out, make([]byte, e.Length)...)
		} else {
			out = append(out, s.files[e.File][e.Offset:e.Offset+int64(e.Length)]...)
		}
	}
	return out
}

// leaves is what AnswerRange asks for.
func (s *share) leaves(p int) ([]content.Hash, error) {
	return content.Leaves(nil, s.piece(p)), nil
}
