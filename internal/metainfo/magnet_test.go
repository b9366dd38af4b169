package metainfo_test

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

var (
	hash1 = content.SHA1{1, 2, 3, 19: 0xff}
	hash2 = content.Hash{4, 5, 6, 31: 0xee}
	hex1  = hex.EncodeToString(hash1[:])
	hex2  = hex.EncodeToString(hash2[:])
)

func TestMagnetIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want metainfo.Magnet
	}{
		"v1":                       {"magnet:?xt=urn:btih:" + hex1, metainfo.Magnet{InfoHash1: hash1}},
		"v1 in capitals":           {"MAGNET:?XT=URN:BTIH:" + strings.ToUpper(hex1), metainfo.Magnet{InfoHash1: hash1}},
		"v1 in base32":             {"magnet:?xt=urn:btih:" + base32.StdEncoding.EncodeToString(hash1[:]), metainfo.Magnet{InfoHash1: hash1}},
		"v1 in small base32":       {"magnet:?xt=urn:btih:" + strings.ToLower(base32.StdEncoding.EncodeToString(hash1[:])), metainfo.Magnet{InfoHash1: hash1}},
		"v2":                       {"magnet:?xt=urn:btmh:1220" + hex2, metainfo.Magnet{InfoHash2: hash2}},
		"hybrid":                   {"magnet:?xt=urn:btih:" + hex1 + "&xt=urn:btmh:1220" + hex2, metainfo.Magnet{InfoHash1: hash1, InfoHash2: hash2}},
		"numbered parameters":      {"magnet:?xt.1=urn:btih:" + hex1 + "&xt.2=urn:btmh:1220" + hex2 + "&tr.1=a&tr.2=b", metainfo.Magnet{InfoHash1: hash1, InfoHash2: hash2, Trackers: []string{"a", "b"}}},
		"escaped topic":            {"magnet:?xt=urn%3Abtih%3A" + hex1, metainfo.Magnet{InfoHash1: hash1}},
		"the same topic twice":     {"magnet:?xt=urn:btih:" + hex1 + "&xt=urn:btih:" + hex1, metainfo.Magnet{InfoHash1: hash1}},
		"topics of other networks": {"magnet:?xt=urn:sha1:ABC&xt=urn:btih:" + hex1 + "&xt=urn:ed2k:5", metainfo.Magnet{InfoHash1: hash1}},
		"all hints": {
			"magnet:?xt=urn:btih:" + hex1 + "&dn=a+b%20c%2B&xl=123&tr=udp%3A%2F%2Ft%3A1&tr=http://u/?x%3D1&ws=http://w/&x.pe=10.0.0.1:5&x.pe=[::1]:6&so=0-3&unknown=1&",
			metainfo.Magnet{InfoHash1: hash1, Name: "a b c+", Length: 123, Trackers: []string{"udp://t:1", "http://u/?x=1"}, WebSeeds: []string{"http://w/"}, Peers: []string{"10.0.0.1:5", "[::1]:6"}},
		},
		"name no file may have":     {"magnet:?xt=urn:btih:" + hex1 + "&dn=..%2F..%2Fetc", metainfo.Magnet{InfoHash1: hash1}},
		"name with an escape":       {"magnet:?xt=urn:btih:" + hex1 + "&dn=%1b[2J", metainfo.Magnet{InfoHash1: hash1}},
		"name that turns around":    {"magnet:?xt=urn:btih:" + hex1 + "&dn=a%E2%80%AEb", metainfo.Magnet{InfoHash1: hash1}},
		"tracker with a line break": {"magnet:?xt=urn:btih:" + hex1 + "&tr=http://a/%0d%0aX:", metainfo.Magnet{InfoHash1: hash1}},
	} {
		got, err := metainfo.ParseMagnet(c.in)
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestMagnetIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                "",
		"another scheme":         "http://a/?xt=urn:btih:" + hex1,
		"no parameters":          "magnet:?",
		"no topic":               "magnet:?dn=a",
		"only other networks":    "magnet:?xt=urn:sha1:ABC",
		"hash too short":         "magnet:?xt=urn:btih:" + hex1[:39],
		"hash not hexadecimal":   "magnet:?xt=urn:btih:" + "zz" + hex1[2:],
		"hash not base32":        "magnet:?xt=urn:btih:" + strings.Repeat("1", 32),
		"hash of zeros":          "magnet:?xt=urn:btih:" + strings.Repeat("0", 40),
		"v2 without multihash":   "magnet:?xt=urn:btmh:" + hex2,
		"v2 of another hash":     "magnet:?xt=urn:btmh:1120" + hex2,
		"v2 too short":           "magnet:?xt=urn:btmh:1220" + hex2[:62],
		"v2 not hexadecimal":     "magnet:?xt=urn:btmh:1220" + "zz" + hex2[2:],
		"two v1 hashes":          "magnet:?xt=urn:btih:" + hex1 + "&xt=urn:btih:" + "aa" + hex1[2:],
		"two v2 hashes":          "magnet:?xt=urn:btmh:1220" + hex2 + "&xt=urn:btmh:1220aa" + hex2[2:],
		"escape cut short":       "magnet:?xt=urn:btih:" + hex1 + "&dn=a%2",
		"escape not hexadecimal": "magnet:?xt=urn:btih:" + hex1 + "&dn=a%zz",
		"negative length":        "magnet:?xt=urn:btih:" + hex1 + "&xl=-1",
		"length of 2^63":         "magnet:?xt=urn:btih:" + hex1 + "&xl=9223372036854775808",
		"longer than 64 KiB":     "magnet:?xt=urn:btih:" + hex1 + "&dn=" + strings.Repeat("a", 64<<10),
	} {
		if m, err := metainfo.ParseMagnet(in); m != nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestMagnetHoldsABoundedNumberOfURLs(t *testing.T) {
	m, err := metainfo.ParseMagnet("magnet:?xt=urn:btih:" + hex1 + strings.Repeat("&tr=a&ws=b&x.pe=c", 1000))
	if err != nil || len(m.Trackers) != 100 || len(m.WebSeeds) != 100 || len(m.Peers) != 100 {
		t.Fatalf("%d, %d, %d, %v", len(m.Trackers), len(m.WebSeeds), len(m.Peers), err)
	}
}

func TestMagnetComesBack(t *testing.T) {
	url := rapid.StringMatching(`[!-~é日]{1,30}`)
	rapid.Check(t, func(t *rapid.T) {
		m := &metainfo.Magnet{
			InfoHash1: hash1, InfoHash2: hash2,
			Name:     rapid.StringMatching(`[a-z &=+%#é日?]{0,20}`).Draw(t, "name"),
			Length:   rapid.Int64Min(0).Draw(t, "length"),
			Trackers: rapid.SliceOfN(url, 0, 3).Draw(t, "tr"),
			Peers:    rapid.SliceOfN(url, 0, 3).Draw(t, "pe"),
			WebSeeds: rapid.SliceOfN(url, 0, 3).Draw(t, "ws"),
		}
		got, err := metainfo.ParseMagnet(m.String())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(m) {
			t.Fatalf("%s: %+v, %v", m, got, err)
		}
	})
}

func TestMagnetOfATorrent(t *testing.T) {
	_, tor := readGolden(t, "folder-hybrid")
	tor.Trackers = [][]string{{"http://a/"}, {"udp://b:1"}}
	const want = "magnet:?xt=urn:btih:f40da7adea1021d25713b6c965d181910dcc1b79" +
		"&xt=urn:btmh:1220132fcc467929119bbfbdf4417d82ae55b3315356b74bddf4cc7028901b6ccde6" +
		"&dn=folder&xl=286395&tr=http:%2F%2Fa%2F&tr=udp:%2F%2Fb:1"
	if got := tor.Magnet().String(); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func FuzzParseMagnet(f *testing.F) {
	f.Add("magnet:?xt=urn:btih:" + hex1 + "&dn=a+b%20c&xl=5&tr=http%3A%2F%2Fa&x.pe=1.2.3.4:5&ws=x")
	f.Add("magnet:?xt=urn:btmh:1220" + hex2)
	f.Fuzz(func(t *testing.T, s string) {
		m, err := metainfo.ParseMagnet(s)
		if err != nil {
			return
		}
		back, err := metainfo.ParseMagnet(m.String())
		if err != nil && len(m.String()) <= 64<<10 || err == nil && !reflect.DeepEqual(back, m) {
			t.Fatalf("%q becomes %q: %v", s, m, err)
		}
	})
}
