package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"

	"tandem/internal/content"
)

// The piece map, version 1. Numbers are big-endian, bits stand as in BEP 3.
//
//	0     header: magic, version (2 bytes), zero (2), pieces (4),
//	      SHA-256 over what the content is (32), zero (12), CRC-32C (4)
//	4096  marks: a bit for each piece committed, written at once, not checked
//	      by a sum: they only say which pieces to hash after a crash
//	then  two slots: generation (8), CRC-32C (4), zero (4), a bit for each piece
//	      whose data is on the device. The valid slot of the higher generation
//	      counts; writing goes to the other one
//
// Marks and slots begin at multiples of 4096.
const (
	mapMagic   = "tandemPM"
	mapVersion = 1
	mapHeader  = 64
	mapAlign   = 4096
	slotHeader = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mapID returns what a map of m says it belongs to.
func mapID(m *content.Manifest) [32]byte {
	b := []byte("tandem/v1/piece-map\x00")
	if m.HasV1 {
		b = append(append(b, 1), m.InfoHash1[:]...)
	}
	if m.HasV2 {
		b = append(append(b, 2), m.InfoHash2[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(m.PieceLength))
	b = binary.BigEndian.AppendUint64(b, uint64(m.TotalBytes()))
	return sha256.Sum256(b)
}

func align(n int) int { return (n + mapAlign - 1) / mapAlign * mapAlign }

// mapSlot returns where slot i of a map over n pieces begins, and for i = 2 its
// end.
func mapSlot(n, i int) int {
	return mapAlign + align((n+7)/8) + i*align(slotHeader+(n+7)/8)
}

func appendSlot(dst []byte, gen uint64, bits []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, gen)
	dst = append(dst, make([]byte, 8)...)
	dst = append(dst, bits...)
	sum := crc32.Checksum(dst[start:start+8], castagnoli)
	sum = crc32.Update(sum, castagnoli, bits)
	binary.BigEndian.PutUint32(dst[start+8:], sum)
	return dst
}

func parseSlot(p []byte, n int) (gen uint64, set *content.Bitfield, ok bool) {
	bits := p[slotHeader : slotHeader+(n+7)/8]
	sum := crc32.Checksum(p[:8], castagnoli)
	if binary.BigEndian.Uint32(p[8:]) != crc32.Update(sum, castagnoli, bits) || [4]byte(p[12:]) != [4]byte{} {
		return 0, nil, false
	}
	set, ok = content.ParseBitfield(bits, n)
	return binary.BigEndian.Uint64(p), set, ok
}

// encodeMap returns a whole map: marks as given, the verified set in the slot
// of generation gen, the other slot empty.
func encodeMap(id [32]byte, n int, marks []byte, gen uint64, verified *content.Bitfield) []byte {
	p := make([]byte, mapSlot(n, 2))
	copy(p, mapMagic)
	binary.BigEndian.PutUint16(p[8:], mapVersion)
	binary.BigEndian.PutUint32(p[12:], uint32(n))
	copy(p[16:], id[:])
	binary.BigEndian.PutUint32(p[60:], crc32.Checksum(p[:60], castagnoli))
	copy(p[mapAlign:], marks)
	copy(p[mapSlot(n, int(gen%2)):], appendSlot(nil, gen, verified.Bytes()))
	return p
}

// parseMap reads a map. It returns false for one that is torn or belongs to
// other content.
func parseMap(p []byte, id [32]byte, n int) (marks []byte, gen uint64, verified *content.Bitfield, ok bool) {
	if len(p) != mapSlot(n, 2) || string(p[:8]) != mapMagic || [2]byte(p[10:]) != [2]byte{} || [12]byte(p[48:]) != [12]byte{} ||
		binary.BigEndian.Uint16(p[8:]) != mapVersion ||
		binary.BigEndian.Uint32(p[12:]) != uint32(n) || [32]byte(p[16:]) != id ||
		binary.BigEndian.Uint32(p[60:]) != crc32.Checksum(p[:60], castagnoli) {
		return nil, 0, nil, false
	}
	for i := range 2 {
		g, v, good := parseSlot(p[mapSlot(n, i):mapSlot(n, i+1)], n)
		if good && int(g%2) == i && g > gen {
			gen, verified, ok = g, v, true
		}
	}
	return append([]byte(nil), p[mapAlign:mapAlign+(n+7)/8]...), gen, verified, ok
}

// pieceMap is a piece map in its file.
type pieceMap struct {
	f        file
	n        int
	gen      uint64            // of the newest valid slot
	verified *content.Bitfield // its contents; the owner serializes save

	mu    sync.Mutex // guards marks
	marks []byte
}

// openMap opens or makes the map name of m. A map that cannot be used is begun
// anew, with every piece marked.
func openMap(t tree, dir, name string, m *content.Manifest) (*pieceMap, error) {
	n, id := m.NumPieces(), mapID(m)
	f, err := t.OpenFile(name, os.O_RDWR, 0)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		f, err = t.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, wrap("open", name, err)
	}
	pm := &pieceMap{f: f, n: n}
	buf := make([]byte, mapSlot(n, 2)+1)
	got, err := f.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		f.Close()
		return nil, wrap("read", name, err)
	}
	var ok bool
	if pm.marks, pm.gen, pm.verified, ok = parseMap(buf[:got], id, n); ok {
		return pm, nil
	}
	pm.marks, pm.gen, pm.verified = make([]byte, (n+7)/8), 1, content.NewBitfield(n)
	if !fresh {
		pm.marks = content.FullBitfield(n).Bytes()
	}
	if err := pm.begin(t, dir, id); err != nil {
		f.Close()
		return nil, wrap("write", name, err)
	}
	return pm, nil
}

