package wire_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/wire"
	"tandem/internal/wire/wiretest"
)

func TestReaderRefusesWhatCannotBe(t *testing.T) {
	for _, c := range wiretest.Refused() {
		t.Run(c.Name, func(t *testing.T) {
			// Nothing follows: a reader that waited for more would say so.
			_, err := read(bytes.NewReader(c.Bytes), wire.Limits{})
			if !errors.Is(err, fault.Protocol) {
				t.Errorf("%v, want a protocol error", err)
			}
		})
	}
}

func TestReaderTakesOneByteAtATime(t *testing.T) {
	var stream []byte
	for _, c := range wiretest.Messages() {
		stream = wire.AppendMessage(stream, &c.Message)
	}
	whole, _ := read(bytes.NewReader(stream), wire.Limits{})
	drip, err := read(iotest.OneByteReader(bytes.NewReader(stream)), wire.Limits{})
	if err != io.EOF {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, drip, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-whole +drip):\n%s", diff)
	}
}

func TestEndOfStreamTellsWhetherAMessageWasCut(t *testing.T) {
	big := wire.Message{ID: wire.Bitfield, Payload: make([]byte, 100<<10)}
	cases := append(wiretest.Messages(), wiretest.Case{Name: "big bitfield", Message: big})
	for _, limits := range []wire.Limits{{}, {Block: func(n int) []byte { return make([]byte, n) }}} {
		for _, c := range cases {
			frame := wire.AppendMessage(nil, &c.Message)
			for n := 0; n < len(frame); n += 1 + len(frame)/97 {
				want := io.ErrUnexpectedEOF
				if n == 0 {
					want = io.EOF
				}
				if _, err := read(bytes.NewReader(frame[:n]), limits); err != want {
					t.Fatalf("%s cut at %d: %v, want %v", c.Name, n, err, want)
				}
			}
		}
	}
}

