package report

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tandem/internal/lab"
)

func TestTheTerminalsTableFits(t *testing.T) {
	codes := regexp.MustCompile("\x1b\\[[0-9]+m")
	for _, width := range []int{0, 60, 80, 120, 500} {
		var plain, coloured strings.Builder
		if err := Text(&plain, sample(), width, false); err != nil {
			t.Fatal(err)
		}
		if err := Text(&coloured, sample(), width, true); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(plain.String(), "\n") {
			if n := utf8.RuneCountInString(l); n > min(max(width, 40), 160) {
				t.Errorf("width %d: %d columns: %q", width, n, l)
			}
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("width %d: colour where none is wanted", width)
		}
		trim := regexp.MustCompile(`(?m) +$`)
		if got := codes.ReplaceAllString(coloured.String(), ""); trim.ReplaceAllString(got, "") != plain.String() {
			t.Errorf("width %d: colour says something that words do not", width)
		}
	}
}

func TestTheTerminalsTableSaysWhatThePageSays(t *testing.T) {
	var out strings.Builder
	if err := Text(&out, sample(), 120, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"m 36.5 s ±0.7 s *", "s 331 s ±6.6 s", "a 322 s", "c the server", "m measured, s simulated, a analytic, c counted",
		"8 % faster than peer-to-peer", "Receivers: 3 instead of 24, and it is client-server.",
	} {
		if !strings.Contains(strings.ReplaceAll(out.String(), "\u00a0", " "), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := Text(&out, &lab.Comparison{}, 80, false); err != nil || !strings.Contains(out.String(), "No verdict") {
		t.Errorf("an empty comparison: %q, %v", out.String(), err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestAClosedPipeIsAnError(t *testing.T) {
	if err := Text(full{}, sample(), 80, false); err == nil {
		t.Error("nobody noticed")
	}
}

func TestWrappingKeepsEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-zä€\x{a0}]{0,12} {0,2}){0,8}`).Draw(t, "text")
		width := rapid.IntRange(-1, 30).Draw(t, "width")
		lines := wrap(text, width)
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > max(width, 1) {
				t.Fatalf("%q is %d columns, not %d", l, n, width)
			}
		}
		bare := strings.NewReplacer(" ", "", "\u00a0", "")
		if got, want := bare.Replace(strings.Join(lines, "")), bare.Replace(text); got != want {
			t.Fatalf("%q became %q", want, got)
		}
	})
}
