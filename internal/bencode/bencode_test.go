package bencode_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"tandem/internal/bencode"
	"tandem/internal/fault"
)

var loose = bencode.Options{Unsorted: true}

func TestRefused(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                                 "",
		"unknown letter":                          "x",
		"integer without end":                     "i12",
		"integer without digits":                  "ie",
		"lone minus":                              "i-e",
		"minus zero":                              "i-0e",
		"leading zero":                            "i03e",
		"leading zero after minus":                "i-03e",
		"plus sign":                               "i+3e",
		"space in integer":                        "i 3e",
		"integer of 2^63":                         "i9223372036854775808e",
		"integer below -2^63":                     "i-9223372036854775809e",
		"integer of 20 digits":                    "i99999999999999999999e",
		"string without colon":                    "5",
		"string longer than input":                "5:abcd",
		"string length with leading zero":         "03:abc",
		"string length over 32 bits":              "4294967296:a",
		"string length over 63 bits":              "9223372036854775808:a",
		"negative string length":                  "-1:a",
		"list without end":                        "li1e",
		"dictionary without end":                  "d1:ai1e",
		"dictionary without value":                "d1:ae",
		"dictionary with integer key":             "di1ei2ee",
		"duplicate key":                           "d1:ai1e1:ai2ee",
		"duplicate key not side by side":          "d1:ai1e1:bi1e1:ai2ee",
		"duplicate empty key":                     "d0:i1e0:i2ee",
		"trailing byte":                           "i1e ",
		"second value":                            "i1ei2e",
		"lone end":                                "e",
		"101 lists deep":                          strings.Repeat("l", 101) + strings.Repeat("e", 101),
		"a million lists deep without end":        strings.Repeat("l", 1_000_000),
		"a million dictionaries deep, keys empty": strings.Repeat("d0:", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := bencode.Decode([]byte(in), loose); !errors.Is(err, fault.Invalid) {
				t.Fatalf("Decode = %v, %v", v, err)
			}
		})
	}
}

