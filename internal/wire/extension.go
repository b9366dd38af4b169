package wire

import (
	"math"
	"net/netip"
	"strings"
	"unicode"

	"tandem/internal/bencode"
	"tandem/internal/fault"
)

// Extension messages as we number them: what peers write in Message.Ext when
// they send to us. What we write is their number, from their handshake.
const (
	ExtHandshakeID uint8 = 0
	ExtMetadata    uint8 = 1 // MetadataMsg
	ExtPEX         uint8 = 2 // PEX
	ExtUploadOnly  uint8 = 3 // one byte; ParseUploadOnly
	ExtDocument    uint8 = 4 // a signed document of package capability, as it is; ParseDocument
	ExtFetching    uint8 = 5 // Fetching
)

// Names of extension messages, the keys of ExtHandshake.M.
const (
	NameMetadata   = "ut_metadata"
	NamePEX        = "ut_pex"
	NameUploadOnly = "upload_only"
	NameDocument   = "td_doc"
	NameFetching   = "td_fetch"
)

// MaxMetadata bounds the info dictionary, in bytes.
const MaxMetadata = 64 << 20

// maxName is how many characters of a client's name are kept.
const maxName = 64

// ExtHandshake is the payload of extension message 0 (BEP 10). A zero field was
// absent. It may come more than once; M then holds what changed, with 0 for an
// extension that is switched off.
type ExtHandshake struct {
	M            map[string]uint8 // the sender's numbers of the names above; others are left out
	MetadataSize int              // bytes of the info dictionary, at most MaxMetadata (BEP 9)
	ReqQ         int              // requests the sender queues without dropping any
	Client       string           // at most 64 printable characters
	Port         uint16           // the sender's listening port
	YourIP       netip.Addr       // the receiver's address as the sender sees it
	UploadOnly   bool             // wants nothing (BEP 21)
}

// OurExtensions returns the M of a tandem node. Without pex, as for private
// content, peer exchange is left out.
func OurExtensions(pex bool) map[string]uint8 {
	m := map[string]uint8{
		NameMetadata: ExtMetadata, NameUploadOnly: ExtUploadOnly, NameDocument: ExtDocument, NameFetching: ExtFetching,
	}
	if pex {
		m[NamePEX] = ExtPEX
	}
	return m
}

// foreign is how extension messages are decoded: other programs do not all sort
// keys, and nothing in these messages is deep or long.
var foreign = bencode.Options{Unsorted: true, MaxDepth: 8, MaxTokens: 1024}

// AppendExtHandshake appends the payload of h to dst.
func AppendExtHandshake(dst []byte, h *ExtHandshake) []byte {
	ids := map[string]any{}
	for name, id := range h.M {
		ids[name] = int64(id)
	}
	d := map[string]any{"m": ids}
	if h.MetadataSize > 0 {
		d["metadata_size"] = int64(h.MetadataSize)
	}
	if h.ReqQ > 0 {
		d["reqq"] = int64(h.ReqQ)
	}
	if h.Client != "" {
		d["v"] = h.Client
	}
	if h.Port != 0 {
		d["p"] = int64(h.Port)
	}
	if h.YourIP.IsValid() {
		d["yourip"] = h.YourIP.Unmap().AsSlice()
	}
	if h.UploadOnly {
		d["upload_only"] = int64(1)
	}
	return bencode.Append(dst, d)
}

// ParseExtHandshake reads the payload of extension message 0. Fields that only
// inform (client, port, address, queue length) are left zero when they make no
// sense; a message number or metadata size out of range is an error.
func ParseExtHandshake(b []byte) (ExtHandshake, error) {
	var h ExtHandshake
	d, err := decodeDict(b)
	if err != nil {
		return h, fault.Errorf(fault.Protocol, "extension handshake: %w", err)
	}
	if err := h.parseNumbers(d); err != nil {
		return ExtHandshake{}, err
	}
	if n := intAt(d, "reqq"); n > 0 {
		h.ReqQ = int(min(n, math.MaxInt32))
	}
	if n := intAt(d, "p"); n > 0 && n <= math.MaxUint16 {
		h.Port = uint16(n)
	}
	if v, ok := bytesAt(d, "v"); ok {
		h.Client = Printable(v)
	}
	if v, ok := bytesAt(d, "yourip"); ok {
		a, _ := netip.AddrFromSlice(v)
		h.YourIP = a.Unmap()
	}
	h.UploadOnly = intAt(d, "upload_only") > 0
	return h, nil
}

// parseNumbers reads what the connection depends on.
func (h *ExtHandshake) parseNumbers(d bencode.Value) error {
	m, _ := d.Dict("m")
	for _, name := range [...]string{NameMetadata, NamePEX, NameUploadOnly, NameDocument, NameFetching} {
		v, ok := m.Dict(name)
		if !ok {
			continue
		}
		n, ok := v.Int()
		if !ok || n < 0 || n > math.MaxUint8 {
			return fault.Errorf(fault.Protocol, "extension handshake: number of %s is not 0 to 255", name)
		}
		if h.M == nil {
			h.M = make(map[string]uint8, 5)
		}
		h.M[name] = uint8(n)
	}
	n := intAt(d, "metadata_size")
	if n < 0 || n > MaxMetadata {
		return fault.Errorf(fault.Protocol, "extension handshake: metadata of %d bytes", n)
	}
	h.MetadataSize = int(n)
	return nil
}

// AppendUploadOnly appends the payload of an upload_only message, which changes
// what the extension handshake said (BEP 21).
func AppendUploadOnly(dst []byte, on bool) []byte {
	if on {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ParseUploadOnly reads the payload of an upload_only message.
func ParseUploadOnly(b []byte) (bool, error) {
	if len(b) != 1 {
		return false, fault.Errorf(fault.Protocol, "upload_only message of %d bytes, not 1", len(b))
	}
	return b[0] != 0, nil
}

// Printable returns at most 64 characters of a name that a peer chose, with a
// question mark for each that does not print: control and bidi characters,
// and bytes that are not UTF-8.
func Printable(b []byte) string {
	var s strings.Builder
	left := maxName
	for _, c := range string(b[:min(len(b), 4*maxName)]) {
		if left--; left < 0 {
			break
		}
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			c = '?'
		}
		s.WriteRune(c)
	}
	return s.String()
}

// decodeDict reads b, which must be one dictionary.
func decodeDict(b []byte) (bencode.Value, error) {
	v, err := bencode.Decode(b, foreign)
	if err != nil {
		return v, err
	}
	if v.Kind() != bencode.Dict {
		return v, fault.Errorf(fault.Protocol, "not a dictionary")
	}
	return v, nil
}

// intAt returns the integer at key, 0 if there is none.
func intAt(d bencode.Value, key string) int64 {
	v, _ := d.Dict(key)
	n, _ := v.Int()
	return n
}

// bytesAt returns the byte string at key.
func bytesAt(d bencode.Value, key string) ([]byte, bool) {
	v, _ := d.Dict(key)
	return v.Bytes()
}
