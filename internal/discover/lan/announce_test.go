package lan

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
)

func TestAnnounceIsWrittenAsOthersReadIt(t *testing.T) {
	a := announce{port: 6881, keys: []content.SHA1{{0xab, 0xcd}, {1}}, cookie: "c1"}
	want := "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n" +
		"Infohash: abcd" + strings.Repeat("0", 36) + "\r\nInfohash: 01" + strings.Repeat("0", 38) + "\r\ncookie: c1\r\n\r\n\r\n"
	got := string(a.appendTo(nil, group4))
	if got != want {
		t.Fatalf("%q", got)
	}
	if back, err := parseAnnounce([]byte(got)); err != nil || !reflect.DeepEqual(back, a) {
		t.Fatalf("%+v, %v", back, err)
	}
}

func TestFullAnnounceFitsOneDatagram(t *testing.T) {
	a := announce{port: 65535, keys: make([]content.SHA1, maxKeys), cookie: New(Options{}).cookie}
	if n := len(a.appendTo(nil, group6)); n > maxAnnounce {
		t.Fatalf("%d bytes", n)
	}
}

func TestParseAnnounce(t *testing.T) {
	key := strings.Repeat("Ab", 20)
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"header names in any case, others passed over", "BT-SEARCH * HTTP/1.1\r\nHOST: x\r\nPORT:  80 \r\ninfohash: " + key + "\r\nX-Other: y\r\n\r\n", true},
		{"without an end", "BT-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash: " + key, true},
		{"another method", "M-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash: " + key + "\r\n\r\n", false},
		{"no port", "BT-SEARCH * HTTP/1.1\r\nInfohash: " + key + "\r\n\r\n", false},
		{"port zero", "BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: " + key + "\r\n\r\n", false},
		{"port too large", "BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: " + key + "\r\n\r\n", false},
		{"negative port", "BT-SEARCH * HTTP/1.1\r\nPort: -1\r\nInfohash: " + key + "\r\n\r\n", false},
		{"no key", "BT-SEARCH * HTTP/1.1\r\nPort: 80\r\n\r\n", false},
		{"a key of 39 digits", "BT-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash: " + key[1:] + "\r\n\r\n", false},
		{"a key of other letters", "BT-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash: " + strings.Repeat("x", 40) + "\r\n\r\n", false},
		{"a line without colon", "BT-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash\r\n\r\n", false},
		{"3,000 bytes", "BT-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash: " + key + "\r\nX: " + strings.Repeat("x", 3000) + "\r\n\r\n", false},
		{"nothing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := parseAnnounce([]byte(c.text))
			if c.ok && (err != nil || a.port != 80 || len(a.keys) != 1 || a.keys[0][0] != 0xab) {
				t.Fatalf("%+v, %v", a, err)
			}
			if !c.ok && !errors.Is(err, fault.Protocol) {
				t.Fatalf("%+v, %v", a, err)
			}
		})
	}
}

func FuzzAnnounce(f *testing.F) {
	f.Add(announce{port: 6881, keys: []content.SHA1{{1}, {2}}, cookie: "x"}.appendTo(nil, group4))
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\nport:1\r\nINFOHASH:" + strings.Repeat("a", 40)))
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\n:\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAnnounce(b)
		if err != nil {
			if !errors.Is(err, fault.Protocol) {
				t.Fatal(err)
			}
			return
		}
		if a.port == 0 || len(a.keys) == 0 || len(a.keys) > maxKeys || len(a.cookie) > maxCookie {
			t.Fatalf("%+v", a)
		}
		if back, err := parseAnnounce(a.appendTo(nil, group4)); err != nil || !reflect.DeepEqual(a, back) {
			t.Fatalf("%+v comes back as %+v, %v", a, back, err)
		}
	})
}