func TestErrorOfTheConnectionComesThrough(t *testing.T) {
	reset := errors.New("connection reset")
	m := wire.Message{ID: wire.Piece, Payload: []byte("block")}
	frame := wire.AppendMessage(nil, &m)
	for n := range len(frame) {
		if _, err := read(io.MultiReader(bytes.NewReader(frame[:n]), iotest.ErrReader(reset)), wire.Limits{}); err != reset {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestBlockBufferIsTheCallers(t *testing.T) {
	pool := make([]byte, content.BlockSize)
	r := wire.NewReader(bytes.NewReader(append(
		wire.AppendMessage(nil, &wire.Message{ID: wire.Piece, Index: 1, Begin: 2, Payload: []byte("block")}),
		wire.AppendMessage(nil, &wire.Message{ID: wire.Piece, Payload: []byte("lost")})[:14]...,
	)), wire.Limits{Block: func(n int) []byte { return pool[:n] }})
	var m wire.Message
	if err := r.Read(&m); err != nil {
		t.Fatal(err)
	}
	if &m.Payload[0] != &pool[0] || string(m.Payload) != "block" || m.Index != 1 || m.Begin != 2 || m.Length != 5 {
		t.Fatalf("read %+v", m)
	}
	if err := r.Read(&m); err != io.ErrUnexpectedEOF || len(m.Payload) != 4 || &m.Payload[0] != &pool[0] {
		t.Fatalf("cut piece: %v, payload %q: the buffer is lost", err, m.Payload)
	}
}

func TestBlocksMayBeLargerOnlyWhenAsked(t *testing.T) {
	for _, c := range []struct {
		name     string
		maxBlock int
		size     int
		ok       bool
	}{
		{"a block of 16 KiB", 0, content.BlockSize, true},
		{"a byte more than 16 KiB", 0, content.BlockSize + 1, false},
		{"256 KiB when allowed", wire.MaxBlock, wire.MaxBlock, true},
		{"64 KiB without a buffer of the caller", 128 << 10, 64<<10 + 5, true},
		{"more than is ever allowed", 1 << 30, wire.MaxBlock + 1, false},
	} {
		m := wire.Message{ID: wire.Piece, Length: uint32(c.size), Payload: make([]byte, c.size)}
		m.Payload[c.size-1] = 7
		got, err := read(bytes.NewReader(wire.AppendMessage(nil, &m)), wire.Limits{MaxBlock: c.maxBlock})
		if ok := err == io.EOF && len(got) == 1 && bytes.Equal(got[0].Payload, m.Payload); ok != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok && !errors.Is(err, fault.Protocol) {
			t.Errorf("%s: %v, want a protocol error", c.name, err)
		}
	}
}

func TestBitfieldFitsThePiecesOnceKnown(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces int
		bytes  int
		ok     bool
	}{
		{"any length while the pieces are unknown", 0, 1000, true},
		{"as many as there can ever be", 0, content.MaxPieces / 8, true},
		{"one byte for eight pieces", 8, 1, true},
		{"two bytes for nine pieces", 9, 2, true},
		{"one byte for nine pieces", 9, 1, false},
		{"three bytes for nine pieces", 9, 3, false},
	} {
		m := wire.Message{ID: wire.Bitfield, Payload: bytes.Repeat([]byte{0xff}, c.bytes)}
		r := wire.NewReader(bytes.NewReader(wire.AppendMessage(nil, &m)), wire.Limits{})
		r.SetPieces(c.pieces)
		var got wire.Message
		err := r.Read(&got)
		if c.ok && (err != nil || !bytes.Equal(got.Payload, m.Payload)) || !c.ok && !errors.Is(err, fault.Protocol) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A length is only a promise: what it says is not allocated before it arrives.
func TestPromisedBitfieldTakesNoMemory(t *testing.T) {
	frame := wire.AppendMessage(nil, &wire.Message{ID: wire.Bitfield, Payload: make([]byte, wire.MaxBitfield)})[:6]
	r := wire.NewReader(bytes.NewReader(frame), wire.Limits{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var m wire.Message
	err := r.Read(&m)
	runtime.ReadMemStats(&after)
	if err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > wire.MaxBitfield/2 {
		t.Errorf("%d bytes allocated for a bitfield that never came", n)
	}
}

// loop repeats its bytes for ever, as a connection would bring them.
type loop struct {
	b  []byte
	at int
}

func (l *loop) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], l.b[l.at:])
		n, l.at = n+c, (l.at+c)%len(l.b)
	}
	return n, nil
}

func newLoop(m wire.Message) *loop { return &loop{b: wire.AppendMessage(nil, &m)} }

func TestReadingAllocatesNothing(t *testing.T) {
	block := make([]byte, content.BlockSize)
	for _, c := range []wiretest.Case{
		{Name: "piece", Message: wire.Message{ID: wire.Piece, Payload: block}},
		{Name: "have", Message: wire.Message{ID: wire.Have}},
		{Name: "request", Message: wire.Message{ID: wire.Request}},
		{Name: "hashes", Message: wire.Message{ID: wire.Hashes, Hashes: make([]content.Hash, 512)}},
		{Name: "extended", Message: wire.Message{ID: wire.Extended, Payload: block}},
	} {
		r := wire.NewReader(newLoop(c.Message), wire.Limits{Block: func(n int) []byte { return block[:n] }})
		var m wire.Message
		if n := testing.AllocsPerRun(100, func() {
			if err := r.Read(&m); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.Name, n)
		}
	}
}

func benchmarkRead(b *testing.B, m wire.Message) {
	block := make([]byte, content.BlockSize)
	src := newLoop(m)
	r := wire.NewReader(src, wire.Limits{Block: func(n int) []byte { return block[:n] }})
	b.SetBytes(int64(len(src.b)))
	b.ReportAllocs()
	var got wire.Message
	for b.Loop() {
		if err := r.Read(&got); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadPiece(b *testing.B) {
	benchmarkRead(b, wire.Message{ID: wire.Piece, Payload: make([]byte, content.BlockSize)})
}

func BenchmarkReadHave(b *testing.B) { benchmarkRead(b, wire.Message{ID: wire.Have}) }

func BenchmarkReadRequest(b *testing.B) { benchmarkRead(b, wire.Message{ID: wire.Request}) }

func BenchmarkAppendRequest(b *testing.B) {
	m := wire.Message{ID: wire.Request, Index: 1, Begin: 2, Length: content.BlockSize}
	buf := wire.AppendMessage(nil, &m)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendMessage(buf[:0], &m)
	}
}

func BenchmarkAppendPieceHeader(b *testing.B) {
	var buf []byte
	b.SetBytes(13)
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendPieceHeader(buf[:0], 1, 2, content.BlockSize)
	}
}
