package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// advised is an answer.
type advised struct {
	s       lab.Scenario
	verdict lab.Verdict
	case_   caseWords
	note    string
}

// caseWords is the case as it stands on a command line.
type caseWords struct {
	named string // the scenario; "" for the usual one
	flags []caseFlag
}

type caseFlag struct{ name, value string }

// words returns the case as it was told, by flags or by answers.
func (o *advice) words(args []string) caseWords {
	var w caseWords
	if len(args) > 0 {
		w.named = args[0]
	}
	o.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			w.flags = append(w.flags, caseFlag{f.Name, f.Value.String()})
		}
	})
	return w
}

// command writes the case for one of our commands, with more (a flag and its value) laid
// over it; only flags that only has, unless it is nil.
func (w caseWords) command(name, more string, only map[string]bool) string {
	words := []string{"tandem", name}
	if w.named != "" {
		words = append(words, quoted(w.named))
	}
	instead, _, _ := strings.Cut(strings.TrimPrefix(more, "--"), " ")
	instead, _, _ = strings.Cut(instead, "=")
	for _, f := range w.flags {
		switch {
		case f.name == instead || only != nil && !only[f.name]:
		case f.value == "true":
			words = append(words, "--"+f.name)
		case f.value == "false" && w.named == "": // as it is anyway
		case f.value == "false":
			words = append(words, "--"+f.name+"=false")
		default:
			words = append(words, "--"+f.name, quoted(f.value))
		}
	}
	if more != "" {
		words = append(words, more)
	}
	return strings.Join(words, " ")
}

// quoted makes one word of a shell's.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@%+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// compareTakes are the flags of a case that tandem compare has, too.
func compareTakes() map[string]bool {
	return map[string]bool{
		"receivers": true, "size": true, "origins": true, "origin-up": true, "up": true, "down": true,
		"arrivals": true, "stay": true,
	}
}

// next returns what to type: to see it shown, and to do it.
func (w advised) next() []string {
	list := []string{w.case_.command("compare", "", compareTakes())}
	switch w.verdict.Model {
	case lab.ClientServer:
		list = append(list, "tandem serve", "tandem put PATH NAME && tandem link NAME/PATH")
	case lab.PeerToPeer:
		list = append(list, "tandem share PATH")
	case lab.Hybrid:
		list = append(list, "tandem serve", "tandem share PATH --server HOST --to NAME", "tandem get LINK    # each receiver; LINK has a # in it")
	}
	return list
}

// adviceEvent is the answer of --json.
type adviceEvent struct {
	Event string `json:"event"`
	lab.Verdict
	Scenario lab.Scenario `json:"scenario"`
	Note     string       `json:"note,omitempty"`
	Next     []string     `json:"next"`
}

func (w advised) event() adviceEvent {
	return adviceEvent{"advice", w.verdict, w.s, w.note, w.next()}
}

func (w advised) print(out io.Writer, bold func(string) string) {
	v := w.verdict
	head, rest, _ := strings.Cut(v.Why, ":")
	fmt.Fprintf(out, "%s:%s\n\n", bold(clean(head)), clean(rest))
	w.table(out)
	if v.Margin != "" {
		fmt.Fprintf(out, "\nmargin:  %s\n", clean(v.Margin))
	}
	w.flip(out)
	fmt.Fprintf(out, "case:    %s\n", clean(w.caseLine()))
	if w.note != "" {
		fmt.Fprintf(out, "figures: %s\n", clean(w.note))
	}
	for i, n := range w.next() {
		head := "         "
		if i == 0 {
			head = "next:    "
		}
		fmt.Fprintln(out, head+clean(n))
	}
}

// flip says what would change the verdict, and how to see that.
func (w advised) flip(out io.Writer) {
	f := w.verdict.Flip
	if f == nil {
		fmt.Fprintln(out, "flip:    no single change within a factor of 64 would give another answer")
		return
	}
	then := string(f.Model)
	if then == "" {
		then = "none fits"
	}
	fmt.Fprintf(out, "flip:    %s: %s instead of %s, and the answer is: %s\n", clean(f.Input), clean(f.To), clean(f.From), then)
	if f.Flag != "" {
		fmt.Fprintf(out, "         %s\n", clean(w.case_.command("advise", f.Flag, nil)))
	}
}

func (w advised) table(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "MODEL\tLAST HAS IT\tOPERATOR\tRECEIVERS\tIS THERE\tACCESS ENDS\tFIGURES")
	for _, e := range append([]lab.Estimate{w.verdict.Estimate}, w.verdict.Others...) {
		if e.Model == "" {
			continue
		}
		took, ends := "never", "never"
		if e.Time != math.MaxInt64 {
			took = units.Seconds(e.Time)
		}
		if e.Revocation != math.MaxInt64 {
			ends = spanText(e.Revocation)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Model, took, dollarText(e.Operator), dollarText(e.Peers),
			shareText(e.Availability), ends, e.Tag)
	}
}

// caseLine is the case in words.
func (w advised) caseLine() string {
	s := w.s
	var links []string
	for _, g := range s.Receivers {
		links = append(links, fmt.Sprintf("%d with %s down, %s up", g.Count, linkText(g.Down), linkText(g.Up)))
		if len(links) == 3 && len(s.Receivers) > 3 {
			links = append(links, "others")
			break
		}
	}
	stay := s.Stay.String()
	if s.Stay.Kind == lab.StayFor {
		stay = spanText(time.Duration(s.Stay.For))
	}
	line := fmt.Sprintf("%s from %s up to %s; arrivals %s, stay %s", units.Bytes(int64(s.Size)), linkText(s.Origin.Up),
		strings.Join(links, ", "), s.Arrivals, stay)
	if d := time.Duration(s.Needs.Deadline); d > 0 {
		line += ", deadline " + spanText(d)
	}
	return line
}

func linkText(r units.Rate) string { return units.Bits(float64(r)) }

// spanText writes a span of time without parts that are nothing.
func spanText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// dollarText writes money for people.
func dollarText(v float64) string {
	if v != 0 && v < 0.005 {
		return "<$0.01"
	}
	return fmt.Sprintf("$%.2f", v)
}

// shareText writes an availability with the digits that tell it from certainty.
func shareText(v float64) string {
	if v >= 1 {
		return "100 %"
	}
	digits := max(0, min(6, int(math.Ceil(-math.Log10(1-v)))-1))
	return fmt.Sprintf("%.*f %%", digits, math.Floor(v*math.Pow10(digits+2))/math.Pow10(digits))
}
