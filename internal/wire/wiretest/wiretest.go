// Package wiretest has one message of every kind, and frames that no reader may
// accept, for tests that must survive each of them in every state.
package wiretest

import (
	"encoding/binary"
	"net/netip"

	"tandem/internal/content"
	"tandem/internal/wire"
)

// Case is a message with a name for the test's.
type Case struct {
	Name    string
	Message wire.Message
}

// Messages returns at least one message of every kind, extension messages
// included, and one of a kind nobody knows. All can be read, whatever they
// mean: most of their numbers lie outside any content.
func Messages() []Case {
	root := content.Hash{0: 0xaa, 31: 0xbb}
	ask := content.HashRange{Root: root, Base: 1, Index: 4, Length: 4, ProofLayers: 6}
	huge := content.HashRange{Root: root, Base: 1<<31 - 1, Index: 1<<31 - 1, Length: 1<<31 - 1, ProofLayers: 1<<31 - 1}
	bare := []Case{
		{Message: wire.Message{ID: wire.KeepAlive}},
		{Message: wire.Message{ID: wire.Choke}},
		{Message: wire.Message{ID: wire.Unchoke}},
		{Message: wire.Message{ID: wire.Interested}},
		{Message: wire.Message{ID: wire.NotInterested}},
		{Message: wire.Message{ID: wire.Have, Index: 7}},
		{"have, last number", wire.Message{ID: wire.Have, Index: 1<<32 - 1}},
		{Message: wire.Message{ID: wire.Bitfield, Payload: []byte{0xf0}}},
		{Message: wire.Message{ID: wire.Request, Index: 1, Begin: 16384, Length: 16384}},
		{"request, all bits set", wire.Message{ID: wire.Request, Index: 1<<32 - 1, Begin: 1<<32 - 1, Length: 1<<32 - 1}},
		{"request for nothing", wire.Message{ID: wire.Request}},
		{Message: wire.Message{ID: wire.Piece, Index: 1, Begin: 16384, Length: 5, Payload: []byte("block")}},
		{Message: wire.Message{ID: wire.Cancel, Index: 1, Begin: 16384, Length: 16384}},
		{Message: wire.Message{ID: wire.Port, Port: 6881}},
		{Message: wire.Message{ID: wire.Suggest, Index: 7}},
		{Message: wire.Message{ID: wire.HaveAll}},
		{Message: wire.Message{ID: wire.HaveNone}},
		{Message: wire.Message{ID: wire.Reject, Index: 1, Begin: 16384, Length: 16384}},
		{Message: wire.Message{ID: wire.AllowedFast, Index: 7}},
		{Message: wire.Message{ID: wire.HashRequest, Range: ask}},
		{"hash request, all bits set", wire.Message{ID: wire.HashRequest, Range: huge}},
		{Message: wire.Message{ID: wire.Hashes, Range: ask, Hashes: []content.Hash{{1}, {2}, {3}, {4}, {5}}}},
		{"hashes without one", wire.Message{ID: wire.Hashes, Range: ask}},
		{Message: wire.Message{ID: wire.HashReject, Range: ask}},
		{"unknown message", wire.Message{ID: 99, Payload: []byte("?")}},
	}
	for i := range bare {
		if bare[i].Name == "" {
			bare[i].Name = bare[i].Message.ID.String()
		}
	}
	return append(bare, extensions()...)
}

