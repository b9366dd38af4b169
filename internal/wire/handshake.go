package wire

import (
	"tandem/internal/content"
	"tandem/internal/fault"
)

// HandshakeLen is the length in bytes of the BitTorrent handshake.
const HandshakeLen = 68

// preamble opens every handshake: a length and the protocol's name.
const preamble = "\x13BitTorrent protocol"

// Feature is a bit of the handshake's reserved bytes, counted from the right.
type Feature uint64

// The features tandem speaks.
const (
	FeatureDHT      Feature = 1 << 0  // BEP 5: has a DHT node
	FeatureFast     Feature = 1 << 2  // BEP 6
	FeatureV2       Feature = 1 << 4  // BEP 52: a v1 handshake may be answered with the v2 key
	FeatureExtended Feature = 1 << 20 // BEP 10
)

// Handshake opens a connection (BEP 3).
type Handshake struct {
	Reserved [8]byte
	Key      content.SHA1 // swarm key: an info-hash, truncated for v2
	PeerID   [20]byte
}

// NewHandshake returns a handshake that offers features.
func NewHandshake(key content.SHA1, id [20]byte, features Feature) Handshake {
	h := Handshake{Key: key, PeerID: id}
	for i := range h.Reserved {
		h.Reserved[i] = byte(features >> (8 * (7 - i)))
	}
	return h
}

// Fast reports whether the sender speaks the Fast extension (BEP 6).
func (h *Handshake) Fast() bool { return h.Reserved[7]&0x04 != 0 }

// Extended reports whether the sender speaks the extension protocol (BEP 10).
func (h *Handshake) Extended() bool { return h.Reserved[5]&0x10 != 0 }

// DHT reports whether the sender has a DHT node (BEP 5).
func (h *Handshake) DHT() bool { return h.Reserved[7]&0x01 != 0 }

// V2 reports whether the sender of a v1 key would rather have the v2 one
// (BEP 52, upgrade path).
func (h *Handshake) V2() bool { return h.Reserved[7]&0x10 != 0 }

// Append appends the HandshakeLen bytes of h to dst.
func (h *Handshake) Append(dst []byte) []byte {
	dst = append(dst, preamble...)
	dst = append(dst, h.Reserved[:]...)
	dst = append(dst, h.Key[:]...)
	return append(dst, h.PeerID[:]...)
}

// ParseHandshake reads exactly HandshakeLen bytes.
func ParseHandshake(b []byte) (Handshake, error) {
	var h Handshake
	if len(b) != HandshakeLen {
		return h, fault.Errorf(fault.Protocol, "handshake of %d bytes, not %d", len(b), HandshakeLen)
	}
	if string(b[:len(preamble)]) != preamble {
		return h, fault.Errorf(fault.Protocol, "handshake of another protocol")
	}
	b = b[len(preamble):]
	copy(h.Reserved[:], b)
	copy(h.Key[:], b[8:])
	copy(h.PeerID[:], b[28:])
	return h, nil
}
