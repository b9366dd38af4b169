package disk

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
)

var update = flag.Bool("update", false, "write the golden files of the current version")

// golden compares data with a released file, which never changes.
func golden(t *testing.T, name string, data []byte) {
	t.Helper()
	name = filepath.Join("testdata", "v1", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Errorf("%s is written differently now; released formats stay", name)
	}
}

func setOf(n int, members ...int) *content.Bitfield {
	b := content.NewBitfield(n)
	for _, i := range members {
		b.Set(i)
	}
	return b
}

func TestMapIsReadAndWrittenAsReleased(t *testing.T) {
	m := &content.Manifest{Name: "x", PieceLength: 16 << 10, HasV1: true, HasV2: true, Files: []content.File{{Path: []string{"x"}, Length: 300_000}}, Single: true}
	m.InfoHash1[0], m.InfoHash2[0] = 1, 2
	m.Seal()
	n := m.NumPieces()
	data := encodeMap(mapID(m), n, setOf(n, 0, 3, 18).Bytes(), 6, setOf(n, 0, 17))
	golden(t, "pieces", data)
	marks, gen, verified, ok := parseMap(data, mapID(m), n)
	if !ok || gen != 6 || !bytes.Equal(marks, setOf(n, 0, 3, 18).Bytes()) || !bytes.Equal(verified.Bytes(), setOf(n, 0, 17).Bytes()) {
		t.Errorf("read back as marks %x, generation %d, verified %x, %v", marks, gen, verified.Bytes(), ok)
	}
	other := *m
	other.InfoHash2[0]++
	if _, _, _, ok := parseMap(data, mapID(&other), n); ok {
		t.Error("a map of other content is taken")
	}
}

func TestTornSlotLeavesTheOneBefore(t *testing.T) {
	const n = 100
	id := [32]byte{7}
	data := encodeMap(id, n, make([]byte, 13), 5, setOf(n, 1, 2))
	copy(data[mapSlot(n, 0):], appendSlot(nil, 6, setOf(n, 1, 2, 3).Bytes()))
	if _, gen, v, ok := parseMap(data, id, n); !ok || gen != 6 || v.Count() != 3 {
		t.Fatalf("generation %d with %d pieces, %v, want 6 with 3", gen, v.Count(), ok)
	}
	for i := mapSlot(n, 0); i < mapSlot(n, 0)+slotHeader+13; i++ {
		torn := bytes.Clone(data)
		torn[i] ^= 0x10
		if _, gen, v, ok := parseMap(torn, id, n); !ok || gen != 5 || v.Count() != 2 {
			t.Fatalf("with byte %d wrong: generation %d, %v, want 5", i, gen, ok)
		}
	}
}

// Whatever is written by any sequence of saves is what is read, also when the
// last one was torn anywhere.
func TestMapSavesAreAtomic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "pieces")
		data := encodeMap([32]byte{}, n, make([]byte, (n+7)/8), 1, content.NewBitfield(n))
		last := content.NewBitfield(n)
		gen := uint64(1)
		for range rapid.IntRange(0, 5).Draw(t, "saves") {
			if n > 0 {
				last.Set(rapid.IntRange(0, n-1).Draw(t, "piece"))
			}
			gen++
			copy(data[mapSlot(n, int(gen%2)):], appendSlot(nil, gen, last.Bytes()))
		}
		next := last.Clone()
		for i := range n {
			next.Clear(i)
		}
		slot := appendSlot(nil, gen+1, next.Bytes())
		slot = slot[:rapid.IntRange(0, len(slot)-1).Draw(t, "torn at")]
		copy(data[mapSlot(n, int((gen+1)%2)):], slot)
		_, _, got, ok := parseMap(data, [32]byte{}, n)
		if !ok {
			t.Fatal("nothing can be read")
		}
		if !bytes.Equal(got.Bytes(), last.Bytes()) && !bytes.Equal(got.Bytes(), next.Bytes()) {
			t.Fatalf("read %x, want %x", got.Bytes(), last.Bytes())
		}
	})
}

func TestRecordIsReadAndWrittenAsReleased(t *testing.T) {
	list := []finished{{0, identity{1, 2, 3}}, {4, identity{1 << 40, 1_700_000_000_123_456_789, 1 << 60}}}
	data := encodeRecord(list)
	golden(t, "finished", data)
	got, ok := parseRecord(data, 5)
	if !ok || len(got) != 2 || got[0] != list[0] || got[1] != list[1] {
		t.Errorf("read back as %v, %v", got, ok)
	}
	if _, ok := parseRecord(data, 4); ok {
		t.Error("a record of more files is taken")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(encodeRecord(nil), 1)
	f.Add(encodeRecord([]finished{{0, identity{1, 2, 3}}, {7, identity{4, 5, 6}}}), 8)
	f.Add([]byte(recordMagic), 3)
	f.Fuzz(func(t *testing.T, p []byte, n int) {
		list, ok := parseRecord(p, n)
		if ok && !bytes.Equal(encodeRecord(list), p) {
			t.Errorf("%x is read but written as %x", p, encodeRecord(list))
		}
	})
}

// A map is canonical but for what no reader looks at: the slot that does not
// count, and the space between. It is fuzzed in its parts, which are far apart.
func FuzzMap(f *testing.F) {
	const n = 9
	id := [32]byte{}
	for _, p := range [][]byte{
		encodeMap(id, n, []byte{0xff, 0x80}, 1, setOf(n, 3)),
		encodeMap(id, n, []byte{0, 0}, 2, setOf(n, 8)),
		make([]byte, mapSlot(n, 2)),
	} {
		f.Add(p[:mapHeader], p[mapAlign:mapAlign+2], p[mapSlot(n, 0):][:slotHeader+2], p[mapSlot(n, 1):][:slotHeader+2])
	}
	f.Fuzz(func(t *testing.T, header, marks, one, two []byte) {
		p := make([]byte, mapSlot(n, 2))
		copy(p, header)
		copy(p[mapAlign:], marks)
		copy(p[mapSlot(n, 0):mapSlot(n, 1)], one)
		copy(p[mapSlot(n, 1):], two)
		got, gen, v, ok := parseMap(p, id, n)
		if !ok {
			return
		}
		again := encodeMap(id, n, got, gen, v)
		if !bytes.Equal(again[:mapHeader], p[:mapHeader]) {
			t.Errorf("header %x is written as %x", p[:mapHeader], again[:mapHeader])
		}
		marks2, gen2, v2, ok := parseMap(again, id, n)
		if !ok || gen2 != gen || !bytes.Equal(got, marks2) || !bytes.Equal(v.Bytes(), v2.Bytes()) {
			t.Errorf("marks %x, generation %d, verified %x are not what is read back", got, gen, v.Bytes())
		}
	})
}
