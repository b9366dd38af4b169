package content_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// N23: the corpus of names that must not be written, whoever named them.
func TestPathsThatEscapeOrDeceiveAreRefused(t *testing.T) {
	for name, path := range map[string][]string{
		"no components":            {},
		"empty component":          {"a", "", "b"},
		"empty first component":    {"", "etc"},
		"this folder":              {"."},
		"parent":                   {".."},
		"parent inside":            {"a", "..", "b"},
		"separator":                {"a/b"},
		"absolute":                 {"/etc"},
		"parent behind separator":  {"a/../../b"},
		"Windows separator":        {`a\b`},
		"Windows parent":           {`..\b`},
		"Windows share":            {`\\host\share`},
		"NUL":                      {"a\x00b"},
		"newline":                  {"a\nb"},
		"carriage return":          {"a\rb"},
		"escape":                   {"\x1b[2Jb"},
		"bell":                     {"\a"},
		"delete":                   {"a\x7f"},
		"C1 control":               {"a\u009bb"},
		"next line":                {"a\u0085b"},
		"right-to-left override":   {"photo\u202egpj.exe"},
		"left-to-right embedding":  {"\u202a"},
		"pop direction":            {"\u202c"},
		"left-to-right isolate":    {"\u2066"},
		"pop isolate":              {"\u2069"},
		"241 bytes":                {strings.Repeat("a", 241)},
		"65 components":            strings.Split(strings.Repeat("a/", 64)+"a", "/"),
		"1,025 bytes":              {strings.Repeat("a", 205), strings.Repeat("b", 204), strings.Repeat("c", 204), strings.Repeat("d", 204), strings.Repeat("e", 204)},
		"control behind bad UTF-8": {"\xff\x1b"},
	} {
		if err := content.CheckPath(path); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		} else if strings.ContainsAny(err.Error(), "\x00\x1b\n\r\a\x7f\u009b\u0085\u202e") {
			t.Errorf("%s: the error holds what it refuses: %q", name, err)
		}
	}
}

func TestPathsThatOnlySomeSystemsCannotHoldAreKept(t *testing.T) {
	for _, path := range [][]string{
		{"a"},
		{"..."},
		{"..a"},
		{"a.."},
		{"a "},
		{" a"},
		{"a."},
		{"CON"},
		{"nul.txt"},
		{"a:b"},
		{"a*?"},
		{"été", "e\u0301te\u0301"},
		{"日本語"},
		{"\xe9t\xe9"},
		{"a\u200fb"},
		{"~"},
		{"-rf"},
		{"%2e%2e"},
		{".pad", "5"},
		{strings.Repeat("a", 240)},
		strings.Split(strings.Repeat("a/", 63)+"a", "/"),
		{strings.Repeat("a", 204), strings.Repeat("b", 204), strings.Repeat("c", 204), strings.Repeat("d", 204), strings.Repeat("e", 204)},
	} {
		if err := content.CheckPath(path); err != nil {
			t.Error(err)
		}
	}
}

func files(paths ...string) []content.File {
	var out []content.File
	for _, p := range paths {
		out = append(out, content.File{Path: strings.Split(p, "/"), Length: 1})
	}
	return out
}

