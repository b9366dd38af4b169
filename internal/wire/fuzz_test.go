package wire_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tandem/internal/fault"
	"tandem/internal/wire"
	"tandem/internal/wire/wiretest"
)

// What a Reader accepts is written as the same bytes.
func FuzzReader(f *testing.F) {
	var all []byte
	for _, c := range wiretest.Messages() {
		frame := wire.AppendMessage(nil, &c.Message)
		f.Add(frame)
		all = append(all, frame...)
	}
	for _, c := range wiretest.Refused() {
		f.Add(c.Bytes)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, stream []byte) {
		got, err := read(bytes.NewReader(stream), wire.Limits{})
		if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, fault.Protocol) {
			t.Fatalf("an error of no kind: %v", err)
		}
		var again []byte
		for i := range got {
			again = wire.AppendMessage(again, &got[i])
		}
		if !bytes.HasPrefix(stream, again) {
			t.Fatalf("%x was written as %x", stream, again)
		}
		if err == io.EOF && len(again) != len(stream) {
			t.Fatalf("%d bytes of %d", len(again), len(stream))
		}
	})
}

func FuzzHandshake(f *testing.F) {
	h := wire.NewHandshake([20]byte{1}, [20]byte{2}, wire.FeatureFast|wire.FeatureExtended|wire.FeatureV2)
	f.Add(h.Append(nil))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := wire.ParseHandshake(b)
		if err != nil {
			if !errors.Is(err, fault.Protocol) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if again := h.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x was written as %x", b, again)
		}
	})
}

// fuzzExtension checks that what parse accepts is understood the same after it
// was written again, and that errors are of kind fault.Protocol.
func fuzzExtension[T any](f *testing.F, ext uint8, parse func([]byte) (T, error), write func([]byte, *T) []byte) {
	for _, c := range wiretest.Messages() {
		if c.Message.ID == wire.Extended && c.Message.Ext == ext {
			f.Add(c.Message.Payload)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := parse(b)
		if err != nil {
			if fault.KindOf(err) != fault.Protocol {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again := write(nil, &want)
		got, err := parse(again)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", b, again, err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("%q was written as %q (-first +second):\n%s", b, again, diff)
		}
	})
}

func FuzzExtHandshake(f *testing.F) {
	fuzzExtension(f, wire.ExtHandshakeID, wire.ParseExtHandshake, wire.AppendExtHandshake)
}

func FuzzMetadata(f *testing.F) {
	fuzzExtension(f, wire.ExtMetadata, wire.ParseMetadata, wire.AppendMetadata)
}

func FuzzPEX(f *testing.F) { fuzzExtension(f, wire.ExtPEX, wire.ParsePEX, wire.AppendPEX) }

func FuzzFetching(f *testing.F) {
	fuzzExtension(f, wire.ExtFetching, wire.ParseFetching, wire.AppendFetching)
}

func FuzzDocument(f *testing.F) {
	fuzzExtension(f, wire.ExtDocument, wire.ParseDocument, func(b []byte, doc *[]byte) []byte { return append(b, *doc...) })
}

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("tandem 1.0"))
	f.Add([]byte("\x1b[2J\u202e\xff"))
	f.Fuzz(func(t *testing.T, b []byte) { checkPrintable(t, wire.Printable(b)) })
}
