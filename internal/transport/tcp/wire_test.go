package tcp

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// However a stream of records is cut, what is left of the present one is known.
func TestRecordsAreFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var ends []int // where each record ends
		for _, size := range rapid.SliceOfN(rapid.IntRange(0, maxRecord), 1, 5).Draw(t, "sizes") {
			stream = append(stream, 23, 3, 3)
			stream = binary.BigEndian.AppendUint16(stream, uint16(size))
			stream = append(stream, make([]byte, size)...)
			ends = append(ends, len(stream))
		}
		var r records
		for at := 0; at < len(stream); {
			k := rapid.IntRange(1, len(stream)-at).Draw(t, "chunk")
			r.pass(stream[at : at+k])
			at += k
			begin, want := 0, 0
			for _, end := range ends {
				if at >= begin+recordHeader && at < end {
					want = end - at
				}
				begin = end
			}
			if r.left != want {
				t.Fatalf("%d bytes of %v: %d left, want %d", at, ends, r.left, want)
			}
		}
	})
}
