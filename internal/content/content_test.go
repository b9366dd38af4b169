package content_test

import (
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
)

func TestPieceLengthIsFixed(t *testing.T) {
	const mib, gib = int64(1) << 20, int64(1) << 30
	for _, c := range []struct{ total, want int64 }{
		{0, 32 << 10},
		{1, 32 << 10},
		{32 * mib, 32 << 10},
		{32*mib + 1, 64 << 10},
		{64 * mib, 64 << 10},
		{64*mib + 1, 128 << 10},
		{512*mib + 1, mib},
		{gib, mib},
		{gib + 1, 2 * mib},
		{4 * gib, 2 * mib},
		{4*gib + 1, 4 * mib},
		{10 * gib, 4 * mib},
		{16 * gib, 4 * mib},
		{64 * gib, 8 * mib},
		{64*gib + 1, 16 * mib},
		{30 << 40, 16 * mib},
		{1 << 62, 16 * mib},
	} {
		if got := content.PieceLength(c.total); got != c.want {
			t.Errorf("PieceLength(%d) = %d, not %d", c.total, got, c.want)
		}
	}
}

// drawManifest draws a small manifest of any version.
func drawManifest(t *rapid.T) *content.Manifest {
	m := &content.Manifest{HasV1: rapid.Bool().Draw(t, "v1")}
	m.HasV2 = !m.HasV1 || rapid.Bool().Draw(t, "v2")
	m.PieceLength = content.BlockSize << rapid.IntRange(0, 2).Draw(t, "piece")
	if !m.HasV2 {
		m.PieceLength += rapid.Int64Range(0, 3).Draw(t, "odd")
	}
	sizes := rapid.SliceOfN(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 200_000),
		rapid.Map(rapid.Int64Range(1, 4), func(n int64) int64 { return n * m.PieceLength })), 1, 8).Draw(t, "sizes")
	for i, n := range sizes {
		m.Files = append(m.Files, content.File{Length: n, Pad: !m.HasV2 && i%3 == 2})
	}
	if m.HasV1 && m.HasV2 && rapid.Bool().Draw(t, "tail") {
		m.Seal()
		if n := m.NumPieces(); n > 0 {
			m.Tail = m.PieceLength - int64(m.PaddedSize(n-1))
		}
	}
	m.Seal()
	return m
}

func TestPiecesCoverEveryByteOfEveryFileOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		got := make([]int64, len(m.Files))
		var total, padding int64
		for p := range m.NumPieces() {
			blocks := 0
			for b := range m.NumBlocks(p) {
				blocks += m.BlockLen(p, b)
			}
			if size := m.PieceSize(p); blocks != size || size <= 0 || size > m.PaddedSize(p) {
				t.Fatalf("piece %d: %d bytes in blocks, size %d, padded %d", p, blocks, size, m.PaddedSize(p))
			}
			total += int64(m.PieceSize(p))
			whole := 0
			for _, e := range m.Extents(nil, p, 0, m.PaddedSize(p)) {
				whole += e.Length
				if e.File < 0 {
					padding += int64(e.Length)
					continue
				}
				if m.Files[e.File].Pad || got[e.File] != e.Offset {
					t.Fatalf("piece %d: file %d goes on at %d, not %d", p, e.File, e.Offset, got[e.File])
				}
				if at := int64(p) * m.PieceLength; m.HasV2 && m.Files[e.File].Offset > at {
					t.Fatalf("piece %d holds the start of file %d, not at its own", p, e.File)
				}
				got[e.File] += int64(e.Length)
			}
			if whole != m.PaddedSize(p) {
				t.Fatalf("piece %d: %d bytes in extents, padded size %d", p, whole, m.PaddedSize(p))
			}
		}
		for i, f := range m.Files {
			if !f.Pad && got[i] != f.Length {
				t.Fatalf("file %d: %d bytes of %d", i, got[i], f.Length)
			}
			if f.Pad {
				total -= f.Length
			}
		}
		if total != m.TotalBytes() {
			t.Fatalf("pieces hold %d bytes of %d", total, m.TotalBytes())
		}
	})
}

