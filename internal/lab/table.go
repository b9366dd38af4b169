package lab

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
type Figure struct {
	Label  string  `json:"label"` // "last receiver"
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"` // "s", "B", "B/s", "$", "%", "x", "", as Text shows
	Text   string  `json:"text"` // as people read it: "41 s"
	Tag    Tag     `json:"tag"`
	Runs   int     `json:"runs,omitempty"`   // repeats behind it
	Spread float64 `json:"spread,omitempty"` // half width of the 95 % confidence interval, same unit; 0: one run, or exact
	Best   bool    `json:"best,omitempty"`   // better than the other models by more than the spread
}

// NewTable makes the table of a comparison's results.
func NewTable(s Scenario, results []*Result) Table { return Table{} }