func TestLimitsAreInclusive(t *testing.T) {
	in := []byte(strings.Repeat("l", 100) + strings.Repeat("e", 100))
	if _, err := bencode.Decode(in, bencode.Options{}); err != nil {
		t.Errorf("100 lists deep: %v", err)
	}
	in = []byte("l" + strings.Repeat("0:", 9) + "e")
	if _, err := bencode.Decode(in, bencode.Options{MaxTokens: 10}); err != nil {
		t.Errorf("10 values: %v", err)
	}
	if _, err := bencode.Decode(in, bencode.Options{MaxTokens: 9}); !errors.Is(err, fault.Invalid) {
		t.Errorf("10 values of 9 allowed: %v", err)
	}
	in = []byte("l" + strings.Repeat("0:", bencode.DefaultMaxTokens) + "e")
	if _, err := bencode.Decode(in, bencode.Options{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("one value too many by default: %v", err)
	}
}

func TestUnsortedKeysAreReadOnlyWhenAskedFor(t *testing.T) {
	in := []byte("d1:bi1e1:ali1ed1:zi0e1:yi0eeee")
	if _, err := bencode.Decode(in, bencode.Options{}); !errors.Is(err, fault.Invalid) {
		t.Fatalf("strict: %v", err)
	}
	v, err := bencode.Decode(in, loose)
	if err != nil || !v.Unsorted() {
		t.Fatalf("loose: unsorted=%v, %v", v.Unsorted(), err)
	}
	if b, _ := v.Dict("b"); b.Unsorted() {
		t.Error("an integer is unsorted")
	}
	a, _ := v.Dict("a")
	if !a.Unsorted() {
		t.Error("a list around an unsorted dictionary is sorted")
	}
	if sorted, _ := bencode.Decode([]byte("d1:ai1e1:bi1ee"), loose); sorted.Unsorted() {
		t.Error("a sorted dictionary is unsorted")
	}
}

func TestAccessors(t *testing.T) {
	v, err := bencode.Decode([]byte("d1:ai-7e1:bl3:onei2ee1:cd1:xd1:y0:eee"), bencode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := v.Dict("a")
	if n, ok := a.Int(); !ok || n != -7 {
		t.Errorf("a = %d, %v", n, ok)
	}
	b, _ := v.Dict("b")
	items, ok := b.List()
	if !ok || len(items) != 2 || string(b.Raw()) != "l3:onei2ee" {
		t.Fatalf("b = %v, %v", items, ok)
	}
	if s, ok := items[0].String(); !ok || s != "one" {
		t.Errorf("b[0] = %q, %v", s, ok)
	}
	entries, ok := v.Entries()
	if !ok || len(entries) != 3 || string(entries[2].Key) != "c" || string(entries[2].Value.Raw()) != "d1:xd1:y0:ee" {
		t.Errorf("entries = %v, %v", entries, ok)
	}
	if _, ok := a.Bytes(); ok {
		t.Error("an integer is a string")
	}
	if _, ok := a.Dict("x"); ok {
		t.Error("an integer has keys")
	}
	var none bencode.Value
	if _, ok := none.Dict("x"); ok || none.Kind() != bencode.Absent || none.Raw() != nil {
		t.Error("the zero Value is something")
	}
}

func TestDecodePrefixReturnsTheRest(t *testing.T) {
	v, rest, err := bencode.DecodePrefix([]byte("d1:ai1ee\x00data"), bencode.Options{})
	if err != nil || string(v.Raw()) != "d1:ai1ee" || string(rest) != "\x00data" {
		t.Fatalf("= %q, %q, %v", v.Raw(), rest, err)
	}
}

func TestAppendIsCanonical(t *testing.T) {
	v, _ := bencode.Decode([]byte("li1ee"), bencode.Options{})
	got := bencode.Append(nil, map[string]any{
		"z": int64(math.MinInt64), "": "", "a": []any{1, []byte{0}, "s"}, "b": []string{"x", ""},
		"aa": bencode.Raw("i5e"), "m": map[string]any{}, "v": v,
	})
	const want = "d0:0:1:ali1e1:\x001:se2:aai5e1:bl1:x0:e1:mde1:vli1ee1:zi-9223372036854775808ee"
	if string(got) != want {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func TestAppendPanicsOnOtherTypes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a float was encoded")
		}
	}()
	bencode.Append(nil, 1.5)
}

// rebuild turns v into what Append takes, through every accessor.
func rebuild(t *testing.T, v bencode.Value) any {
	switch v.Kind() {
	case bencode.Int:
		n, _ := v.Int()
		return n
	case bencode.Bytes:
		b, _ := v.Bytes()
		return b
	case bencode.List:
		items, _ := v.List()
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = rebuild(t, item)
		}
		return out
	case bencode.Dict:
		out := map[string]any{}
		entries, _ := v.Entries()
		for _, e := range entries {
			out[string(e.Key)] = rebuild(t, e.Value)
			if same, ok := v.Dict(string(e.Key)); !ok || !bytes.Equal(same.Raw(), e.Value.Raw()) {
				t.Fatalf("Dict(%q) is not the entry", e.Key)
			}
		}
		if len(out) != len(entries) {
			t.Fatal("a duplicate key was accepted")
		}
		return out
	}
	t.Fatalf("kind %d", v.Kind())
	return nil
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"i0e", "i-1e", "0:", "4:spam", "le", "de", "l4:spami3ee", "d3:cow3:moo4:spaml1:a1:bee",
		"d1:bi1e1:ai2ee", "i9223372036854775807e", "d0:d0:d0:i1eeee",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, rest, err := bencode.DecodePrefix(in, loose)
		if err != nil {
			return
		}
		if string(v.Raw())+string(rest) != string(in) {
			t.Fatalf("%q is not %q and %q", in, v.Raw(), rest)
		}
		out := bencode.Append(nil, rebuild(t, v))
		if same := bytes.Equal(out, v.Raw()); same == v.Unsorted() {
			t.Fatalf("%q re-encodes as %q, unsorted=%v", v.Raw(), out, v.Unsorted())
		}
		_, strict := bencode.Decode(v.Raw(), bencode.Options{})
		if (strict == nil) == v.Unsorted() {
			t.Fatalf("%q: strict says %v", v.Raw(), strict)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	in := []byte("l" + strings.Repeat("d6:lengthi12345e4:pathl3:dir8:file.txtee", 100_000) + "e")
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := bencode.Decode(in, loose); err != nil {
			b.Fatal(err)
		}
	}
}
