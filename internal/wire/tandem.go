package wire

import (
	"tandem/internal/content"
	"tandem/internal/fault"
)

// MaxDocument bounds a signed document, in bytes. Package capability makes none
// that is longer.
const MaxDocument = 512

// fetchingLen is the length of a Fetching.
const fetchingLen = 5

// Fetching tells a tandem node that the sender fetches a piece from an origin or
// from afar, or that this is over: four bytes of piece index, one byte that is 1
// or 0.
type Fetching struct {
	Piece int
	On    bool
}

// AppendFetching appends the payload of f to dst.
func AppendFetching(dst []byte, f *Fetching) []byte {
	dst = be.AppendUint32(dst, uint32(f.Piece))
	if f.On {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ParseFetching reads the payload of a td_fetch message. Whether the content has that
// piece is for the caller to check. The error is of kind fault.Protocol.
func ParseFetching(b []byte) (Fetching, error) {
	if len(b) != fetchingLen {
		return Fetching{}, fault.Errorf(fault.Protocol, "notice of a piece in %d bytes, not %d", len(b), fetchingLen)
	}
	piece := be.Uint32(b)
	if piece >= content.MaxPieces || b[4] > 1 {
		return Fetching{}, fault.Errorf(fault.Protocol, "notice of piece %d, %d", piece, b[4])
	}
	return Fetching{Piece: int(piece), On: b[4] == 1}, nil
}

// ParseDocument reads the payload of a td_doc message, which is a signed document
// as it is. It looks at the length alone: what is in it, package capability says.
// The error is of kind fault.Protocol.
func ParseDocument(b []byte) ([]byte, error) {
	if len(b) == 0 || len(b) > MaxDocument {
		return nil, fault.Errorf(fault.Protocol, "signed document of %d bytes", len(b))
	}
	return b, nil
}
