package wire_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/wire"
	"tandem/internal/wire/wiretest"
)

var update = flag.Bool("update", false, "rewrite the golden vectors of this version")

const golden = "testdata/v1/messages.txt"

// read returns the messages in stream. Payloads and hashes are copied.
func read(stream io.Reader, l wire.Limits) ([]wire.Message, error) {
	r := wire.NewReader(stream, l)
	var got []wire.Message
	for {
		var m wire.Message
		if err := r.Read(&m); err != nil {
			return got, err
		}
		m.Payload = bytes.Clone(m.Payload)
		m.Hashes = append([]content.Hash(nil), m.Hashes...)
		got = append(got, m)
	}
}

// Every kind of message has the bytes it had in every release.
func TestMessagesAreTheirGoldenBytes(t *testing.T) {
	var page strings.Builder
	for _, c := range wiretest.Messages() {
		fmt.Fprintf(&page, "%s\t%x\n", c.Name, wire.AppendMessage(nil, &c.Message))
	}
	h := wire.NewHandshake(content.SHA1{1, 2, 3}, wire.NewPeerID([4]byte([]byte("0100")), [12]byte{9, 8, 7}),
		wire.FeatureDHT|wire.FeatureFast|wire.FeatureV2|wire.FeatureExtended)
	fmt.Fprintf(&page, "handshake\t%x\n", h.Append(nil))
	if *update {
		if err := os.WriteFile(golden, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(page.String(), "\n")); diff != "" {
		t.Errorf("bytes changed (-golden +now):\n%s", diff)
	}
}

func TestMessagesReadAsWritten(t *testing.T) {
	var stream []byte
	var want []wire.Message
	for _, c := range wiretest.Messages() {
		stream = wire.AppendMessage(stream, &c.Message)
		want = append(want, c.Message)
	}
	got, err := read(bytes.NewReader(stream), wire.Limits{})
	if err != io.EOF {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestWiretestKnowsEveryMessage(t *testing.T) {
	seen := make(map[wire.ID]bool)
	for _, c := range wiretest.Messages() {
		seen[c.Message.ID] = true
	}
	for id := range 256 {
		if id := wire.ID(id); id.Known() && !seen[id] {
			t.Errorf("no case for %s", id)
		}
	}
}

// What BEP 3, 5, 6, 10 and 52 say, byte for byte.
func TestMessagesFollowTheirBEP(t *testing.T) {
	for _, c := range []struct {
		m    wire.Message
		want string
	}{
		{wire.Message{ID: wire.KeepAlive}, "00000000"},
		{wire.Message{ID: wire.NotInterested}, "0000000103"},
		{wire.Message{ID: wire.Have, Index: 258}, "000000050400000102"},
		{wire.Message{ID: wire.Bitfield, Payload: []byte{0x80, 1}}, "00000003058001"},
		{wire.Message{ID: wire.Cancel, Index: 1, Begin: 2, Length: 3}, "0000000d08000000010000000200000003"},
		{wire.Message{ID: wire.Piece, Index: 1, Begin: 2, Payload: []byte{9}}, "0000000a07000000010000000209"},
		{wire.Message{ID: wire.Port, Port: 6881}, "00000003091ae1"},
		{wire.Message{ID: wire.HaveAll}, "000000010e"},
		{wire.Message{ID: wire.HaveNone}, "000000010f"},
		{wire.Message{ID: wire.Suggest, Index: 1}, "000000050d00000001"},
		{wire.Message{ID: wire.Reject, Index: 1, Begin: 2, Length: 3}, "0000000d10000000010000000200000003"},
		{wire.Message{ID: wire.AllowedFast, Index: 1}, "000000051100000001"},
		{wire.Message{ID: wire.Extended, Ext: 3, Payload: []byte("de")}, "0000000414036465"},
		{
			wire.Message{ID: wire.HashReject, Range: content.HashRange{Base: 1, Index: 2, Length: 3, ProofLayers: 4}},
			"0000003117" + strings.Repeat("00", 32) + "00000001000000020000000300000004",
		},
	} {
		if got := hex.EncodeToString(wire.AppendMessage(nil, &c.m)); got != c.want {
			t.Errorf("%s is %s, want %s", c.m.ID, got, c.want)
		}
	}
}

func TestPieceHeaderAndDataAreThePieceMessage(t *testing.T) {
	m := wire.Message{ID: wire.Piece, Index: 3, Begin: 1 << 14, Payload: make([]byte, content.BlockSize)}
	whole := wire.AppendMessage(nil, &m)
	parts := append(wire.AppendPieceHeader(nil, 3, 1<<14, content.BlockSize), m.Payload...)
	if !bytes.Equal(whole, parts) {
		t.Fatalf("%x, want %x", parts[:13], whole[:13])
	}
}

func drawMessage(t *rapid.T) wire.Message {
	m := wire.Message{ID: rapid.Custom(func(t *rapid.T) wire.ID {
		return wire.ID(rapid.IntRange(0, 255).Draw(t, "id"))
	}).Draw(t, "message")}
	switch m.ID {
	case wire.KeepAlive, wire.Choke, wire.Unchoke, wire.Interested, wire.NotInterested, wire.HaveAll, wire.HaveNone:
	case wire.Have, wire.Suggest, wire.AllowedFast:
		m.Index = rapid.Uint32().Draw(t, "index")
	case wire.Request, wire.Cancel, wire.Reject:
		m.Index, m.Begin, m.Length = rapid.Uint32().Draw(t, "i"), rapid.Uint32().Draw(t, "b"), rapid.Uint32().Draw(t, "l")
	case wire.Port:
		m.Port = rapid.Uint16().Draw(t, "port")
	case wire.HashRequest, wire.Hashes, wire.HashReject:
		n := rapid.IntRange(0, 1<<31-1)
		m.Range = content.HashRange{Base: n.Draw(t, "base"), Index: n.Draw(t, "at"), Length: n.Draw(t, "n"), ProofLayers: n.Draw(t, "up")}
		if m.ID == wire.Hashes {
			m.Hashes = make([]content.Hash, rapid.IntRange(0, 40).Draw(t, "hashes"))
		}
	case wire.Piece:
		m.Index, m.Begin = rapid.Uint32().Draw(t, "index"), rapid.Uint32().Draw(t, "begin")
		m.Payload = rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "block")
		m.Length = uint32(len(m.Payload))
	default:
		if m.ID == wire.Extended {
			m.Ext = rapid.Uint8().Draw(t, "ext")
		}
		m.Payload = rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "payload")
	}
	return m
}

func TestAnyMessagesReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(drawMessage), 0, 8).Draw(t, "messages")
		var stream []byte
		for i := range want {
			stream = wire.AppendMessage(stream, &want[i])
		}
		got, err := read(bytes.NewReader(stream), wire.Limits{})
		if err != io.EOF {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}
