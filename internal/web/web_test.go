package web

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tandem/internal/origin"
)

func TestWhereToAfterSigningIn(t *testing.T) {
	for _, c := range []struct{ name, next, want string }{
		{"a page of this server", "/c/photos?sort=size", "/c/photos?sort=size"},
		{"nothing", "", "/"},
		{"another server", "https://example.org/", "/"},
		{"another server without its scheme", "//example.org/", "/"},
		{"a backslash that browsers take for a slash", `/\example.org`, "/"},
		{"a tab that browsers leave out", "/\t/example.org", "/"},
		{"a script", "javascript:alert(1)", "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := local(c.next); got != c.want {
				t.Errorf("local(%q) = %q, want %q", c.next, got, c.want)
			}
		})
	}
}

func TestSizesAsPeopleSayThem(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB",
		4_813_288_112: "4.8 GB", 1 << 62: "4.6 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{1: "1", 999: "999", 1000: "1\u202f000", -1000: "-1\u202f000", 1234567: "1\u202f234\u202f567"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestQuotasAsPeopleTypeThem(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "50 GB": 50e9, "1.5 GiB": 3 << 29, "1000": 1000, "7kb": 7000, "2 t": 2e12} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "0", "many", "1 2", "1e400", "NaN", "Inf", "0x1p3 gb", "99999999999 PB", "GB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Min(0).Draw(t, "n")
		if got, err := parseSize(sizeText(n)); err != nil || got != n {
			t.Fatalf("parseSize(%q) = %d, %v", sizeText(n), got, err)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "50 GB", "1.5 gib", "-1", "1e9", "9223372036854775807", "0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSize(s); n < 0 || err != nil && n != 0 {
			t.Errorf("parseSize(%q) = %d, %v", s, n, err)
		}
	})
}

func FuzzDecodeFlash(f *testing.F) {
	f.Add(flash{Text: "Deleted a.txt.", Undo: 7, Collection: "photos"}.encode())
	f.Add("e30")
	f.Add("eyJ0IjoieCJ9\n")
	f.Fuzz(func(t *testing.T, s string) {
		if got := decodeFlash(s); got != nil && got.encode() != s {
			t.Errorf("%q is read as %+v, which is written %q", s, *got, got.encode())
		}
	})
}

func TestFlashComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := flash{Text: rapid.StringN(1, 100, 390).Draw(t, "text"), Undo: rapid.Int64().Draw(t, "undo"), Collection: rapid.StringN(0, 64, 256).Draw(t, "collection")}
		got := decodeFlash(f.encode())
		if got == nil || *got != f {
			t.Fatalf("%+v came back as %+v", f, got)
		}
	})
}

func TestCutEndsAtACharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "s"), rapid.IntRange(4, 40).Draw(t, "n")
		got := cut(s, n)
		if len(got) > n || !utf8.ValidString(got) || len(s) <= n && got != s {
			t.Fatalf("cut(%q, %d) = %q", s, n, got)
		}
	})
}

func TestCrumbsLeadToEveryFolderAbove(t *testing.T) {
	var got []string
	for _, c := range crumbsOf("photos", "2026/a b/c?d") {
		got = append(got, c.Name+" "+c.URL)
	}
	want := "photos /c/photos\n2026 /c/photos/2026\na b /c/photos/2026/a%20b\nc?d /c/photos/2026/a%20b/c%3Fd"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

func TestRowsStandInTheOrderAskedFor(t *testing.T) {
	rows := func() []origin.Entry {
		return []origin.Entry{
			sampleEntry(1, "b.txt", "", 30), sampleEntry(2, "A.txt", "", 10), sampleEntry(3, "z", "", -1), sampleEntry(4, "c.txt", "", 20),
		}
	}
	for _, c := range []struct{ name, sort, want string }{
		{"folders first, then names in any case", "", "z A.txt b.txt c.txt"},
		{"names backwards", "-name", "z c.txt b.txt A.txt"},
		{"small first", "size", "z A.txt c.txt b.txt"},
		{"large first", "-size", "z b.txt c.txt A.txt"},
		{"older first", "changed", "z c.txt A.txt b.txt"},
		{"an order nobody knows", "-colour", "z A.txt b.txt c.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := rows()
			sortingOf(c.sort).apply(list)
			var got []string
			for _, e := range list {
				got = append(got, e.Node.Name)
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %s, want %s", s, c.want)
			}
		})
	}
}

func TestBrowsersHaveShortNames(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0":   "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":   "Chrome on macOS",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":   "Chrome on Android",
		"curl/8.0": "curl/8.0",
		"":         "",
	} {
		if got := browserOf(agent); got != want {
			t.Errorf("browserOf(%q) = %q, want %q", agent, got, want)
		}
	}
}
