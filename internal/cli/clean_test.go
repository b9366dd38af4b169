package cli

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCleanTextCannotSteerATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                 "plain",
		"Grüße 日本.txt":          "Grüße 日本.txt",
		"\x1b[2Jgone":           `\x1b[2Jgone`,
		"a\rb\nc\td":            `a\x0db\x0ac\x09d`,
		"\u202Egpj.exe":         `\u{202e}gpj.exe`,
		"c1\u009b31m":           `c1\x9b31m`,
		"bad \xff\xfe bytes":    `bad \xff\xfe bytes`,
		"zero\u200bwidth\u2028": `zero\u{200b}width\u{2028}`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		got := clean(s)
		if strings.IndexFunc(got, unsafe) >= 0 {
			t.Fatalf("clean(%q) = %q still steers", s, got)
		}
		if clean(got) != got {
			t.Fatalf("clean is not stable on %q", s)
		}
	})
}
