package capability

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"time"

	"tandem/internal/fault"
	"tandem/internal/peer"
)

// docType is the first byte of a document.
type docType byte

const (
	typeCapability docType = 1
	typeDenial     docType = 2
)

const (
	version    = 1
	minSize    = 1 + 1 + ed25519.SignatureSize // type, version, signature
	lastSecond = 253402300799                  // of the year 9999
)

func (t docType) String() string {
	if t == typeDenial {
		return "denial"
	}
	return "capability"
}

// signed returns what the signature is over. The label keeps the documents apart from
// each other and from everything else the key signs.
func (t docType) signed(body []byte) []byte {
	return append([]byte("tandem/v1/"+t.String()+"\x00"), body...)
}

// split returns body and signature, nil for what is too short to have both.
func split(doc []byte) (body, sig []byte) {
	if len(doc) < minSize {
		return nil, nil
	}
	end := len(doc) - ed25519.SignatureSize
	return doc[1:end], doc[end:]
}

// sign makes the document, after reading it back: what nobody would accept is not signed.
func sign(t docType, body []byte, server peer.ID, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize || !bytes.Equal(server[:], key[ed25519.PublicKeySize:]) {
		return nil, fault.Errorf(fault.Invalid, "sign %s: the key is not that of server %s", t, server.Short())
	}
	doc := append([]byte{byte(t)}, body...)
	doc = append(doc, ed25519.Sign(key, t.signed(body))...)
	if _, err := parse(doc); err != nil {
		return nil, fault.Errorf(fault.Invalid, "sign: %w", err)
	}
	return doc, nil
}

// parse reads a document without looking at its signature.
func parse(doc []byte) (any, error) {
	body, _ := split(doc)
	if body == nil || len(doc) > MaxSize {
		return nil, fault.Errorf(fault.Invalid, "signed document of %d bytes, want %d to %d", len(doc), minSize, MaxSize)
	}
	t := docType(doc[0])
	if t != typeCapability && t != typeDenial {
		return nil, fault.Errorf(fault.Invalid, "signed document of type %d; a newer program made it", doc[0])
	}
	if body[0] != version {
		return nil, fault.Errorf(fault.Invalid, "%s of version %d; a newer program made it", t, body[0])
	}
	r := reader{rest: body[1:]}
	var v any
	if t == typeCapability {
		v = r.capability()
	} else {
		v = r.denial()
	}
	if r.bad == "" && len(r.rest) > 0 {
		r.bad = "end: bytes follow"
	}
	if r.bad != "" {
		return nil, fault.Errorf(fault.Invalid, "%s: %s", t, r.bad)
	}
	return v, nil
}

// signerOf returns the server that a parsed document says it is of.
func signerOf(v any) (peer.ID, docType) {
	if d, ok := v.(Denial); ok {
		return d.Server, typeDenial
	}
	return v.(Capability).Server, typeCapability
}

func appendCapability(b []byte, c Capability) []byte {
	b = append(b, version)
	b = appendField(b, c.Server[:])
	b = appendField(b, c.Share[:])
	b = appendNode(b, c.Node)
	b = appendField(b, []byte{byte(c.Rights)})
	b = appendField(b, c.Source[:])
	b = appendTime(b, c.Issued)
	return appendTime(b, c.NotAfter)
}

func (r *reader) capability() (c Capability) {
	r.fixed("server", c.Server[:])
	r.fixed("share", c.Share[:])
	c.Node = r.node()
	var rights [1]byte
	r.fixed("rights", rights[:])
	c.Rights = Rights(rights[0])
	r.fixed("source", c.Source[:])
	c.Issued, c.NotAfter = r.times()
	switch {
	case c.Server.IsZero():
		r.fail("server", "zero")
	case c.Share.IsZero():
		r.fail("share", "zero")
	case c.Rights == 0 || c.Rights&^allRights != 0:
		r.fail("rights", "none, or unknown ones; a newer program may have made it")
	}
	return c
}

func appendDenial(b []byte, d Denial) []byte {
	b = append(b, version)
	b = appendField(b, d.Server[:])
	b = appendField(b, d.Source[:])
	b = appendNode(b, d.Node)
	b = appendTime(b, d.Issued)
	return appendTime(b, d.NotAfter)
}

func (r *reader) denial() (d Denial) {
	r.fixed("server", d.Server[:])
	r.fixed("source", d.Source[:])
	d.Node = r.node()
	d.Issued, d.NotAfter = r.times()
	if d.Server.IsZero() {
		r.fail("server", "zero")
	}
	return d
}

// appendField writes a length of one byte and the value.
func appendField(b, value []byte) []byte {
	return append(append(b, byte(len(value))), value...)
}

// appendNode leaves the value of nobody empty: one spelling for each document.
func appendNode(b []byte, id peer.ID) []byte {
	if id.IsZero() {
		return appendField(b, nil)
	}
	return appendField(b, id[:])
}

// appendTime writes seconds since 1970. A time outside of what parse reads becomes
// zero, which it does not read either.
func appendTime(b []byte, t time.Time) []byte {
	n := t.Unix()
	if n < 1 || n > lastSecond {
		n = 0
	}
	return appendField(b, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// reader takes fields off a body. The first thing that is wrong stays in bad.
type reader struct {
	rest []byte
	bad  string
}

func (r *reader) fail(field, why string) {
	if r.bad == "" {
		r.bad = field + ": " + why
	}
}

// field returns the next value, nil once something was wrong.
func (r *reader) field(name string) []byte {
	if r.bad != "" {
		return nil
	}
	if len(r.rest) == 0 || int(r.rest[0]) > len(r.rest)-1 {
		r.fail(name, "cut short")
		return nil
	}
	n := 1 + int(r.rest[0])
	v := r.rest[1:n]
	r.rest = r.rest[n:]
	return v
}

// fixed reads a value of exactly the size of to.
func (r *reader) fixed(name string, to []byte) {
	v := r.field(name)
	if r.bad == "" && len(v) != len(to) {
		r.fail(name, "wrong length")
		return
	}
	copy(to, v)
}

func (r *reader) node() (id peer.ID) {
	v := r.field("node")
	if r.bad != "" || len(v) == 0 {
		return id
	}
	if copy(id[:], v) != len(v) || len(v) != len(id) || id.IsZero() {
		r.fail("node", "neither empty nor a key")
	}
	return id
}

func (r *reader) times() (issued, notAfter time.Time) {
	var at [2]uint64
	for i, name := range [...]string{"issued", "not-after"} {
		var b [8]byte
		r.fixed(name, b[:])
		at[i] = binary.BigEndian.Uint64(b[:])
		if at[i] < 1 || at[i] > lastSecond {
			r.fail(name, "not a time")
		}
	}
	if at[1] < at[0] {
		r.fail("not-after", "before issued")
	}
	if r.bad != "" {
		return time.Time{}, time.Time{}
	}
	return time.Unix(int64(at[0]), 0).UTC(), time.Unix(int64(at[1]), 0).UTC()
}
