package wire_test

import (
	"bytes"
	"io"
	"testing"

	"tandem/internal/wire"
)

// packets hands out what it holds a packet at a time.
type packets struct {
	r    io.Reader
	size int
}

func (p packets) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.size)]) }

func TestAReaderNeverWaitsForMoreThanTheBlockLacks(t *testing.T) {
	const n = 16 << 10
	head := wire.AppendPieceHeader(nil, 7, 0, n)
	in := append(append([]byte(nil), head...), bytes.Repeat([]byte{5}, n)...)
	in = wire.AppendMessage(in, &wire.Message{ID: wire.Have, Index: 3})
	var waits []int
	r := wire.NewReader(packets{bytes.NewReader(in), 1448}, wire.Limits{
		Block: func(n int) []byte { return make([]byte, n) },
		Await: func(n int) { waits = append(waits, n) },
	})
	var m wire.Message
	if err := r.Read(&m); err != nil || m.ID != wire.Piece || len(m.Payload) != n {
		t.Fatalf("%v %v", m.ID, err)
	}
	if len(waits) < 2 || waits[len(waits)-1] != 1 {
		t.Fatalf("waits %v do not end with 1", waits)
	}
	for i, w := range waits[:len(waits)-1] {
		// i+1 packets were read, the first of them with the header in it.
		if left := n + len(head) - (i+1)*1448; w != left {
			t.Errorf("wait %d is for %d bytes, the block lacks %d", i, w, left)
		}
	}
	before := len(waits)
	if err := r.Read(&m); err != nil || m.ID != wire.Have || len(waits) != before {
		t.Fatalf("after the block: %v, %v, %d waits", m.ID, err, len(waits)-before)
	}
}
