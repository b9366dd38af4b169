package cli

import (
	"bufio"
	"fmt"
	"io"

	"rsc.io/qr"
)

// printQR draws text as a QR code in half blocks, two pixels a character, with
// the quiet zone that readers need. Dark is drawn as blank on the terminal's
// inverse, so it reads on dark and light backgrounds alike.
func printQR(w io.Writer, text string) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		fmt.Fprintln(w, "warning: the link is too long for a QR code")
		return
	}
	const quiet = 2
	out := bufio.NewWriter(w)
	defer out.Flush()
	light := func(x, y int) bool { return !code.Black(x, y) }
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := light(x, y), light(x, y+1) && y+1 < code.Size+quiet; {
			case top && bottom:
				out.WriteRune('█')
			case top:
				out.WriteRune('▀')
			case bottom:
				out.WriteRune('▄')
			default:
				out.WriteByte(' ')
			}
		}
		out.WriteByte('\n')
	}
}
