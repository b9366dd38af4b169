package dht

import (
	"bytes"
	"testing"
)

func TestUTPIsRefused(t *testing.T) {
	syn := make([]byte, 20, 30)
	syn[0], syn[2], syn[3], syn[16], syn[17] = 0x41, 0xab, 0xcd, 0x12, 0x34
	want := make([]byte, 20)
	want[0], want[2], want[3], want[18], want[19] = 0x31, 0xab, 0xcd, 0x12, 0x34
	for _, b := range [][]byte{syn, syn[:30]} {
		if got := refuseUTP(b); !bytes.Equal(got, want) {
			t.Fatalf("%x", got)
		}
	}
	reset := bytes.Clone(want)
	for _, b := range [][]byte{nil, syn[:19], reset, []byte("d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t1:x1:y1:qe")} {
		if got := refuseUTP(b); got != nil {
			t.Fatalf("%q is refused with %x", b, got)
		}
	}
}
