package report

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"tandem/internal/lab"
)

// Text writes the table of c and its verdict for a terminal that is width columns wide
// (at least 40, at most 160 are used). Every figure has its tag as one letter, which a
// legend explains, and the best of a line has a star; colour only repeats what letters
// and stars say. Errors are those of w.
func Text(w io.Writer, c *lab.Comparison, width int, colour bool) error {
	t := terminal{out: bufio.NewWriter(w), width: min(max(width, 40), 160), colour: colour}
	t.head(c)
	if len(c.Table.Rows) > 0 {
		t.table(c.Table)
	}
	t.verdict(c)
	return t.out.Flush()
}

// terminal writes lines of at most width columns. Its writer keeps the first error.
type terminal struct {
	out    *bufio.Writer
	width  int
	colour bool
}

// The styles, as the codes of a terminal.
const (
	strong = "1"
	dim    = "2"
)

func (t terminal) style(code, text string) string {
	if !t.colour || code == "" || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (t terminal) line(parts ...string) {
	t.out.WriteString(strings.TrimRight(strings.Join(parts, ""), " ") + "\n")
}

// say writes text over as many lines as it needs, the first after lead and the others
// under it.
func (t terminal) say(code, lead, text string) {
	for i, l := range wrap(text, t.width-utf8.RuneCountInString(lead)) {
		if i > 0 {
			lead = strings.Repeat(" ", utf8.RuneCountInString(lead))
		}
		t.line(lead, t.style(code, l))
	}
}

func (t terminal) head(c *lab.Comparison) {
	s := c.Scenario
	t.say(strong, "", or(clean(s.Name, 100), "Comparison"))
	facts := theCase(s)
	t.say(dim, "", facts[2].Text+"; "+facts[0].Text+"; origin: "+facts[1].Text)
	if c.Incomplete != "" {
		t.say(strong, "", "INCOMPLETE: "+clean(c.Incomplete, 500))
	}
	t.line()
}

// columns are the widths of a table: of the labels, and of each model.
func (t terminal) columns(n int) (label, each int) {
	label = min(max(t.width/4, 12), 30)
	return label, (t.width - label) / max(n, 1)
}

func (t terminal) table(table lab.Table) {
	label, each := t.columns(len(table.Models))
	heads := pad("", label)
	for _, m := range table.Models {
		heads += t.style(strong, pad("  "+clip(string(m), each-3), each))
	}
	t.line(heads)
	t.line(strings.Repeat("─", t.width))
	for _, r := range viewTable(table) {
		name := pad(r.Name, max(utf8.RuneCountInString(r.Name)+2, label+2))
		for i, l := range wrap(r.Asks, t.width-utf8.RuneCountInString(name)) {
			if i == 0 {
				t.line(t.style(strong, name), t.style(dim, l))
				continue
			}
			t.line(strings.Repeat(" ", utf8.RuneCountInString(name)), t.style(dim, l))
		}
		for _, l := range r.Lines {
			t.tableLine(l, label, each)
		}
	}
	t.line(strings.Repeat("─", t.width))
	var marks []string
	for _, v := range tagViews() {
		marks = append(marks, letter(v.Tag)+"\u00a0"+string(v.Tag))
	}
	t.say(dim, "", strings.Join(marks, ", ")+"; * best; ± half of the 95\u00a0% interval")
	t.line()
}

// cellLine is one line of a cell: the tag's letter or nothing, and words.
type cellLine struct {
	mark, text string
	best       bool
}

// tableLine writes one line of the table, as many lines high as its highest cell.
func (t terminal) tableLine(l lineView, label, each int) {
	labels := wrap(l.Label, label-3)
	cells := make([][]cellLine, len(l.Cells))
	high := len(labels)
	for i, c := range l.Cells {
		for _, f := range c.Figures {
			text := f.Text
			if f.Spread != "" {
				text += " " + strings.Replace(f.Spread, "± ", "±", 1)
			}
			if f.Best {
				text += " *"
			}
			for j, part := range wrap(text, each-3) {
				mark := " "
				if j == 0 {
					mark = letter(f.Tag)
				}
				cells[i] = append(cells[i], cellLine{mark, part, f.Best})
			}
		}
		high = max(high, len(cells[i]))
	}
	for row := range high {
		text := pad("", label)
		if row < len(labels) {
			text = pad("  "+labels[row], label)
		}
		for i := range cells {
			if row >= len(cells[i]) {
				text += pad("", each)
				continue
			}
			c := cells[i][row]
			code := ""
			if c.best {
				code = strong
			}
			text += t.style(dim, c.mark) + " " + t.style(code, pad(c.text, each-2))
		}
		t.line(text)
	}
}

func (t terminal) verdict(c *lab.Comparison) {
	v := viewVerdict(evidenceOf(c))
	name := "No verdict"
	if v.Model != "" {
		name = title(v.Model)
	}
	t.line(t.style(strong, name))
	t.say("", "  ", loose(v.Why))
	if v.Margin != "" {
		t.say("", "  By how much:        ", loose(v.Margin))
	}
	t.say("", "  What would flip it: ", loose(v.Flip))
}

// loose undoes tight: a terminal breaks lines where it must.
func loose(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

// letter is a tag in one column.
func letter(t lab.Tag) string {
	if t == "" {
		return " "
	}
	return string(t[:1])
}

// wrap cuts text into lines of at most width runes, at spaces where it can. Figures and
// their units stay together as long as there is room.
func wrap(text string, width int) []string {
	width = max(width, 1)
	var out []string
	line, used := "", 0
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		word = loose(word)
		n := utf8.RuneCountInString(word)
		if used > 0 && used+1+n > width {
			out = append(out, line)
			line, used = "", 0
		}
		for n > width { // nothing to cut at
			if used > 0 {
				out = append(out, line)
				line, used = "", 0
			}
			runes := []rune(word)
			out = append(out, string(runes[:width]))
			word, n = string(runes[width:]), n-width
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	if used > 0 || len(out) == 0 {
		out = append(out, line)
	}
	return out
}

// pad fills text up to width columns, or leaves it.
func pad(text string, width int) string {
	if n := utf8.RuneCountInString(text); n < width {
		return text + strings.Repeat(" ", width-n)
	}
	return text
}

// clip cuts text to width columns.
func clip(text string, width int) string {
	if runes := []rune(text); len(runes) > max(width, 1) {
		return string(runes[:max(width, 1)])
	}
	return text
}
