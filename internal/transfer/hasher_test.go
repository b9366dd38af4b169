package transfer

import (
	"bytes"
	"crypto/sha1"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// One piece of five blocks, the last one short, comes in any order from two
// connections, some blocks damaged, twice or not accepted, and started over. What
// is said to be its SHA-1 must be that of what was stored.
func TestTheSHA1OfArrivalsIsThatOfWhatIsStored(t *testing.T) {
	const size = 4*content.BlockSize + 1000
	m := &content.Manifest{Name: "x", PieceLength: 128 << 10, HasV1: true, Single: true}
	m.Files = []content.File{{Path: []string{"x"}, Length: size}}
	m.Seal()
	rapid.Check(t, func(t *rapid.T) {
		var runs atomic.Int64
		a, b := newHasher(m, &runs), newHasher(m, &runs)
		stored := make([]byte, m.PaddedSize(0))
		var have [5]bool
		var seen arrival
		for range rapid.IntRange(1, 60).Draw(t, "blocks") {
			if have == [5]bool{true, true, true, true, true} {
				if sum := seen.whole1(5); sum != nil {
					if *sum != sha1.Sum(stored) {
						t.Fatal("a SHA-1 of something else")
					}
				}
				seen, have = arrival{}, [5]bool{}
				have[rapid.IntRange(0, 4).Draw(t, "kept")] = rapid.Bool().Draw(t, "judged")
			}
			i := 0
			for i < 4 && have[i] {
				i++
			}
			if rapid.IntRange(0, 9).Draw(t, "jump") == 0 {
				i = rapid.IntRange(0, 4).Draw(t, "to")
			}
			k := &block{n: m.BlockLen(0, i), begin: i * content.BlockSize, run: 7, whole: true}
			k.data[0] = rapid.Byte().Draw(t, "data")
			h := a
			if rapid.IntRange(0, 9).Draw(t, "who") == 0 {
				h = b
			}
			h.hash(0, k.begin, k)
			if have[i] || rapid.IntRange(0, 20).Draw(t, "refused") == 0 {
				continue
			}
			have[i] = true
			copy(stored[k.begin:], k.data[:k.n])
			seen.note(k)
		}
	})
}

// A hasher must take what no piece can have.
func TestAHasherTakesAnyNumbers(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		m := &content.Manifest{Name: "x", PieceLength: 32 << 10, HasV1: true, HasV2: v2, Single: true}
		m.Files = []content.File{{Path: []string{"x"}, Length: 40 << 10}}
		m.Seal()
		rapid.Check(t, func(t *rapid.T) {
			h := newHasher(m, new(atomic.Int64))
			for range rapid.IntRange(0, 40).Draw(t, "blocks") {
				k := &block{n: rapid.IntRange(0, content.BlockSize).Draw(t, "n")}
				piece := rapid.SampledFrom([]uint32{0, 1, 2, 1 << 31, 1<<32 - 1}).Draw(t, "piece")
				begin := rapid.SampledFrom([]uint32{0, 1, 16 << 10, 32 << 10, 1<<32 - 1}).Draw(t, "begin")
				h.hash(int(piece), int(begin), k)
				if v2 && k.leaf != content.LeafHash(k.data[:k.n]) {
					t.Fatal("the leaf hash is missing")
				}
				if k.whole && (piece > 1 || k.run == 0) {
					t.Fatalf("piece %d is whole", piece)
				}
			}
		})
	}
}

func TestPiecesOfOneConnectionAreNotReadBack(t *testing.T) {
	files := testFiles(1<<20, 50_000)
	for _, f := range forms[:2] {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 64<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				s := newMemory(tor.Manifest)
				s.hook = func(op string, piece int) error {
					if op == "ReadAt" {
						return fault.Errorf(fault.Invalid, "piece %d is read", piece)
					}
					return nil
				}
				got := w.start(tor, s, nil)
				got.AddPeers("link", seed.at())
				got.finishes(time.Minute)
				for i, p := range full.data {
					if !bytes.Equal(s.data[i], p) {
						t.Errorf("piece %d differs", i)
					}
				}
			})
		})
	}
}
