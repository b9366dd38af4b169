package tcp

import (
	"strings"
	"testing"
)

func TestSniff(t *testing.T) {
	tests := []struct {
		name  string
		first string
		want  protocol
	}{
		{"nothing yet", "", protoUnknown},
		{"a whole plain handshake", btHeader + "\x00\x00\x00\x00", protoPlain},
		{"all of a plain header but a byte", btHeader[:19], protoUnknown},
		{"a length byte that may be anything", "\x13", protoUnknown},
		{"a plain header with one wrong byte", "\x13BitTorrent protocoL", protoMSE},
		{"a TLS record", "\x16\x03\x01\x02\x00\x01", protoTLS},
		{"half of what tells TLS", "\x16", protoUnknown},
		{"TLS's type with another version", "\x16\x02", protoMSE},
		{"a web request", "GET / HTTP/1.1\r\n", protoHTTP},
		{"a method without its space", "GET", protoUnknown},
		{"one letter of several methods", "P", protoUnknown},
		{"a WebDAV request", "PROPFIND /x", protoHTTP},
		{"HTTP/2 without asking", "PRI * HTTP/2.0\r\n", protoHTTP},
		{"a word that is no method", "GETS ", protoMSE},
		{"a method in small letters", "get / HTTP/1.1", protoMSE},
		{"a public key", "\x91\xa0\x00", protoMSE},
		{"zeros", strings.Repeat("\x00", 20), protoMSE},
	}
	for _, tt := range tests {
		if got := sniff([]byte(tt.first)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A verdict is reached after maxSniff bytes at the latest, and no later byte
// changes it.
func FuzzSniff(f *testing.F) {
	for _, s := range append([]string{btHeader, "\x16\x03\x01", "\x13BitT", "OPTIONZ "}, httpMethods...) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		verdict := protoUnknown
		for n := range len(b) + 1 {
			p := sniff(b[:n])
			if verdict != protoUnknown && p != verdict {
				t.Fatalf("%q is %v, %q is %v", b[:n-1], verdict, b[:n], p)
			}
			verdict = p
			if n >= maxSniff && p == protoUnknown {
				t.Fatalf("%q is undecided", b[:n])
			}
		}
	})
}
