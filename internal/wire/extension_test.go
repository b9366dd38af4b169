package wire_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/wire"
)

var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func TestExtensionHandshakeReads(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want wire.ExtHandshake
	}{
		{"nothing", "de", wire.ExtHandshake{}},
		{
			"the example of BEP 10, whose extensions we do not speak",
			"d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e",
			wire.ExtHandshake{Port: 6881, Client: "µTorrent 1.2"},
		},
		{
			"the example of BEP 9",
			"d1:md11:ut_metadatai3ee13:metadata_sizei31235ee",
			wire.ExtHandshake{M: map[string]uint8{"ut_metadata": 3}, MetadataSize: 31235},
		},
		{
			"the example of BEP 21, unsorted",
			"d11:upload_onlyi1e1:md11:ut_metadatai3eee",
			wire.ExtHandshake{M: map[string]uint8{"ut_metadata": 3}, UploadOnly: true},
		},
		{"an extension switched off", "d1:md6:ut_pexi0eee", wire.ExtHandshake{M: map[string]uint8{"ut_pex": 0}}},
		{"an IPv6 address", "d6:yourip16:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01e", wire.ExtHandshake{YourIP: netip.MustParseAddr("2001:db8::1")}},
		{"an IPv4 address as IPv6", "d6:yourip16:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01e", wire.ExtHandshake{YourIP: netip.MustParseAddr("192.0.2.1")}},
		{"an address of five bytes", "d6:yourip5:abcdee", wire.ExtHandshake{}},
		{"a port out of range", "d1:pi65536ee", wire.ExtHandshake{}},
		{"a queue of less than nothing", "d4:reqqi-1ee", wire.ExtHandshake{}},
		{"a queue of all numbers", "d4:reqqi9223372036854775807ee", wire.ExtHandshake{ReqQ: 1<<31 - 1}},
		{"things of other types", "d1:m1:x1:pdee", wire.ExtHandshake{}},
		{"a name that clears the screen", "d1:v10:\x1b[2Jhello\ae", wire.ExtHandshake{Client: "?[2Jhello?"}},
	} {
		got, err := wire.ParseExtHandshake([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got, same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestExtensionMessagesRefuse(t *testing.T) {
	handshake := func(b []byte) error { _, err := wire.ParseExtHandshake(b); return err }
	metadata := func(b []byte) error { _, err := wire.ParseMetadata(b); return err }
	pex := func(b []byte) error { _, err := wire.ParsePEX(b); return err }
	upload := func(b []byte) error { _, err := wire.ParseUploadOnly(b); return err }
	fetching := func(b []byte) error { _, err := wire.ParseFetching(b); return err }
	document := func(b []byte) error { _, err := wire.ParseDocument(b); return err }
	for _, c := range []struct {
		name  string
		parse func([]byte) error
		in    string
	}{
		{"nothing at all", handshake, ""},
		{"a list", handshake, "le"},
		{"a handshake that goes on", handshake, "de1:x"},
		{"the same key twice", handshake, "d1:pi1e1:pi2ee"},
		{"message number 256", handshake, "d1:md6:ut_pexi256eee"},
		{"message number -1", handshake, "d1:md6:ut_pexi-1eee"},
		{"a message number that is a string", handshake, "d1:md6:ut_pex1:2ee"},
		{"metadata of less than nothing", handshake, "d13:metadata_sizei-1ee"},
		{"metadata beyond 64 MiB", handshake, "d13:metadata_sizei67108865ee"},
		{"metadata of 2^63-1 bytes", handshake, "d13:metadata_sizei9223372036854775807ee"},
		{"deep", handshake, "d1:x" + strings.Repeat("l", 100) + strings.Repeat("e", 100) + "e"},
		{"many", handshake, "d1:xl" + strings.Repeat("i1e", 5000) + "ee"},

		{"metadata without a type", metadata, "d5:piecei0ee"},
		{"metadata without a piece", metadata, "d8:msg_typei0ee"},
		{"metadata of a negative piece", metadata, "d8:msg_typei0e5:piecei-1ee"},
		{"metadata of piece 2^31", metadata, "d8:msg_typei0e5:piecei2147483648ee"},
		{"a request with data", metadata, "d8:msg_typei0e5:piecei0eex"},
		{"data without a size", metadata, "d8:msg_typei1e5:piecei0eex"},
		{"data of a size of 0", metadata, "d8:msg_typei1e5:piecei0e10:total_sizei0ee"},
		{"data of more than 64 MiB", metadata, "d8:msg_typei1e5:piecei0e10:total_sizei67108865ee" + strings.Repeat("x", content.BlockSize)},
		{"data shorter than its place", metadata, "d8:msg_typei1e5:piecei0e10:total_sizei3eexx"},
		{"data longer than its place", metadata, "d8:msg_typei1e5:piecei0e10:total_sizei3eexxxx"},
		{"data of a piece behind the end", metadata, "d8:msg_typei1e5:piecei1e10:total_sizei3eexxx"},

		{"addresses that end within one", pex, "d5:added7:1234567e"},
		{"IPv6 addresses that end within one", pex, "d6:added66:123456e"},
		{"dropped addresses that end within one", pex, "d7:dropped1:1e"},
		{"peer exchange that is a number", pex, "i1e"},

		{"upload_only of no byte", upload, ""},
		{"upload_only of two bytes", upload, "\x00\x01"},

		{"a notice without on or off", fetching, "\x00\x00\x00\x01"},
		{"a notice that goes on", fetching, "\x00\x00\x00\x01\x01\x00"},
		{"a notice neither on nor off", fetching, "\x00\x00\x00\x01\x02"},
		{"a notice of a piece no content has", fetching, "\xff\xff\xff\xff\x01"},
		{"a document of no byte", document, ""},
		{"a document of 513 bytes", document, strings.Repeat("x", 513)},
	} {
		if err := c.parse([]byte(c.in)); !errors.Is(err, fault.Protocol) || fault.KindOf(err) != fault.Protocol {
			t.Errorf("%s: %v, want a protocol error", c.name, err)
		}
	}
}

func TestUploadOnlyReadsAsWritten(t *testing.T) {
	for _, on := range []bool{false, true} {
		if got, err := wire.ParseUploadOnly(wire.AppendUploadOnly(nil, on)); err != nil || got != on {
			t.Errorf("%v became %v, %v", on, got, err)
		}
	}
}

func TestNoticesAndDocumentsReadAsWritten(t *testing.T) {
	for _, f := range []wire.Fetching{{}, {Piece: 1, On: true}, {Piece: content.MaxPieces - 1}} {
		b := wire.AppendFetching(nil, &f)
		if got, err := wire.ParseFetching(b); err != nil || got != f || len(b) != 5 {
			t.Errorf("%+v became %x and %+v, %v", f, b, got, err)
		}
	}
	doc := bytes.Repeat([]byte{7}, wire.MaxDocument)
	if got, err := wire.ParseDocument(doc); err != nil || !bytes.Equal(got, doc) {
		t.Errorf("a document of %d bytes: %d, %v", len(doc), len(got), err)
	}
}

func TestMetadataTravelsInBlocks(t *testing.T) {
	info := bytes.Repeat([]byte("0123456789"), 4000) // 40,000 bytes: three pieces
	var got []byte
	for i := range wire.MetadataPieces(len(info)) {
		part := info[i*content.BlockSize : min((i+1)*content.BlockSize, len(info))]
		sent := wire.AppendMetadata(nil, &wire.MetadataMsg{Type: wire.MetadataData, Piece: i, TotalSize: len(info), Data: part})
		m, err := wire.ParseMetadata(sent)
		if err != nil || m.Type != wire.MetadataData || m.Piece != i || m.TotalSize != len(info) {
			t.Fatalf("piece %d: %+v, %v", i, m, err)
		}
		got = append(got, m.Data...)
	}
	if !bytes.Equal(got, info) {
		t.Fatal("metadata changed on the way")
	}
}

func TestUnknownMetadataTypeIsNoError(t *testing.T) {
	m, err := wire.ParseMetadata([]byte("d8:msg_typei7e3:new4:keyseanything"))
	if err != nil || m.Type != 7 {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestPeerExchangeTakesFiftyAndOnlyAddressesThatLead(t *testing.T) {
	addr := netip.MustParseAddrPort
	var many wire.PEX
	for i := range 200 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1)
		many.Added = append(many.Added, wire.PexPeer{Addr: a})
		many.Dropped = append(many.Dropped, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 1))
	}
	for _, c := range []struct {
		name string
		in   string
		want wire.PEX
	}{
		{"nothing", "de", wire.PEX{}},
		{
			"one of each family, with flags",
			"d5:added6:\xc0\x00\x02\x01\x1a\xe17:added.f1:\x126:added618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe18:added6.f1:\x02e",
			wire.PEX{Added: []wire.PexPeer{
				{Addr: addr("192.0.2.1:6881"), Flags: wire.PexSeed | wire.PexReachable},
				{Addr: addr("[2001:db8::1]:6881"), Flags: wire.PexSeed},
			}},
		},
		{
			"flags that are not one for each",
			"d5:added6:\xc0\x00\x02\x01\x1a\xe17:added.f2:\x12\x12e",
			wire.PEX{Added: []wire.PexPeer{{Addr: addr("192.0.2.1:6881")}}},
		},
		{
			"no port, no address, multicast, IPv4 as IPv6",
			"d5:added24:\xc0\x00\x02\x01\x00\x00\x00\x00\x00\x00\x1a\xe1\xe0\x00\x00\x01\x1a\xe1\xc0\x00\x02\x02\x00\x016:added618:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\x1a\xe1e",
			wire.PEX{Added: []wire.PexPeer{{Addr: addr("192.0.2.2:1")}}},
		},
		{"two hundred", string(wire.AppendPEX(nil, &many)), wire.PEX{Added: many.Added[:50], Dropped: many.Dropped[:50]}},
	} {
		got, err := wire.ParsePEX([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got, same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// checkPrintable fails unless s can be shown to people as it is.
func checkPrintable(t *testing.T, s string) {
	t.Helper()
	if n := utf8.RuneCountInString(s); n > 64 || !utf8.ValidString(s) {
		t.Errorf("%d characters: %q", n, s)
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			t.Errorf("%U in %q", c, s)
		}
	}
	if again := wire.Printable([]byte(s)); again != s {
		t.Errorf("%q became %q", s, again)
	}
}

func TestPrintableNames(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"qBittorrent/4.6.0":              "qBittorrent/4.6.0",
		"\x00\x1b[31m\n":                 "??[31m?",
		"abc\u202etxt.exe":               "abc?txt.exe",
		"\xff\xfe":                       "??",
		strings.Repeat("µ", 100):         strings.Repeat("µ", 64),
		strings.Repeat("\U00010348", 80): strings.Repeat("\U00010348", 64),
	} {
		got := wire.Printable([]byte(in))
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		checkPrintable(t, got)
	}
}

func TestClientNames(t *testing.T) {
	for in, want := range map[string]string{
		"-TD0100-............":                         "tandem 0.1.0.0",
		"-TR3000-abcdefghijkl":                         "Transmission 3.0.0.0",
		"A2-1-36-0-xxxxxxxxxx":                         "aria2 1.36.0",
		"-ZZ12\x1b4-xxxxxxxxxxxx":                      "ZZ 1.2.?.4",
		"A2-nonsense.........":                         "A2-nonse",
		"\x00\x01\x02\x03\x04\x05\x06\x07............": "????????",
	} {
		if got := wire.ClientName([20]byte([]byte(in))); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	id := wire.NewPeerID([4]byte([]byte("0100")), [12]byte{1})
	if !bytes.HasPrefix(id[:], []byte("-TD0100-\x01")) {
		t.Errorf("our peer ID is %q", id)
	}
}
