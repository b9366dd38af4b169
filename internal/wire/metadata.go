package wire

import (
	"math"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// MetadataType says what a MetadataMsg is.
type MetadataType int

// The types of BEP 9. Messages of another type are to be ignored.
const (
	MetadataRequest MetadataType = 0
	MetadataData    MetadataType = 1
	MetadataReject  MetadataType = 2
)

// MetadataMsg is the payload of ut_metadata (BEP 9): the info dictionary in
// pieces of content.BlockSize bytes.
type MetadataMsg struct {
	Type      MetadataType
	Piece     int    // of the info dictionary
	TotalSize int    // MetadataData only: bytes of the info dictionary, at most MaxMetadata
	Data      []byte // MetadataData only
}

// MetadataPieces returns in how many pieces an info dictionary of size bytes
// travels.
func MetadataPieces(size int) int { return (size + content.BlockSize - 1) / content.BlockSize }

// AppendMetadata appends the payload of m to dst.
func AppendMetadata(dst []byte, m *MetadataMsg) []byte {
	d := map[string]any{"msg_type": int64(m.Type), "piece": int64(m.Piece)}
	if m.Type == MetadataData {
		d["total_size"] = int64(m.TotalSize)
	}
	return append(bencode.Append(dst, d), m.Data...)
}

// ParseMetadata reads the payload of ut_metadata. Data refers to b. Data has
// exactly the length that its place in the info dictionary asks for.
func ParseMetadata(b []byte) (MetadataMsg, error) {
	var m MetadataMsg
	d, rest, err := bencode.DecodePrefix(b, foreign)
	if err != nil {
		return m, fault.Errorf(fault.Protocol, "metadata message: %w", err)
	}
	kind, ok := number(d, "msg_type")
	if !ok {
		return m, fault.Errorf(fault.Protocol, "metadata message without a type")
	}
	if m.Type = MetadataType(kind); m.Type > MetadataReject {
		return m, nil
	}
	if m.Piece, ok = number(d, "piece"); !ok {
		return MetadataMsg{}, fault.Errorf(fault.Protocol, "metadata message without a piece")
	}
	switch m.Type {
	case MetadataData:
		total, ok := number(d, "total_size")
		if !ok || total == 0 || total > MaxMetadata {
			return MetadataMsg{}, fault.Errorf(fault.Protocol, "metadata message: no size up to %d bytes", MaxMetadata)
		}
		if m.Piece >= MetadataPieces(total) || len(rest) != min(content.BlockSize, total-m.Piece*content.BlockSize) {
			return MetadataMsg{}, fault.Errorf(fault.Protocol, "metadata message: %d bytes for piece %d of %d bytes",
				len(rest), m.Piece, total)
		}
		m.TotalSize, m.Data = total, rest
	case MetadataRequest, MetadataReject:
		if len(rest) > 0 {
			return MetadataMsg{}, fault.Errorf(fault.Protocol, "metadata message: %d bytes too many", len(rest))
		}
	}
	return m, nil
}

// number returns the integer at key if it is there and neither negative nor
// large.
func number(d bencode.Value, key string) (int, bool) {
	v, _ := d.Dict(key)
	n, ok := v.Int()
	return int(n), ok && n >= 0 && n <= math.MaxInt32
}
