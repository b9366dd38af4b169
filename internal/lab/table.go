package lab

import "math"

// Table is the comparison as rows, in the order of the textbooks' tables, with the
// models as columns.
type Table struct {
	Models []Model `json:"models"`
	Rows   []Row   `json:"rows"`
}

// Row is one property, such as "scalability".
type Row struct {
	Name  string             `json:"name"`
	Asks  string             `json:"asks"` // what the row answers, one sentence
	Cells map[Model][]Figure `json:"cells"`
}

// Tag says how a figure came about.
type Tag string

// The tags. Counted is of the product as it is built: steps, parties, what a dead node
// stops.
const (
	Measured  Tag = "measured"
	Simulated Tag = "simulated"
	Analytic  Tag = "analytic"
	Counted   Tag = "counted"
)

// Figure is one number, or a short text where there is none, with how it came about.
//
// A cell has all figures of one label beside each other, the strongest tag first:
// measured, simulated, analytic. Labels of a row are in the same order in every cell; one
// that says nothing about a model is missing there.
type Figure struct {
	Label  string  `json:"label"` // "last receiver"
	Value  float64 `json:"value"` // math.MaxFloat64 for never
	Unit   string  `json:"unit"`  // "s", "B", "B/s", "$", "%", "x", "", as Text shows
	Text   string  `json:"text"`  // as people read it: "41 s"
	Tag    Tag     `json:"tag"`
	Runs   int     `json:"runs,omitempty"`   // repeats behind it
	Spread float64 `json:"spread,omitempty"` // half width of the 95 % confidence interval, same unit; 0: one run, or exact
	Best   bool    `json:"best,omitempty"`   // better than the other models by more than the spreads, and by 5 %
}

// leastCent is what money must differ by at least for one model to be better. For all
// figures it is sameShare of the larger, as for a verdict: rounding, and the chance of a
// single run, make no winner.
const leastCent = 0.01

// NewTable makes the table of a comparison's results. It is pure. A figure is the median
// over the repeats of the runs that are not void. Rows that no run says anything about
// still have what was counted.
func NewTable(s Scenario, results []*Result) Table {
	models := s.Models
	if len(models) == 0 {
		models = Models()
	}
	t := Table{Models: models}
	for _, l := range rows() {
		sh := &sheet{s: s, results: results, models: models, cells: map[Model][]Figure{}}
		l.fill(sh)
		asks := l.asks
		if l.name == "typical uses" && s.Use != "" {
			asks += " This scenario: " + s.Use + "."
		}
		t.Rows = append(t.Rows, Row{Name: l.name, Asks: asks, Cells: sh.cells})
	}
	return t
}

// line is a row before it is filled.
type line struct {
	name, asks string
	fill       func(*sheet)
}

// rows returns the rows in the order in which they are shown.
func rows() []line {
	return []line{
		{"architecture and roles", "Who does what, and whose loss stops it?", (*sheet).roles},
		{"resource sharing", "What do the nodes give each other?", (*sheet).sharing},
		{"data storage", "Where does the content lie, and in how many copies?", (*sheet).storage},
		{"communication", "Which way do the bytes go?", (*sheet).communication},
		{"scalability", "What do more receivers cost in time, and what do more servers gain?", (*sheet).scalability},
		{"reliability", "Who still gets it when machines die?", (*sheet).reliability},
		{"stability", "Is it as good each time, and for each receiver?", (*sheet).stability},
		{"cost", "What does it cost, and whom?", (*sheet).cost},
		{"maintenance", "How much is to be typed, and to be looked after?", (*sheet).maintenance},
		{"security", "What do bad nodes do, and who must be trusted?", (*sheet).security},
		{"performance", "How soon is it there, and how close is that to the best possible?", (*sheet).performance},
		{"flexibility", "What changes when a node comes or goes, or the content changes?", (*sheet).flexibility},
		{"typical uses", "What is it for?", (*sheet).uses},
	}
}

// sense says which way a figure is better.
type sense int

const (
	neither sense = iota
	lower
	higher
)

// sheet is one row as it is filled: cells, and what they are taken from.
type sheet struct {
	s       Scenario
	results []*Result
	models  []Model
	cells   map[Model][]Figure
}

// put appends figures of one label and tag to the cells, and marks the best.
func (t *sheet) put(figures map[Model]Figure, better sense) {
	if m, ok := best1(figures, better); ok {
		f := figures[m]
		f.Best = true
		figures[m] = f
	}
	for _, m := range t.models {
		if f, ok := figures[m]; ok {
			t.cells[m] = append(t.cells[m], f)
		}
	}
}

// best1 returns the model whose figure is better than every other one by more than both
// spreads together. There is none of fewer than two.
func best1(figures map[Model]Figure, better sense) (Model, bool) {
	if better == neither || len(figures) < 2 {
		return "", false
	}
	for _, m := range Models() {
		f, ok := figures[m]
		for _, o := range Models() {
			g, there := figures[o]
			if o == m || !there {
				continue
			}
			gain := g.Value - f.Value
			if better == higher {
				gain = -gain
			}
			ok = ok && gain > f.Spread+g.Spread && gain >= sameShare*max(math.Abs(f.Value), math.Abs(g.Value)) &&
				(f.Unit != "$" || gain >= leastCent)
		}
		if ok {
			return m, true
		}
	}
	return "", false
}
