package tlspeer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// The frames and proofs of version 1, to the byte: docs/protocol/link.md.
func TestWireFormat(t *testing.T) {
	var (
		key            = content.SHA1(bytes.Repeat([]byte{0xaa}, 20))
		secret         = transport.Secret(bytes.Repeat([]byte{0x11}, 32))
		client, server = peer.ID(bytes.Repeat([]byte{0x22}, 32)), peer.ID(bytes.Repeat([]byte{0x33}, 32))
		exporter       = bytes.Repeat([]byte{0x44}, 32)
	)
	ours := prove(secret, clientLabel, exporter, client, server)
	theirs := prove(secret, serverLabel, exporter, client, server)
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"hello", appendHello(nil, hello{Key: key, Proof: ours}), "0036" + "01" + "01" +
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + wantClient},
		{"ready", appendReady(nil, ready{Proof: theirs}), "0021" + "02" + wantServer},
		{"refusal", appendRefuse(nil, transport.NotShared), "0002" + "03" + "01"},
		{"refusal, busy", appendRefuse(nil, transport.EnoughConns), "0002" + "03" + "02"},
	}
	for _, tt := range tests {
		if got := hex.EncodeToString(tt.got); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Computed apart from this code:
// python3 -c 'import hmac; print(hmac.new(b"\x11"*32, b"tandem/1 client"+b"\x44"*32+b"\x22"*32+b"\x33"*32, "sha256").hexdigest())'
const (
	wantClient = "67bf48a4d6a78164fe5984828d5edf3323da2b32ba10b8b021754bd7b13b0c2d"
	wantServer = "3526fccc05dc24447d5d81312d2f6f8bd7d44858f58674cde1b7b243297a1586"
)

func TestHelloIsStrict(t *testing.T) {
	good := appendHello(nil, hello{Key: content.SHA1{1}})[2:]
	guarded := appendHello(nil, hello{Key: content.SHA1{1}, Guarded: true, Sealed: []byte("sealed")})[2:]
	long := appendHello(nil, hello{Guarded: true, Sealed: make([]byte, maxSealed+1)})[2:]
	tests := []struct {
		name string
		b    []byte
	}{
		{"a capability without its length", guarded[:helloSize]},
		{"half a length", guarded[:helloSize+1]},
		{"a capability cut short", guarded[:len(guarded)-1]},
		{"a byte behind a capability", append(bytes.Clone(guarded), 0)},
		{"a capability that is too long", long},
		{"a capability in a hello without one", append([]byte{byte(frameHello)}, guarded[1:]...)},
		{"nothing", nil},
		{"a type alone", good[:1]},
		{"one byte short", good[:len(good)-1]},
		{"one byte long", append(bytes.Clone(good), 0)},
		{"another type", append([]byte{byte(frameReady)}, good[1:]...)},
		{"another version", append([]byte{byte(frameHello), 2}, good[2:]...)},
	}
	for _, tt := range tests {
		if _, err := parseHello(tt.b); !errors.Is(err, fault.Protocol) {
			t.Errorf("%s: %v, want protocol", tt.name, err)
		}
	}
	for _, b := range [][]byte{good, guarded} {
		if _, err := parseHello(b); err != nil {
			t.Error(err)
		}
	}
}

func FuzzHello(f *testing.F) {
	f.Add(appendHello(nil, hello{Key: content.SHA1{1}, Proof: proof{2}}))
	f.Add(appendHello(nil, hello{Key: content.SHA1{1}, Proof: proof{2}, Guarded: true, Sealed: []byte("sealed")}))
	f.Add(appendHello(nil, hello{Guarded: true, Sealed: make([]byte, maxSealed)}))
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1, 1})
	f.Add([]byte{0, 54, 1, 2})
	f.Fuzz(func(t *testing.T, stream []byte) {
		b, err := readFrame(bytes.NewReader(stream))
		if err != nil {
			return
		}
		if len(b) == 0 || len(b) > maxFrame {
			t.Fatalf("frame of %d bytes", len(b))
		}
		h, err := parseHello(b)
		if err != nil {
			if !errors.Is(err, fault.Protocol) {
				t.Fatalf("error of kind %v", fault.KindOf(err))
			}
			return
		}
		if again := appendHello(nil, h); !bytes.Equal(again, stream[:len(again)]) {
			t.Fatalf("%x was read and is written as %x", stream, again)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(appendReady(nil, ready{Proof: proof{2}})[2:])
	f.Add(appendReady(nil, ready{proof{2}, true, []byte("doc")})[2:])
	f.Add(appendRefuse(nil, transport.HasExpired)[2:])
	f.Add(appendRefuse(nil, transport.NotShared)[2:])
	f.Add(appendRefuse(nil, transport.EnoughConns)[2:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseAnswer(b, peer.Network)
		switch {
		case err == nil:
			if again := appendReady(nil, r)[2:]; !bytes.Equal(again, b) {
				t.Fatalf("%x was read and is written as %x", b, again)
			}
		case errors.Is(err, fault.Refused):
			if len(b) != 2 || frameType(b[0]) != frameRefuse {
				t.Fatalf("%x was taken for a refusal", b)
			}
		case !errors.Is(err, fault.Protocol):
			t.Fatalf("error of kind %v", fault.KindOf(err))
		}
	})
}
