package rest

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
)

func TestFirstByte(t *testing.T) {
	for field, want := range map[string]int64{
		"": 0, "bytes=0-": 0, "bytes=7-": 7, "bytes=7-9": 7, "bytes= 7 - 9": 7, "bytes=9-9,3-4": 3, "bytes=9-, 3-": 3,
		"bytes=-5": 0, "bytes=7-,-5": 0, "bytes=+7-": 0, "bytes=x-": 0, "items=7-": 0, "bytes=7": 0,
		"bytes=9223372036854775807-": 1<<63 - 1, "bytes=9223372036854775808-": 0, "bytes=-": 0, "bytes=": 0,
	} {
		if got := firstByte(field); got != want {
			t.Errorf("%q begins at %d, want %d", field, got, want)
		}
	}
}

func FuzzFirstByte(f *testing.F) {
	for _, seed := range []string{"bytes=7-", "bytes=-5", "bytes=0-0,1-1", "bytes=,", "bytes=9-3"} {
		f.Add(seed, int64(100))
	}
	f.Fuzz(func(t *testing.T, field string, size int64) {
		size = size&0xffff + 1
		first := firstByte(field)
		if first < 0 {
			t.Fatalf("%q begins at %d", field, first)
		}
		// What net/http will send is never before what was set aside.
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", field)
		tr := &trial{header: http.Header{"Content-Type": {typeBytes}}}
		http.ServeContent(tr, r, "", time.Time{}, &blank{size: size})
		if tr.status == http.StatusPartialContent && tr.header.Get("Content-Range") != "" {
			if sent := startOf(tr.header.Get("Content-Range")); sent < first {
				t.Errorf("%q of %d: begins at %d and %d is sent", field, size, first, sent)
			}
		}
	})
}

func TestTags(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for field, want := range map[string]struct {
		tags int
		kind fault.Kind
	}{
		`"` + hex + `"`:                     {1, fault.Other},
		`"` + hex + `" , "x"`:               {1, fault.Other},
		`"` + hex + `","` + hex + `"`:       {2, fault.Other},
		`*`:                                 {0, fault.Other},
		`W/"` + hex + `"`:                   {0, fault.Precondition},
		`"x"`:                               {0, fault.Precondition},
		`"` + strings.ToUpper(hex) + `"`:    {0, fault.Precondition},
		`"` + strings.Repeat("0", 64) + `"`: {0, fault.Precondition}, // the zero hash asks for nothing
		hex:                                 {0, fault.Invalid},
		`"` + hex:                           {0, fault.Invalid},
		`,`:                                 {0, fault.Invalid},
		`"a"b"`:                             {0, fault.Invalid},
	} {
		tags, err := parseTags(field)
		if len(tags) != want.tags || fault.KindOf(err) != want.kind {
			t.Errorf("%s: %d tags, %v", field, len(tags), err)
		}
	}
}

