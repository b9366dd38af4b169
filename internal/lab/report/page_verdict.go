package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// verdictView is the answer, before anything else.
type verdictView struct {
	Model        lab.Model
	Why          string
	Margin, Flip string
	Tiles        []tile
}

// tile is what one model promises for the case.
type tile struct {
	Model   lab.Model
	Right   bool
	Dropped string
	Tag     lab.Tag
	Time    string
	Facts   []fact
}

// note says how the model fares.
func (t tile) note() string {
	switch {
	case t.Right:
		return "✓ the right one"
	case t.Dropped != "":
		return "✗ " + t.Dropped
	}
	return "fits as well"
}

func viewVerdict(e evidence) verdictView {
	v := e.Verdict
	out := verdictView{Model: v.Model, Why: tight(verdictWords(v)), Margin: tight(clean(v.Margin, 500)), Flip: tight(flipWords(v.Flip))}
	for _, m := range e.models {
		for _, est := range append([]lab.Estimate{v.Estimate}, v.Others...) {
			if est.Model != m {
				continue
			}
			out.Tiles = append(out.Tiles, tile{
				Model: m, Right: m == v.Model, Dropped: clean(v.Dropped[m], 300), Tag: est.Tag, Time: seconds(est.Time),
				Facts: []fact{
					{"can be had", availability(est.Availability)},
					{"when the origin dies", choose(est.Outlives, "goes on", "ends")},
					{"operator pays", dollars(est.Operator)},
					{"receivers pay", dollars(est.Peers)},
					{"access ends within", seconds(est.Revocation)},
					{"downloads on record", choose(est.Audit, "all", "none")},
				},
			})
			break
		}
	}
	return out
}

// verdictWords is the verdict in a sentence.
func verdictWords(v lab.Verdict) string {
	switch {
	case v.Why != "": // the model's name stands above it
		why := strings.TrimPrefix(clean(v.Why, 1000), string(v.Model)+": ")
		first, size := utf8.DecodeRuneInString(why)
		return string(unicode.ToUpper(first)) + why[size:]
	case v.Model != "":
		return title(v.Model) + " is the right one."
	}
	return "No verdict: no model fits the needs, or too little was run."
}

// flipWords says what would give another verdict.
func flipWords(f *lab.Flip) string {
	if f == nil {
		return "No single input within reason."
	}
	to := "and no model fits"
	if f.Model != "" {
		to = "and it is " + string(f.Model)
	}
	return fmt.Sprintf("%s: %s instead of %s, %s.", title(lab.Model(clean(f.Input, 60))), clean(f.To, 60), clean(f.From, 60), to)
}

// availability writes a probability with its nines, rounded down.
func availability(a float64) string {
	if a <= 0 || a >= 1 || math.IsNaN(a) {
		return percent(a)
	}
	digits := min(max(int(math.Ceil(-math.Log10(1-a)))-1, 0), 6)
	down := math.Floor(a*100*math.Pow10(digits)+1e-6) / math.Pow10(digits)
	return strconv.FormatFloat(down, 'f', -1, 64) + " %"
}

func choose(yes bool, this, that string) string {
	if yes {
		return this
	}
	return that
}

func bytesOf(v float64) string { return units.Bytes(int64(math.Round(v))) }
