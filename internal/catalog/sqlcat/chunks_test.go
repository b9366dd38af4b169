package sqlcat

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/cases"
)

func TestChunksHoldEveryIDAndHaveFewLengths(t *testing.T) {
	lengths := make(map[int]bool)
	for n := range 1200 {
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = int64(i)
		}
		var got []int64
		for c := range inChunks(ids) {
			lengths[len(c.args)] = true
			if marks := strings.Count(c.marks, "?"); marks != len(c.args) {
				t.Fatalf("%d IDs: %d marks for %d arguments", n, marks, len(c.args))
			}
			for _, a := range c.args {
				got = append(got, a.(int64))
			}
		}
		if got = slices.Compact(got); !slices.Equal(got, ids) { // the last one fills what is left over
			t.Fatalf("%d IDs came as %v", n, got)
		}
	}
	if len(lengths) > 4 {
		t.Errorf("chunks have the lengths %v: each is a query of its own", lengths)
	}
}

func FuzzFoldedTextIsWhatFoldingSays(f *testing.F) {
	for _, s := range []string{"", "abc", "ABC", "Straße", "ÄÖ", "ΣΑΣ", "İ", "\xff", "a\x00B", "ﬁ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := foldText(s)
		if want := cases.Fold().String(s); got != want {
			t.Errorf("%q is folded to %q, want %q", s, got, want)
		}
	})
}

func FuzzPatternOfLikeMatchesTheTextItself(f *testing.F) {
	for _, s := range []string{"", "a", "%", "_", `\`, `\%`, `100%_\`, "ä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := unlike(likePattern(s))
		if !ok || got != s {
			t.Errorf("%q gives a pattern that stands for %q, %v", s, got, ok)
		}
	})
}

// unlike returns the only text that a pattern of LIKE looks for anywhere; not ok when it
// looks for more than one.
func unlike(pattern string) (text string, ok bool) {
	inside, ok := strings.CutPrefix(pattern, "%")
	if !ok {
		return "", false
	}
	if inside, ok = strings.CutSuffix(inside, "%"); !ok {
		return "", false
	}
	for i := 0; i < len(inside); i++ {
		switch inside[i] {
		case '%', '_':
			return "", false
		case '\\':
			if i++; i == len(inside) {
				return "", false
			}
		}
		text += inside[i : i+1]
	}
	return text, true
}
