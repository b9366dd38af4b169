package discover

import (
	"strings"
	"unicode"
)

// Printable makes text from a stranger (a tracker's reason, a router's name)
// fit for a terminal and a log: at most limit characters, without controls,
// bidirectional marks or broken UTF-8.
func Printable(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		switch {
		case r == unicode.ReplacementChar, !unicode.IsPrint(r):
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