func extensions() []Case {
	hello := wire.AppendExtHandshake(nil, &wire.ExtHandshake{
		M: wire.OurExtensions(true), MetadataSize: 31235, ReqQ: 250, Client: "tandem 1.0",
		Port: 6881, YourIP: netip.MustParseAddr("192.0.2.1"), UploadOnly: true,
	})
	pex := wire.AppendPEX(nil, &wire.PEX{
		Added: []wire.PexPeer{
			{Addr: netip.MustParseAddrPort("192.0.2.2:6881"), Flags: wire.PexReachable},
			{Addr: netip.MustParseAddrPort("[2001:db8::2]:6881"), Flags: wire.PexSeed},
		},
		Dropped: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.3:6881")},
	})
	metadata := func(m wire.MetadataMsg) []byte { return wire.AppendMetadata(nil, &m) }
	ext := func(name string, id uint8, payload []byte) Case {
		return Case{name, wire.Message{ID: wire.Extended, Ext: id, Payload: payload}}
	}
	return []Case{
		ext("extension handshake", wire.ExtHandshakeID, hello),
		ext("extension handshake, empty", wire.ExtHandshakeID, []byte("de")),
		ext("extension handshake, garbage", wire.ExtHandshakeID, []byte("d1:md")),
		ext("metadata request", wire.ExtMetadata, metadata(wire.MetadataMsg{Type: wire.MetadataRequest, Piece: 1})),
		ext("metadata data", wire.ExtMetadata, metadata(wire.MetadataMsg{Type: wire.MetadataData, TotalSize: 4, Data: []byte("info")})),
		ext("metadata reject", wire.ExtMetadata, metadata(wire.MetadataMsg{Type: wire.MetadataReject, Piece: 1<<31 - 1})),
		ext("metadata of no type", wire.ExtMetadata, metadata(wire.MetadataMsg{Type: 9})),
		ext("metadata, garbage", wire.ExtMetadata, []byte{0}),
		ext("peer exchange", wire.ExtPEX, pex),
		ext("peer exchange, garbage", wire.ExtPEX, []byte("d5:added1:xe")),
		ext("upload only", wire.ExtUploadOnly, wire.AppendUploadOnly(nil, true)),
		ext("upload only, garbage", wire.ExtUploadOnly, nil),
		ext("fetching", wire.ExtFetching, wire.AppendFetching(nil, &wire.Fetching{Piece: 7, On: true})),
		ext("fetched", wire.ExtFetching, wire.AppendFetching(nil, &wire.Fetching{Piece: 7})),
		ext("fetching, garbage", wire.ExtFetching, []byte{0, 0, 0, 7, 2}),
		ext("document", wire.ExtDocument, []byte("what package capability signed")),
		ext("document of no byte", wire.ExtDocument, nil),
		ext("unknown extension", 200, []byte("?")),
	}
}

// Raw is bytes with a name for the test's.
type Raw struct {
	Name  string
	Bytes []byte
}

// Refused returns what a Reader must refuse at once, without waiting for the
// length that is promised.
func Refused() []Raw {
	frame := func(size uint32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), rest...)
	}
	return []Raw{
		{"choke with a payload", frame(2, byte(wire.Choke))},
		{"have without a number", frame(1, byte(wire.Have))},
		{"have too short", frame(4, byte(wire.Have))},
		{"have too long", frame(6, byte(wire.Have))},
		{"request too short", frame(12, byte(wire.Request))},
		{"request with 64-bit numbers", frame(25, byte(wire.Request))},
		{"port of four bytes", frame(5, byte(wire.Port))},
		{"piece without data", frame(9, byte(wire.Piece))},
		{"piece shorter than its header", frame(5, byte(wire.Piece))},
		{"piece of a byte more than a block", frame(9+content.BlockSize+1, byte(wire.Piece))},
		{"piece of 2 GiB", frame(1<<31, byte(wire.Piece))},
		{"empty bitfield", frame(1, byte(wire.Bitfield))},
		{"bitfield of more pieces than there can be", frame(2+content.MaxPieces/8, byte(wire.Bitfield))},
		{"extended message without a number", frame(1, byte(wire.Extended))},
		{"extended message of 64 KiB and one", frame(64<<10+1, byte(wire.Extended))},
		{"extended message of 4 GiB", frame(1<<32-1, byte(wire.Extended))},
		{"hash request too long", frame(50, byte(wire.HashRequest))},
		{"hashes that end within a hash", frame(1+48+31, byte(wire.Hashes))},
		{"hashes beyond 64 KiB", frame(1+48+32*2047, byte(wire.Hashes))},
		{"unknown message of 4 GiB", frame(1<<32-1, 99)},
		{"message number 255", frame(1, 255)},
		{"hash request for 2^31", append(frame(49, byte(wire.HashRequest)), append(make([]byte, 32), 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)...)},
	}
}
