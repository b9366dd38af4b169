package disk

import (
	"testing"

	"tandem/internal/content"
)

func BenchmarkWriteAt(b *testing.B) {
	const size = 256 << 20
	m := &content.Manifest{Name: "f", Single: true, PieceLength: 256 << 10, HasV2: true, Files: []content.File{{Path: []string{"f"}, Length: size}}}
	m.Seal()
	ws, err := OpenWorkspace(b.TempDir(), content.SHA1{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := ws.Pieces(m, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Remove()
	buf := make([]byte, content.BlockSize)
	blocks := m.NumPieces() * 16
	b.SetBytes(int64(len(buf)))
	i := 0
	for b.Loop() {
		if err := p.WriteAt(buf, i/16, i%16*len(buf)); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % blocks
	}
}

func BenchmarkReadAt(b *testing.B) {
	const size = 256 << 20
	m := &content.Manifest{Name: "f", Single: true, PieceLength: 256 << 10, HasV2: true, Files: []content.File{{Path: []string{"f"}, Length: size}}}
	m.Seal()
	ws, err := OpenWorkspace(b.TempDir(), content.SHA1{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := ws.Pieces(m, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Remove()
	buf := make([]byte, content.BlockSize)
	for i := range m.NumPieces() * 16 {
		if err := p.WriteAt(buf, i/16, i%16*len(buf)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
	i := 0
	for b.Loop() {
		if err := p.ReadAt(buf, i/16, i%16*len(buf)); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % (m.NumPieces() * 16)
	}
}
