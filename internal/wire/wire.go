// Package wire turns peer messages into bytes and back.
//
// Source: BEP 3 (messages), 5 (port), 6 (Fast), 9 (metadata), 10 (extension
// protocol), 11 (peer exchange), 21 (upload only), 52 (v2 hashes and the
// upgrade bit). Differs: a data block is at most 16 KiB unless Limits say
// otherwise, since nobody here asks for more, and a message whose length does
// not fit its kind is an error rather than a guess.
//
// The package knows no state: whether a message may come now, and whether its
// numbers lie within the content, is for package swarm to judge. Requests of any
// length pass; those above content.BlockSize are refused there. Every decoding
// error is of kind fault.Protocol.
package wire

import "tandem/internal/content"

// ID says what a message is.
type ID uint8

// The messages, by number on the wire.
const (
	Choke         ID = 0
	Unchoke       ID = 1
	Interested    ID = 2
	NotInterested ID = 3
	Have          ID = 4 // Index
	Bitfield      ID = 5 // Payload
	Request       ID = 6 // Index, Begin, Length
	Piece         ID = 7 // Index, Begin, Payload; Length is that of Payload
	Cancel        ID = 8 // Index, Begin, Length
	Port          ID = 9 // Port: of the DHT node (BEP 5)

	Suggest     ID = 13 // Index
	HaveAll     ID = 14
	HaveNone    ID = 15
	Reject      ID = 16 // Index, Begin, Length
	AllowedFast ID = 17 // Index

	Extended ID = 20 // Ext, Payload

	HashRequest ID = 21 // Range
	Hashes      ID = 22 // Range, Hashes
	HashReject  ID = 23 // Range

	// KeepAlive stands for the empty message, which has no number. The number
	// 255 itself is refused.
	KeepAlive ID = 255
)

var idNames = [256]string{
	Choke: "choke", Unchoke: "unchoke", Interested: "interested", NotInterested: "not interested",
	Have: "have", Bitfield: "bitfield", Request: "request", Piece: "piece", Cancel: "cancel", Port: "port",
	Suggest: "suggest", HaveAll: "have all", HaveNone: "have none", Reject: "reject", AllowedFast: "allowed fast",
	Extended: "extended", HashRequest: "hash request", Hashes: "hashes", HashReject: "hash reject",
	KeepAlive: "keep-alive",
}

// Known reports whether id is one of the messages above. A message of another
// number is to be ignored.
func (id ID) Known() bool { return idNames[id] != "" }

// String returns the name the BEPs use.
func (id ID) String() string {
	if s := idNames[id]; s != "" {
		return s
	}
	return "unknown message"
}

// Message is one message. Only the fields listed beside its ID count; a message
// with an unknown ID has Payload.
type Message struct {
	ID      ID
	Index   uint32 // of a piece
	Begin   uint32 // bytes into the piece
	Length  uint32 // bytes
	Port    uint16
	Ext     uint8 // extension message; 0 is the extension handshake
	Payload []byte
	Range   content.HashRange
	Hashes  []content.Hash
}
