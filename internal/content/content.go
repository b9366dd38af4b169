// Package content describes files cut into pieces and blocks: the manifest,
// its Merkle trees, the set of pieces a node has, and the rules for names.
//
// Source: BEP 3 (pieces), BEP 47 (pad files), BEP 52 (v2). The piece space is
// one line of bytes; in v2 and hybrid content every file starts on a piece
// boundary and the gap behind it is not content: it is never fetched, never
// written, and read as zeros.
package content

import "math/bits"

// BlockSize is the unit of requests and of Merkle leaves, in bytes (BEP 52).
const BlockSize = 16 << 10

// Limits on foreign manifests.
const (
	MaxPieces      = 1 << 21
	MaxFiles       = 100_000
	MinPieceLength = BlockSize
	MaxPieceLength = 16 << 20
)

// Hash is a SHA-256 digest: a Merkle node, a root or a v2 info-hash.
type Hash [32]byte

// SHA1 is a SHA-1 digest: a v1 piece hash or a 20-byte swarm key.
type SHA1 [20]byte

// Truncated returns the first 20 bytes, which stand for a v2 info-hash in
// handshakes, trackers and the DHT (BEP 52).
func (h Hash) Truncated() SHA1 { return SHA1(h[:20]) }

// IsZero reports whether h is all zeros, which stands for "none".
func (h Hash) IsZero() bool { return h == Hash{} }

// IsZero reports whether h is all zeros, which stands for "none".
func (h SHA1) IsZero() bool { return h == SHA1{} }

// PieceLength returns the piece length in bytes for content of total bytes. It
// is a fixed function, so that the same content gives the same hashes for
// everybody: 32 KiB up to 32 MiB, then doubling with the size up to 1 MiB at
// 1 GiB (about 1,024 pieces), then doubling with every fourfold size up to
// 16 MiB. Small pieces matter: a swarm loses about 0.45 * N * piece / (u * T).
func PieceLength(total int64) int64 {
	const small, knee = 32 << 10, 1 << 30
	if total <= 1024*small {
		return small
	}
	if total <= knee {
		return 1 << bits.Len64(uint64(total-1)/1024)
	}
	p := int64(1 << 20)
	for size := int64(knee); size < total && p < MaxPieceLength; size *= 4 {
		p *= 2
	}
	return p
}

// File is one file of a manifest.
type File struct {
	Path   []string // components below the folder Name; Name alone for a single file; see CheckPath
	Length int64    // bytes
	Offset int64    // of its first byte in the piece space
	Root   Hash     // BEP 52 "pieces root"; zero without v2 and for empty files
	Pad    bool     // BEP 47 padding in v1-only content: read as zeros, never written
	Exec   bool     // attr "x"
}

// Manifest is what content is: names, sizes and hashes. It is immutable once
// made and safe for concurrent use.
type Manifest struct {
	Name        string
	Single      bool  // one file called Name, rather than a folder called Name
	PieceLength int64 // bytes, a power of two when HasV2
	Files       []File
	Tail        int64 // hybrid: bytes of BEP 47 padding behind the last file that the v1 pieces cover
	Private     bool  // BEP 27

	HasV1     bool
	HasV2     bool
	InfoHash1 SHA1
	InfoHash2 Hash

	Pieces1 []SHA1 // v1 piece hashes; nil without v1

	span int64 // length of the piece space in bytes
}

// Seal computes what follows from the exported fields (file offsets, the span)
// and must be called once by whoever fills them in. It sets Offset of every
// file: back to back for v1-only content, on piece boundaries otherwise.
func (m *Manifest) Seal() {
	var at int64
	for i := range m.Files {
		f := &m.Files[i]
		if m.HasV2 && f.Length > 0 {
			at = (at + m.PieceLength - 1) / m.PieceLength * m.PieceLength
		}
		f.Offset = at
		at += f.Length
	}
	m.span = at
	if m.HasV2 && m.HasV1 {
		m.span += m.Tail
	}
}

// Keys returns the 20-byte swarm keys of the content, v1 first.
func (m *Manifest) Keys() []SHA1 {
	var keys []SHA1
	if m.HasV1 {
		keys = append(keys, m.InfoHash1)
	}
	if m.HasV2 {
		keys = append(keys, m.InfoHash2.Truncated())
	}
	return keys
}

// TotalBytes returns the bytes of content, without padding.
func (m *Manifest) TotalBytes() int64 {
	var n int64
	for _, f := range m.Files {
		if !f.Pad {
			n += f.Length
		}
	}
	return n
}

// NumPieces returns the number of pieces.
func (m *Manifest) NumPieces() int {
	return int((m.span + m.PieceLength - 1) / m.PieceLength)
}

// PieceSize returns how many bytes of piece i are fetched and stored. In v2
// and hybrid content the padding behind a file's last byte does not count.
func (m *Manifest) PieceSize(i int) int {
	start := int64(i) * m.PieceLength
	end := min(start+m.PieceLength, m.span)
	if m.HasV2 {
		f := m.Files[m.FileAt(start)]
		end = min(end, f.Offset+f.Length)
	}
	return int(end - start)
}

// PaddedSize returns the size of piece i as other clients may ask for it: with
// padding. In v2-only content that is the piece length everywhere: libtorrent
// asks for whole blocks behind the end of a file.
func (m *Manifest) PaddedSize(i int) int {
	if !m.HasV1 {
		return int(m.PieceLength)
	}
	start := int64(i) * m.PieceLength
	return int(min(m.PieceLength, m.span-start))
}

// NumBlocks returns the number of blocks of piece i that are fetched.
func (m *Manifest) NumBlocks(i int) int {
	return (m.PieceSize(i) + BlockSize - 1) / BlockSize
}

// BlockLen returns the length in bytes of block b of piece i.
func (m *Manifest) BlockLen(i, b int) int {
	return min(BlockSize, m.PieceSize(i)-b*BlockSize)
}

// FileAt returns the index of the file that holds byte off of the piece space,
// or, for a byte of padding, the file it follows. Empty files hold nothing.
func (m *Manifest) FileAt(off int64) int {
	lo, hi := 0, len(m.Files)
	for lo < hi { // first file with Offset > off
		if mid := (lo + hi) / 2; m.Files[mid].Offset > off {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	i := lo - 1
	for i > 0 && m.Files[i].Length == 0 {
		i--
	}
	return i
}

// Extent is a run of bytes in one file.
type Extent struct {
	File   int   // index into Files; -1 for padding, which reads as zeros
	Offset int64 // in the file
	Length int   // bytes
}

// Extents appends to dst the runs that make up length bytes at begin of piece,
// in order, padding included. The range must lie within the piece's PaddedSize
// (within PieceLength for v2-only content, where the last gap is open).
func (m *Manifest) Extents(dst []Extent, piece, begin, length int) []Extent {
	at := int64(piece)*m.PieceLength + int64(begin)
	for i := m.FileAt(at); length > 0; {
		f := &m.Files[i]
		if end := f.Offset + f.Length; at < end {
			n := int(min(int64(length), end-at))
			file := i
			if f.Pad {
				file = -1
			}
			dst = append(dst, Extent{file, at - f.Offset, n})
			at, length = at+int64(n), length-n
			continue
		}
		for i++; i < len(m.Files) && m.Files[i].Length == 0; i++ {
		}
		gap := int64(length)
		if i < len(m.Files) {
			gap = min(gap, m.Files[i].Offset-at)
		}
		if gap > 0 {
			dst = append(dst, Extent{-1, 0, int(gap)})
			at, length = at+gap, length-int(gap)
		}
		if i == len(m.Files) {
			return dst
		}
	}
	return dst
}
