package cli

import (
	"fmt"
	"strings"
	"unicode"
)

// clean makes text from outside safe to print: control characters, the ones
// that reorder text and bytes that are no UTF-8 become visible escapes.
// Everything a peer, a tracker, a torrent or a file name can influence passes
// through here on its way to a terminal.
func clean(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(unicode.ReplacementChar)):
			b.WriteString(hexEscape(rune(s[i])))
		case unsafe(r):
			b.WriteString(hexEscape(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unsafe(r rune) bool {
	return r == unicode.ReplacementChar || unicode.IsControl(r) ||
		unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

func hexEscape(r rune) string {
	if r <= 0xff {
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u{%x}`, r)
}