// begin writes the whole map.
func (pm *pieceMap) begin(t tree, dir string, id [32]byte) error {
	p := encodeMap(id, pm.n, pm.marks, pm.gen, pm.verified)
	if err := pm.f.Truncate(int64(len(p))); err != nil {
		return err
	}
	if _, err := pm.f.WriteAt(p, 0); err != nil {
		return err
	}
	if err := pm.f.Sync(); err != nil {
		return err
	}
	return t.SyncDir(dir)
}

// mark sets or clears the mark of a piece, without waiting for the device.
func (pm *pieceMap) mark(piece int, on bool) error {
	pm.mu.Lock()
	defer pm.mu.Unlock()
	b := pm.marks[piece/8]
	if on {
		b |= 0x80 >> (piece % 8)
	} else {
		b &^= 0x80 >> (piece % 8)
	}
	if b == pm.marks[piece/8] {
		return nil
	}
	if _, err := pm.f.WriteAt([]byte{b}, int64(mapAlign+piece/8)); err != nil {
		return err
	}
	pm.marks[piece/8] = b
	return nil
}

// marked returns the marked pieces.
func (pm *pieceMap) marked() *content.Bitfield {
	pm.mu.Lock()
	defer pm.mu.Unlock()
	set := content.NewBitfield(pm.n)
	for i := range pm.n {
		if pm.marks[i/8]&(0x80>>(i%8)) != 0 {
			set.Set(i)
		}
	}
	return set
}

// save makes v the verified set and waits for the device. On an error the
// newest valid slot is the one before, and pm.verified is unchanged.
func (pm *pieceMap) save(v *content.Bitfield) error {
	gen := pm.gen + 1
	if _, err := pm.f.WriteAt(appendSlot(nil, gen, v.Bytes()), int64(mapSlot(pm.n, int(gen%2)))); err != nil {
		return err
	}
	if err := pm.f.Sync(); err != nil {
		return err
	}
	pm.gen, pm.verified = gen, v
	return nil
}

// keepOnly makes v, of which all is verified, the verified set. One slot is
// enough: the one before it does not count any more, and is the next to be
// written.
func (pm *pieceMap) keepOnly(v *content.Bitfield) error {
	if v.Count() == pm.verified.Count() {
		return nil
	}
	return pm.save(v)
}
