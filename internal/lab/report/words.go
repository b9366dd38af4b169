package report

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// clean makes foreign text, such as a scenario's name, fit to be shown: on one line,
// nothing that a terminal or an SVG reader would act on, at most most characters.
func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsGraphic(r): // bidi overrides too
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return text
}

func seconds(d time.Duration) string {
	switch {
	case d == never:
		return "never"
	case d < 0:
		return "?"
	case d >= 48*time.Hour:
		return plural(int(math.Round(d.Hours()/24)), "day")
	case d > 0 && d < 100*time.Millisecond:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	}
	text := units.Seconds(d)
	for _, zero := range []string{"0s", "0m"} { // of 24h0m0s
		if short := strings.TrimSuffix(text, zero); strings.HasSuffix(short, "m") || strings.HasSuffix(short, "h") {
			text = short
		}
	}
	return text
}

func percent(share float64) string {
	switch p := share * 100; {
	case math.IsNaN(p):
		return "?"
	case p == math.Trunc(p):
		return fmt.Sprintf("%.0f %%", p)
	case math.Abs(p) >= 99.5 && math.Abs(p) < 100: // never rounded up to all
		return strconv.FormatFloat(math.Copysign(math.Floor(math.Abs(p)*100)/100, p), 'f', -1, 64) + " %"
	case math.Abs(p) < 10:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// dollars writes an amount with as many digits as say something.
func dollars(v float64) string {
	switch {
	case v == 0:
		return "$0"
	case v < 0.01:
		return fmt.Sprintf("$%.2g", v)
	case v < 1000:
		return fmt.Sprintf("$%.2f", v)
	}
	return "$" + grouped(int64(math.Round(v)))
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(int64(n)) + " " + what + "s"
}

// number writes a plain figure without more digits than it has.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// title writes a model's name as a sentence begins.
func title(m lab.Model) string {
	if m == "" {
		return ""
	}
	return strings.ToUpper(string(m[:1])) + string(m[1:])
}

// tight keeps figures and their units on one line.
func tight(text string) string {
	return unit.ReplaceAllString(text, "$1\u00a0$2")
}

var unit = regexp.MustCompile(`(\d) (%|s|ms|min|h|days?|[KMGTPE]?i?B|[kMG]?bit/s)\b?`)

// list writes a, b and c.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
