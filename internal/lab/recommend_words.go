package lab

import (
	"fmt"
	"math"
	"strings"
	"time"

	"tandem/internal/units"
)

// why says in one or two sentences why the ruling is what it is, so that who reads it
// can repeat it to somebody else.
func (r ruling) why() string {
	var b strings.Builder
	switch w := r.won; r.ground {
	case onNothing:
		b.WriteString("no model fits: ")
		b.WriteString(r.misfits())
		return b.String() + "."
	case onNeeds:
		fmt.Fprintf(&b, "%s: nothing else fits. ", w.Model)
		b.WriteString(r.misfits())
		if len(r.dropped) == 0 { // it was the only one asked about
			return fmt.Sprintf("%s: %s.", w.Model, promise(w))
		}
		return b.String() + "."
	case onCost:
		fmt.Fprintf(&b, "%s: %s; the next best, %s, costs %s", r.opening(), promise(w), r.next.Model, money(r.next.Cost()))
	case onTime:
		fmt.Fprintf(&b, "%s: %s; the next best, %s, takes %s", r.opening(), promise(w), r.next.Model, took(r.next.Time))
	default:
		fmt.Fprintf(&b, "%s: %s, and %s would be neither noticeably sooner (%s) nor cheaper (%s)",
			r.opening(), promise(w), r.next.Model, took(r.next.Time), money(r.next.Cost()))
	}
	if len(r.dropped) > 0 {
		b.WriteString(". Left out: " + r.misfits())
	}
	return b.String() + "."
}

// opening names the model. Where client-server wins, people should hear that they need
// no more.
func (r ruling) opening() string {
	if r.won.Model == ClientServer {
		return "client-server is enough"
	}
	return string(r.won.Model)
}

func (r ruling) misfits() string {
	var list []string
	for _, m := range Models() {
		if why, ok := r.dropped[m]; ok {
			list = append(list, fmt.Sprintf("%s (%s)", m, why))
		}
	}
	if len(list) == 0 {
		return "nothing is known of any"
	}
	return strings.Join(list, "; ")
}

func promise(e Estimate) string {
	return fmt.Sprintf("everybody has it after %s, for %s in all", took(e.Time), money(e.Cost()))
}

// margin says by how much the first is better than the next, and in what.
func (r ruling) margin() string {
	w, n := r.won, r.next
	switch r.ground {
	case onNothing:
		return ""
	case onNeeds:
		return "the only one that fits"
	case onCost:
		return fmt.Sprintf("%s (%.0f %%) cheaper than %s", money(n.Cost()-w.Cost()), 100*(n.Cost()-w.Cost())/n.Cost(), n.Model)
	case onTime:
		if n.Time == math.MaxInt64 || w.Time <= 0 {
			return "faster than " + string(n.Model)
		}
		return fmt.Sprintf("%.2gx as fast as %s, at the same cost", n.Time.Seconds()/w.Time.Seconds(), n.Model)
	}
	return fmt.Sprintf("as cheap and as fast as %s, and simpler to run", n.Model)
}

// took writes a time that may be never.
func took(d time.Duration) string {
	if d == math.MaxInt64 {
		return "forever"
	}
	return units.Seconds(d)
}

// money writes dollars for people.
func money(v float64) string {
	switch {
	case v == 0:
		return "$0"
	case math.Abs(v) < 0.01:
		return fmt.Sprintf("$%.2g", v)
	case math.Abs(v) < 1000:
		return fmt.Sprintf("$%.2f", v)
	}
	return "$" + thousands(v)
}

// percent writes a share; one close to all with the digits that tell it from all.
func percent(share float64) string {
	p := 100 * share
	for digits := 1; digits < 7; digits++ {
		text := trimZeros(fmt.Sprintf("%.*f", digits, p))
		if whole := text == "100" || text == "0"; !whole || math.Abs(p-math.Round(p)) < 1e-9 {
			return text + " %"
		}
	}
	return fmt.Sprintf("%.3g %%", p)
}

func trimZeros(text string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// thousands writes a whole number with commas.
func thousands(v float64) string {
	text := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v < 0 {
		return "-" + text
	}
	return text
}