func TestExtentsOfAPartAreAPartOfTheExtents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		if m.NumPieces() == 0 {
			return
		}
		p := rapid.IntRange(0, m.NumPieces()-1).Draw(t, "p")
		begin := rapid.IntRange(0, m.PaddedSize(p)-1).Draw(t, "begin")
		length := rapid.IntRange(0, m.PaddedSize(p)-begin).Draw(t, "length")
		type at struct {
			file int
			off  int64
		}
		flat := func(es []content.Extent) (out []at) {
			for _, e := range es {
				for i := range e.Length {
					if e.File < 0 {
						out = append(out, at{-1, 0})
					} else {
						out = append(out, at{e.File, e.Offset + int64(i)})
					}
				}
			}
			return out
		}
		whole := flat(m.Extents(nil, p, 0, m.PaddedSize(p)))
		part := flat(m.Extents(nil, p, begin, length))
		if len(part) != length {
			t.Fatalf("%d bytes, not %d", len(part), length)
		}
		for i := range part {
			if part[i] != whole[begin+i] {
				t.Fatalf("byte %d is %v, not %v", i, part[i], whole[begin+i])
			}
		}
	})
}

func TestKeysAreV1First(t *testing.T) {
	m := content.Manifest{HasV1: true, HasV2: true, InfoHash1: content.SHA1{1}, InfoHash2: content.Hash{2, 19: 3, 20: 4}}
	if k := m.Keys(); len(k) != 2 || k[0] != m.InfoHash1 || k[1] != (content.SHA1{2, 19: 3}) {
		t.Fatalf("hybrid: %x", k)
	}
	m.HasV1 = false
	if k := m.Keys(); len(k) != 1 || k[0] != m.InfoHash2.Truncated() {
		t.Fatalf("v2 only: %x", k)
	}
}

func TestBitfieldIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "n")
		b, set := content.NewBitfield(n), map[int]bool{}
		if n > 0 {
			for _, i := range rapid.SliceOf(rapid.IntRange(0, n-1)).Draw(t, "members") {
				if set[i] && i%3 == 0 {
					if !b.Clear(i) || b.Clear(i) {
						t.Fatal("Clear does not say whether it was there")
					}
					delete(set, i)
					continue
				}
				if b.Set(i) == set[i] {
					t.Fatal("Set does not say whether it was new")
				}
				set[i] = true
			}
		}
		if b.Len() != n || b.Count() != len(set) || b.Full() != (len(set) == n) {
			t.Fatalf("len %d, count %d, full %v", b.Len(), b.Count(), b.Full())
		}
		members := 0
		for i := b.Next(-5); i >= 0; i = b.Next(i + 1) {
			if !set[i] || !b.Has(i) {
				t.Fatalf("%d is no member", i)
			}
			members++
		}
		if members != len(set) {
			t.Fatalf("Next found %d of %d", members, len(set))
		}
		back, ok := content.ParseBitfield(b.Bytes(), n)
		if !ok || back.Count() != b.Count() || back.AnyNotIn(b) || b.AnyNotIn(back) {
			t.Fatal("bytes do not come back")
		}
		full := content.FullBitfield(n)
		if !full.Full() || b.AnyNotIn(full) || full.AnyNotIn(b) == (len(set) == n) {
			t.Fatal("the full set is not full")
		}
		c := b.Clone()
		if n > 0 {
			c.Clear(0)
			if b.Has(0) != set[0] {
				t.Fatal("a clone shares its words")
			}
		}
	})
}

func TestBitfieldOfBEP3(t *testing.T) {
	b, ok := content.ParseBitfield([]byte{0b1010_0000, 0b0100_0000}, 10)
	if !ok || b.Count() != 3 || !b.Has(0) || !b.Has(2) || !b.Has(9) {
		t.Fatal("the first bit is not piece 0")
	}
	for name, c := range map[string]struct {
		p []byte
		n int
	}{
		"too short": {[]byte{0}, 9}, "too long": {[]byte{0, 0}, 8}, "spare bit set": {[]byte{0, 0x20}, 10},
		"nothing for one piece": {nil, 1}, "a byte for no pieces": {[]byte{0}, 0},
	} {
		if _, ok := content.ParseBitfield(c.p, c.n); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseBitfield(f *testing.F) {
	f.Add([]byte{0xff, 0x80}, 9)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, p []byte, n int) {
		if n < 0 || n > 1<<20 {
			return
		}
		if b, ok := content.ParseBitfield(p, n); ok && string(b.Bytes()) != string(p) {
			t.Fatalf("%x re-encodes as %x", p, b.Bytes())
		}
	})
}