func FuzzTags(f *testing.F) {
	for _, seed := range []string{`"` + strings.Repeat("0a", 32) + `"`, `W/"x", "y"`, "*", `"\"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		tags, err := parseTags(field)
		if err != nil && !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Precondition) {
			t.Errorf("%q: %v", field, err)
		}
		for _, tag := range tags {
			if again, err := parseTags(etag(tag)); err != nil || len(again) != 1 || again[0] != tag {
				t.Errorf("%q: tag %x is not read again: %v", field, tag, err)
			}
		}
	})
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestMetadata(t *testing.T) {
	for _, c := range []struct {
		name, field string
		want        map[string]string
		broken      bool
	}{
		{"nothing", "", map[string]string{}, false},
		{"spaces", "  ", map[string]string{}, false},
		{"one", "path " + b64("a/ü"), map[string]string{"path": "a/ü"}, false},
		{"spaces around commas", " path " + b64("a") + " , if_absent", map[string]string{"path": "a", "if_absent": ""}, false},
		{"an empty value after a space", "x ", map[string]string{"x": ""}, false},
		{"an empty pair", "path " + b64("a") + ",", nil, true},
		{"twice", "a,a", nil, true},
		{"no base64", "a !", nil, true},
		{"base64 without its end", "a YQ", nil, true},
		{"a line break in base64", "a YW\nE=", nil, true},
		{"a key that is not ASCII", "ü " + b64("a"), nil, true},
		{"too many", strings.Repeat("k", 1) + strings.Join(keys(33), ","), nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseMetadata(c.field)
			if c.broken != errors.Is(err, fault.Invalid) || !c.broken && err != nil {
				t.Fatalf("error %v", err)
			}
			if err == nil && len(got) != len(c.want) {
				t.Errorf("got %q", got)
			}
			for k, v := range c.want {
				if got[k] != v {
					t.Errorf("%s is %q, want %q", k, got[k], v)
				}
			}
		})
	}
}

func keys(n int) (list []string) {
	for i := range n {
		list = append(list, "k"+string(rune('0'+i%10))+string(rune('a'+i/10)))
	}
	return list
}

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{"path YQ==", "path YQ==,if_absent,sha256 AA==", "a ,b", ",", " a b c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		all, err := parseMetadata(field)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", field, err)
			}
			return
		}
		var again []string
		for k, v := range all {
			again = append(again, k+" "+b64(v))
		}
		read, err := parseMetadata(strings.Join(again, ","))
		if err != nil || len(read) != len(all) {
			t.Errorf("%q gives %q, which gives %q, %v", field, all, read, err)
		}
		if r, err := uploadMeta(all); err == nil && r.At.Path != all["path"] && r.At.Path != all["filename"] {
			t.Errorf("%q is to become %q", field, r.At.Path)
		}
	})
}

func TestUploadMeta(t *testing.T) {
	full := map[string]string{
		"collection": "photos", "path": "a/b", "sha256": strings.Repeat("0a", 32),
		"modified": "2026-01-02T03:04:05.6+01:00", "if_absent": "true", "filetype": "image/png",
	}
	r, err := uploadMeta(full)
	if err != nil || r.At.Collection != "photos" || r.At.Path != "a/b" || !r.IfAbsent || r.SHA256[0] != 0x0a ||
		!r.Modified.Equal(time.Date(2026, 1, 2, 2, 4, 5, 6e8, time.UTC)) {
		t.Errorf("%+v, %v", r, err)
	}
	for name, value := range map[string]string{"sha256": "0A", "modified": "yesterday", "if_absent": "maybe"} {
		bad := map[string]string{"path": "a", name: value}
		if _, err := uploadMeta(bad); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s %q: %v", name, value, err)
		}
	}
	if _, err := uploadMeta(map[string]string{"collection": "photos"}); !errors.Is(err, fault.Invalid) {
		t.Errorf("no path: %v", err)
	}
}

func TestChecksum(t *testing.T) {
	for field, good := range map[string]bool{
		"sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=":                    true,
		"sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=":  true,
		"md5 1B2M2Y8AsgTpgAmY7PhCfg==":                         false,
		"sha256 2jmj7l5rSw0yVb/vlWAYkK/YBwk=":                  false,
		"sha256":                                               false,
		"sha256  47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=": false,
		"SHA256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=":  false,
	} {
		c, err := parseChecksum(field)
		if good != (err == nil && c != nil) {
			t.Errorf("%q: %v, %v", field, c, err)
		}
	}
}

func FuzzChecksum(f *testing.F) {
	f.Add("sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=")
	f.Add("sha256 x")
	f.Fuzz(func(t *testing.T, field string) {
		if c, err := parseChecksum(field); err == nil && c != nil && len(c.sum) != c.make().Size() {
			t.Errorf("%q: %d bytes", field, len(c.sum))
		}
	})
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":                     `attachment; filename="a.txt"; filename*=UTF-8''a.txt`,
		"grün 1.txt":                `attachment; filename="gr__n 1.txt"; filename*=UTF-8''gr%C3%BCn%201.txt`,
		`"; filename=evil`:          `attachment; filename="_; filename=evil"; filename*=UTF-8''%22%3B%20filename%3Devil`,
		"a\r\nSet-Cookie: x=1":      `attachment; filename="a__Set-Cookie: x=1"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x%3D1`,
		"<script>alert(1)</script>": `attachment; filename="<script>alert(1)<_script>"; filename*=UTF-8''%3Cscript%3Ealert%281%29%3C%2Fscript%3E`,
	} {
		if got := disposition(name); got != want {
			t.Errorf("%q:\n got %s\nwant %s", name, got, want)
		}
	}
}

func FuzzDisposition(f *testing.F) {
	f.Add("a\"b\\c\r\n")
	f.Fuzz(func(t *testing.T, name string) {
		got := disposition(name)
		if !printable(got) || strings.Count(got, `"`) != 2 {
			t.Errorf("%q gives %q", name, got)
		}
	})
}

func TestWithoutSecrets(t *testing.T) {
	for path, want := range map[string]string{
		"/s/abcdefghijklmnopqrstuv/download":             "/s/abcd.../download",
		"/s/abcdefghijklmnopqrstuv":                      "/s/abcd...",
		"/s/abcdefghijklmnopqrstuv.torrent":              "/s/abcd...",
		"/api/v1/shared/abcdefghijklmnopqrstuv/entries/": "/api/v1/shared/abcd.../entries/",
		"/invite/abcdefghijklmnop":                       "/invite/abcd...",
		"/api/v1/collections/s/content/s/x":              "/api/v1/collections/s/content/s/x",
	} {
		if got := withoutSecrets(path); got != want {
			t.Errorf("%s is logged as %s", path, got)
		}
	}
}