func TestCheckFiles(t *testing.T) {
	many := make([]content.File, content.MaxFiles+1)
	for i := range many {
		many[i].Path = []string{fmt.Sprint(i)}
	}
	pad := content.File{Path: []string{"..", "/"}, Pad: true, Length: 5}
	for name, c := range map[string]struct {
		files []content.File
		ok    bool
	}{
		"one file":                                    {files("a"), true},
		"same name in two folders":                    {files("a/x", "b/x"), true},
		"names that begin alike":                      {files("a", "a.b", "a-b", "ab/c"), true},
		"case differs":                                {files("a", "A"), true},
		"composed and decomposed":                     {files("é", "e\u0301"), true},
		"as many as allowed":                          {many[:content.MaxFiles], true},
		"pad files may be called anything, and alike": {append(files("a"), pad, pad), true},
		"none":                           {nil, false},
		"only padding":                   {[]content.File{pad}, true}, // metainfo refuses it: no name is wrong
		"too many":                       {many, false},
		"same file twice":                {files("a/b", "c", "a/b"), false},
		"file as a folder":               {files("a", "b", "a/b/c"), false},
		"file as a folder, folder first": {files("a/b", "a.x", "a"), false},
		"bad name":                       {files("a", "../b"), false},
		"negative length":                {[]content.File{{Path: []string{"a"}, Length: -1}}, false},
		"negative padding":               {append(files("a"), content.File{Pad: true, Length: -1}), false},
		"length of 2^63-1":               {append(files("a"), content.File{Path: []string{"b"}, Length: 1<<63 - 1}), false},
		"lengths that overflow together": {[]content.File{
			{Path: []string{"a"}, Length: 1 << 62}, {Path: []string{"b"}, Length: 1 << 62}, {Path: []string{"c"}, Length: 1 << 62},
		}, false},
	} {
		err := content.CheckFiles(c.files)
		if c.ok && err != nil || !c.ok && !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBEP52OrderIsByComponent(t *testing.T) {
	sorted := files("a/b", "a.b", "a0", "b", "b0/a", "b0/a.b")
	for i := 1; i < len(sorted); i++ {
		if content.ComparePaths(sorted[i-1].Path, sorted[i].Path) >= 0 {
			t.Errorf("%q does not stand before %q", sorted[i-1].Path, sorted[i].Path)
		}
	}
}

func TestEscapeComponent(t *testing.T) {
	for _, c := range []struct{ in, windows, other string }{
		{"plain.txt", "plain.txt", "plain.txt"},
		{"100%", "100%", "100%"},
		{"50%AB", "50%25AB", "50%AB"},
		{"a:b", "a%3Ab", "a:b"},
		{"what?", "what%3F", "what?"},
		{`<">|*`, "%3C%22%3E%7C%2A", `<">|*`},
		{"dot.", "dot%2E", "dot."},
		{"space ", "space%20", "space "},
		{"CON", "%43ON", "CON"},
		{"nul.tar.gz", "%6Eul.tar.gz", "nul.tar.gz"},
		{"com1", "%63om1", "com1"},
		{"LPT²", "%4CPT²", "LPT²"},
		{"com10", "com10", "com10"},
		{"console", "console", "console"},
		{"日本", "日本", "日本"},
		{"a\xffb", "a%FFb", "a\xffb"},
		{"..", "%2E%2E", "%2E%2E"},
		{".", "%2E", "%2E"},
		{"", "%00", "%00"},
		{"a/b", "a%2Fb", "a%2Fb"},
	} {
		if got := content.EscapeComponent(c.in, true); got != c.windows {
			t.Errorf("%q on Windows: %q, not %q", c.in, got, c.windows)
		}
		if got := content.EscapeComponent(c.in, false); got != c.other {
			t.Errorf("%q elsewhere: %q, not %q", c.in, got, c.other)
		}
	}
}

func TestEscapeComponentKeepsNamesApart(t *testing.T) {
	name := rapid.StringOf(rapid.SampledFrom([]rune("%25EAa.: ?/conNUL\u00e9")))
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		in := name.Draw(t, "name")
		out := content.EscapeComponent(in, true)
		if other, ok := seen[out]; ok && other != in {
			t.Fatalf("%q and %q are both %q", in, other, out)
		}
		seen[out] = in
		if again := content.EscapeComponent(strings.ReplaceAll(out, "%", "_"), true); strings.Contains(again, "%") {
			t.Fatalf("%q becomes %q, which Windows refuses", in, out)
		}
	})
}

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "a//b", "a\x00", "\u202e", `a\b`, "\xff\xfe/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := strings.Split(s, "/")
		if content.CheckPath(path) != nil {
			return
		}
		if len(s) > 1024 || strings.ContainsAny(s, "\\\x00\x1b\n") || strings.HasPrefix(s, "/") {
			t.Fatalf("%q accepted", s)
		}
		for _, c := range path {
			if c == "" || c == "." || c == ".." || content.EscapeComponent(c, false) != c {
				t.Fatalf("component %q accepted", c)
			}
			if w := content.EscapeComponent(c, true); strings.ContainsAny(w, `<>:"/\|?*`) || strings.HasSuffix(w, ".") {
				t.Fatalf("%q is %q on Windows", c, w)
			}
		}
	})
}
