package content

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"math/bits"
	"sync"

	"tandem/internal/fault"
)

const (
	// streamVersion is the first byte of a Stream's state.
	streamVersion = 1

	// sha256State is the length of a marshalled SHA-256 of the standard library:
	// a magic of 4 bytes, 8 words, a block of input and the length.
	sha256State = 4 + 8*4 + sha256.BlockSize + 8
	// sha256Words ends the magic and the words, which are those of an empty hash
	// until a block of input is full.
	sha256Words = 4 + 8*4

	streamHead = 1 + 8 + 2*sha256State

	// streamHeight is the highest tree of an int64 of bytes, in leaves of BlockSize.
	streamHeight = 63 - 14

	// maxStream is where a Stream may go on: far enough from the end of an int64
	// for whatever is written after it.
	maxStream = 1 << 62

	// splitSize is the shortest Write that is worth a second goroutine.
	splitSize = 64 << 10
)

// FileSum names the content of one file.
type FileSum struct {
	Root   Hash // BEP 52 pieces root; zero for an empty file
	SHA256 Hash // of the bytes in a row
	Size   int64
}

// Stream computes a FileSum while the bytes of a file pass by, in one pass and
// in memory that grows with the logarithm of the size. Its state can be kept
// and taken up again at the same offset. It is used by one goroutine at a time.
type Stream struct {
	size int64
	flat hash.Hash // of all bytes
	leaf hash.Hash // of the bytes behind the last full block

	// stack[k] is the root over 1<<k full blocks, valid where bit k of the number
	// of full blocks is set: those blocks stand before the ones of lower bits.
	stack [streamHeight + 1]Hash
}

// NewStream returns a Stream at offset 0.
func NewStream() *Stream { return &Stream{flat: sha256.New(), leaf: sha256.New()} }

// ResumeStream takes up the state that State returned. What it accepts is
// exactly what State returns again. Errors are of kind fault.Invalid.
func ResumeStream(state []byte) (*Stream, error) {
	if len(state) < streamHead || state[0] != streamVersion {
		return nil, fault.Errorf(fault.Invalid, "hash state of %d bytes: unknown form", len(state))
	}
	size := binary.BigEndian.Uint64(state[1:])
	if size > maxStream {
		return nil, fault.Errorf(fault.Invalid, "hash state: size %d is out of range", size)
	}
	s := NewStream()
	s.size = int64(size)
	flat, leaf, rest := state[9:9+sha256State], state[9+sha256State:streamHead], state[streamHead:]
	if err := resumeSHA256(s.flat, flat, s.size); err != nil {
		return nil, err
	}
	if err := resumeSHA256(s.leaf, leaf, s.size%BlockSize); err != nil {
		return nil, err
	}
	blocks := uint64(s.size / BlockSize)
	if len(rest) != bits.OnesCount64(blocks)*len(Hash{}) {
		return nil, fault.Errorf(fault.Invalid, "hash state: %d bytes of nodes for %d blocks", len(rest), blocks)
	}
	for k := range s.stack {
		if blocks>>k&1 != 0 {
			rest = rest[copy(s.stack[k][:], rest):]
		}
	}
	return s, nil
}

// resumeSHA256 sets h, which is empty, to a marshalled state after size bytes.
func resumeSHA256(h hash.Hash, state []byte, size int64) error {
	empty := appendSHA256(nil, h)
	if size < sha256.BlockSize && !bytes.Equal(state[:sha256Words], empty[:sha256Words]) {
		return fault.Errorf(fault.Invalid, "hash state: SHA-256 of %d bytes is not where it began", size)
	}
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		return fault.Errorf(fault.Invalid, "hash state: %w", err)
	}
	if binary.BigEndian.Uint64(state[len(state)-8:]) != uint64(size) || !bytes.Equal(appendSHA256(nil, h), state) {
		return fault.Errorf(fault.Invalid, "hash state: SHA-256 is not of %d bytes", size)
	}
	return nil
}

// appendSHA256 appends the state of h, which the standard library can marshal.
func appendSHA256(b []byte, h hash.Hash) []byte {
	b, err := h.(encoding.BinaryAppender).AppendBinary(b)
	if err != nil {
		panic("content: SHA-256 has no state: " + err.Error())
	}
	return b
}

// Write takes the next bytes; it never fails and does not keep p. Large writes
// are hashed on two cores at once.
func (s *Stream) Write(p []byte) (int, error) {
	if len(p) < splitSize {
		s.flat.Write(p)
		s.writeLeaves(p)
	} else {
		var wg sync.WaitGroup
		wg.Go(func() { s.flat.Write(p) })
		s.writeLeaves(p)
		wg.Wait()
	}
	s.size += int64(len(p))
	return len(p), nil
}

// writeLeaves takes p, which stands at size, into the tree.
func (s *Stream) writeLeaves(p []byte) {
	blocks, filled := uint64(s.size/BlockSize), int(s.size%BlockSize)
	for len(p) > 0 {
		n := min(len(p), BlockSize-filled)
		switch {
		case n == BlockSize:
			s.push(blocks, LeafHash(p[:n]))
			blocks++
		case filled+n == BlockSize:
			s.leaf.Write(p[:n])
			s.push(blocks, Hash(s.leaf.Sum(nil)))
			s.leaf.Reset()
			blocks++
		default:
			s.leaf.Write(p[:n])
		}
		filled = (filled + n) % BlockSize
		p = p[n:]
	}
}

// push adds a full block's leaf behind blocks of them.
func (s *Stream) push(blocks uint64, node Hash) {
	k := 0
	for ; blocks>>k&1 != 0; k++ {
		node = parent(s.stack[k], node)
	}
	s.stack[k] = node
}

// Size returns how many bytes were written.
func (s *Stream) Size() int64 { return s.size }

// State returns what ResumeStream needs, less than 2 KiB.
func (s *Stream) State() []byte {
	blocks := uint64(s.size / BlockSize)
	b := make([]byte, 0, streamHead+bits.OnesCount64(blocks)*len(Hash{}))
	b = append(b, streamVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.size))
	b = appendSHA256(b, s.flat)
	b = appendSHA256(b, s.leaf)
	for k := range s.stack {
		if blocks>>k&1 != 0 {
			b = append(b, s.stack[k][:]...)
		}
	}
	return b
}

// Sum returns the sum of what was written so far; writing may go on.
func (s *Stream) Sum() FileSum {
	return FileSum{Root: s.root(), SHA256: Hash(s.flat.Sum(nil)), Size: s.size}
}

// root folds the stack from its lowest bit up, padding where a node has no
// right neighbour.
func (s *Stream) root() Hash {
	if s.size == 0 {
		return Hash{}
	}
	var node, pad Hash
	blocks, open := uint64(s.size/BlockSize), false // node is that of the last, unfinished subtree
	leaves := blocks
	if s.size%BlockSize != 0 {
		node, open = Hash(s.leaf.Sum(nil)), true
		leaves++
	}
	height := bits.Len64(leaves - 1)
	for k := range height {
		set := blocks>>k&1 != 0
		switch {
		case open && set:
			node = parent(s.stack[k], node)
		case open:
			node = parent(node, pad)
		case set:
			node, open = parent(s.stack[k], pad), true
		}
		pad = parent(pad, pad)
	}
	if !open {
		return s.stack[height]
	}
	return node
}
