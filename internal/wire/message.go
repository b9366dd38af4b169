package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"tandem/internal/content"
	"tandem/internal/fault"
)

const (
	// MaxControl bounds every frame but bitfields and data, in bytes.
	MaxControl = 64 << 10
	// MaxBitfield bounds a bitfield while the number of pieces is unknown, in
	// bytes.
	MaxBitfield = content.MaxPieces / 8
	// MaxBlock bounds what Limits may allow for one block of data, in bytes.
	MaxBlock = 256 << 10

	prefixLen      = 4  // length of what follows, big-endian
	pieceHeaderLen = 9  // ID, index, begin
	rangeLen       = 48 // root, base layer, index, length, proof layers

	maxFrame = max(pieceHeaderLen+MaxBlock, 1+MaxBitfield)
)

var be = binary.BigEndian

// AppendMessage appends m to dst, length prefix included. It panics on a hash
// range with negative numbers, which is a mistake of the caller.
func AppendMessage(dst []byte, m *Message) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if m.ID == KeepAlive {
		return dst
	}
	dst = append(dst, byte(m.ID))
	switch m.ID {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
	case Have, Suggest, AllowedFast:
		dst = be.AppendUint32(dst, m.Index)
	case Request, Cancel, Reject:
		dst = be.AppendUint32(dst, m.Index)
		dst = be.AppendUint32(dst, m.Begin)
		dst = be.AppendUint32(dst, m.Length)
	case Piece:
		dst = be.AppendUint32(dst, m.Index)
		dst = be.AppendUint32(dst, m.Begin)
		dst = append(dst, m.Payload...)
	case Port:
		dst = be.AppendUint16(dst, m.Port)
	case Extended:
		dst = append(dst, m.Ext)
		dst = append(dst, m.Payload...)
	case HashRequest, HashReject:
		dst = appendRange(dst, m.Range)
	case Hashes:
		dst = appendRange(dst, m.Range)
		for i := range m.Hashes {
			dst = append(dst, m.Hashes[i][:]...)
		}
	default: // Bitfield, and numbers we do not know
		dst = append(dst, m.Payload...)
	}
	be.PutUint32(dst[start:], uint32(len(dst)-start-prefixLen))
	return dst
}

// AppendPieceHeader appends what precedes the data of a piece message of length
// bytes, so that header and data can go out as two buffers.
func AppendPieceHeader(dst []byte, index, begin, length uint32) []byte {
	dst = be.AppendUint32(dst, pieceHeaderLen+length)
	dst = append(dst, byte(Piece))
	dst = be.AppendUint32(dst, index)
	return be.AppendUint32(dst, begin)
}

func appendRange(dst []byte, r content.HashRange) []byte {
	dst = append(dst, r.Root[:]...)
	for _, n := range [...]int{r.Base, r.Index, r.Length, r.ProofLayers} {
		if n < 0 || n > math.MaxInt32 {
			panic(fmt.Sprintf("wire: hash range out of range: %d", n))
		}
		dst = be.AppendUint32(dst, uint32(n))
	}
	return dst
}

// sizeOf returns the least and greatest length of what follows the ID of a
// message. pieces is 0 while their number is unknown.
func sizeOf(id ID, pieces, maxBlock int) (least, most int) {
	switch id {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
		return 0, 0
	case Port:
		return 2, 2
	case Have, Suggest, AllowedFast:
		return 4, 4
	case Request, Cancel, Reject:
		return 12, 12
	case Piece:
		return pieceHeaderLen, pieceHeaderLen - 1 + maxBlock // at least one byte of data
	case Bitfield:
		if pieces > 0 {
			return (pieces + 7) / 8, (pieces + 7) / 8
		}
		return 1, MaxBitfield
	case HashRequest, HashReject:
		return rangeLen, rangeLen
	case Hashes:
		return rangeLen, MaxControl - 1
	case Extended:
		return 1, MaxControl - 1
	}
	return 0, MaxControl - 1
}

// checkSize judges a message by its ID and the length n of what follows it.
func checkSize(id ID, n, pieces, maxBlock int) error {
	least, most := sizeOf(id, pieces, maxBlock)
	switch {
	case id == KeepAlive:
		return fault.Errorf(fault.Protocol, "message number %d is not in use", uint8(id))
	case n < least || n > most:
		return fault.Errorf(fault.Protocol, "%s (%d) of %d bytes, not %s", id, uint8(id), n, span(least, most))
	case id == Hashes && (n-rangeLen)%len(content.Hash{}) != 0:
		return fault.Errorf(fault.Protocol, "hashes end within a hash")
	}
	return nil
}

func span(least, most int) string {
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// parseBody fills in m, whose ID is set, from what follows the ID. The size was
// checked. m.Payload refers to b, except for Piece, which is the Reader's.
func (m *Message) parseBody(b []byte) error {
	switch m.ID {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
	case Have, Suggest, AllowedFast:
		m.Index = be.Uint32(b)
	case Request, Cancel, Reject:
		m.Index, m.Begin, m.Length = be.Uint32(b), be.Uint32(b[4:]), be.Uint32(b[8:])
	case Port:
		m.Port = be.Uint16(b)
	case Extended:
		m.Ext, m.Payload = b[0], b[1:]
	case HashRequest, HashReject, Hashes:
		return m.parseRange(b)
	default:
		m.Payload = b
	}
	return nil
}

func (m *Message) parseRange(b []byte) error {
	r := &m.Range
	copy(r.Root[:], b)
	for i, p := range [...]*int{&r.Base, &r.Index, &r.Length, &r.ProofLayers} {
		n := be.Uint32(b[len(r.Root)+4*i:])
		if n > math.MaxInt32 { // would be negative where int has 32 bits
			return fault.Errorf(fault.Protocol, "%s asks for %d", m.ID, n)
		}
		*p = int(n)
	}
	for b = b[rangeLen:]; len(b) > 0; b = b[len(content.Hash{}):] {
		m.Hashes = append(m.Hashes, content.Hash(b[:len(content.Hash{})]))
	}
	return nil
}
