package wire_test

import (
	"errors"
	"strings"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/wire"
)

func TestHandshakeBits(t *testing.T) {
	for _, c := range []struct {
		name                     string
		f                        wire.Feature
		reserved                 [8]byte
		fast, ext, dht, upgrades bool
	}{
		{"none", 0, [8]byte{}, false, false, false, false},
		{"Fast, BEP 6", wire.FeatureFast, [8]byte{7: 0x04}, true, false, false, false},
		{"extended, BEP 10", wire.FeatureExtended, [8]byte{5: 0x10}, false, true, false, false},
		{"DHT, BEP 5", wire.FeatureDHT, [8]byte{7: 0x01}, false, false, true, false},
		{"v2, BEP 52", wire.FeatureV2, [8]byte{7: 0x10}, false, false, false, true},
	} {
		h := wire.NewHandshake(content.SHA1{}, [20]byte{}, c.f)
		if h.Reserved != c.reserved || h.Fast() != c.fast || h.Extended() != c.ext || h.DHT() != c.dht || h.V2() != c.upgrades {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
}

func TestHandshakeReadsAsWritten(t *testing.T) {
	want := wire.NewHandshake(content.SHA1{1, 19: 2}, [20]byte{3, 19: 4}, wire.FeatureFast|wire.FeatureExtended)
	b := want.Append(nil)
	got, err := wire.ParseHandshake(b)
	if err != nil || got != want || len(b) != wire.HandshakeLen {
		t.Fatalf("%x: %+v, %v", b, got, err)
	}
}

func TestHandshakeRefuses(t *testing.T) {
	good := "\x13BitTorrent protocol" + strings.Repeat("\x00", 48)
	for name, in := range map[string]string{
		"nothing":          "",
		"a byte too few":   good[:67],
		"a byte too many":  good + "x",
		"another length":   "\x12" + good[1:],
		"another protocol": strings.Replace(good, "Torrent", "torrent", 1),
		"HTTP":             "GET / HTTP/1.1\r\n" + good[16:],
	} {
		if _, err := wire.ParseHandshake([]byte(in)); !errors.Is(err, fault.Protocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
