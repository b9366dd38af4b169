package lab

import (
	"math"
	"slices"
	"strings"
	"time"

	"tandem/internal/units"
)

// Estimate is what a model promises for a case, by whatever world said so.
type Estimate struct {
	Model        Model         `json:"model"`
	Tag          Tag           `json:"tag"`
	Time         time.Duration `json:"time_ns"` // until the last receiver has it; math.MaxInt64: never
	Availability float64       `json:"availability"`
	Outlives     bool          `json:"outlives"`      // goes on when the origin dies after one copy is out
	Revocation   time.Duration `json:"revocation_ns"` // until access has ended everywhere; math.MaxInt64: never
	Audit        bool          `json:"audit"`
	Uploads      bool          `json:"uploads"`  // receivers upload
	Server       bool          `json:"server"`   // somebody must run and be trusted with one
	Operator     float64       `json:"operator"` // dollars
	Peers        float64       `json:"peers"`    // dollars
}

// Cost returns what everybody pays together, in dollars.
func (e Estimate) Cost() float64 { return e.Operator + e.Peers }

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
	To    string `json:"to"`    // as Flag takes it, but for a percent or dollar sign
	Model Model  `json:"model"` // that is right then; "": none
	Flag  string `json:"flag"`  // of tandem advise, with its value: "--receivers 48"
}

// What counts as no difference between two models.
const (
	sameShare  = 0.05        // of cost and of time
	sameMoney  = 1.0         // dollars
	sameMoment = time.Second // nobody changes a network for less
)

// Recommend names the model for a case. Estimates are made for all models of s (all,
// where it names none), and those that miss its needs are dropped. Of the rest the
// cheapest for operator and peers together is taken; of those that cost the same (the
// difference is below 5 % or below one dollar) the fastest; of those that take the same
// time (below 5 % or below one second) the simplest: client-server, peer-to-peer,
// hybrid.
//
// Inputs are then varied one at a time, by factors from 1/64 to 64, for the one whose
// smallest change gives another verdict. A yes or no that turns, and a limit where there
// was none, count as a factor of 10.
//
// It is pure if estimate is. estimate is called some hundred times, with scenarios that
// differ from s in one input.
func Recommend(s Scenario, estimate func(Scenario) []Estimate) Verdict {
	r := decide(s, estimate)
	v := Verdict{Dropped: r.dropped, Why: r.why(), Margin: r.margin()}
	for _, e := range r.all {
		if e.Model == r.model() {
			v.Model, v.Estimate = e.Model, e
		} else {
			v.Others = append(v.Others, e)
		}
	}
	v.Flip = flip(s, v, estimate)
	return v
}

// ground is what a ruling rests on.
type ground int

const (
	onNothing ground = iota // none fits
	onNeeds                 // the only one that fits
	onCost
	onTime
	onSimplicity
)

// ruling is a verdict before it is put into words.
type ruling struct {
	all     []Estimate // simplest first
	fit     []Estimate // that meet the needs, simplest first
	dropped map[Model]string
	won     Estimate // of fit
	next    Estimate // the best of fit without won; none where ground is onNeeds
	ground  ground
}

func (r ruling) model() Model {
	if r.ground == onNothing {
		return ""
	}
	return r.won.Model
}

func decide(s Scenario, estimate func(Scenario) []Estimate) ruling {
	r := ruling{dropped: map[Model]string{}}
	for _, e := range estimate(s) {
		if slices.Contains(Models(), e.Model) && (len(s.Models) == 0 || slices.Contains(s.Models, e.Model)) {
			r.all = append(r.all, e)
		}
	}
	slices.SortStableFunc(r.all, func(a, b Estimate) int { return simplicity(a.Model) - simplicity(b.Model) })
	for _, e := range r.all {
		if why := misses(e, s.Needs); why != "" {
			r.dropped[e.Model] = why
		} else {
			r.fit = append(r.fit, e)
		}
	}
	if len(r.fit) == 0 {
		return r
	}
	var cheap, fast []Estimate
	r.won, cheap, fast = best(r.fit)
	if len(r.fit) == 1 {
		r.ground = onNeeds
		return r
	}
	others := slices.DeleteFunc(slices.Clone(r.fit), func(e Estimate) bool { return e.Model == r.won.Model })
	r.next, _, _ = best(others)
	switch {
	case !has(cheap, r.next.Model):
		r.ground = onCost
	case !has(fast, r.next.Model):
		r.ground = onTime
	default:
		r.ground = onSimplicity
	}
	return r
}

// best returns the one to take of a list that is not empty and has the simplest first,
// those that cost as little, and those of them that take no longer.
func best(list []Estimate) (won Estimate, cheap, fast []Estimate) {
	least := list[0].Cost()
	for _, e := range list {
		least = min(least, e.Cost())
	}
	for _, e := range list {
		if sameCost(e.Cost(), least) {
			cheap = append(cheap, e)
		}
	}
	soonest := cheap[0].Time
	for _, e := range cheap {
		soonest = min(soonest, e.Time)
	}
	for _, e := range cheap {
		if sameTime(e.Time, soonest) {
			fast = append(fast, e)
		}
	}
	return fast[0], cheap, fast
}

func has(list []Estimate, m Model) bool {
	return slices.ContainsFunc(list, func(e Estimate) bool { return e.Model == m })
}

func simplicity(m Model) int { return slices.Index(Models(), m) }

func sameCost(a, b float64) bool {
	d := math.Abs(a - b)
	return d < sameMoney || d < sameShare*max(a, b)
}

func sameTime(a, b time.Duration) bool {
	d := max(a, b) - min(a, b)
	return d < sameMoment || d.Seconds() < sameShare*max(a, b).Seconds()
}

// misses says in words which needs a model does not meet, or "".
func misses(e Estimate, n Needs) string {
	var why []string
	add := func(miss bool, text string) {
		if miss {
			why = append(why, text)
		}
	}
	if e.Time == math.MaxInt64 {
		add(true, "not everybody would ever have it")
	} else if d := time.Duration(n.Deadline); d > 0 {
		add(e.Time > d, "it takes "+units.Seconds(e.Time)+", and the deadline is "+spellTime(d))
	}
	add(n.Availability > 0 && e.Availability < n.Availability,
		"it is there "+percent(e.Availability)+" of the time, and "+percent(n.Availability)+" are needed")
	if d := time.Duration(n.Revocation); d > 0 && e.Revocation > d {
		if e.Revocation == math.MaxInt64 {
			add(true, "access cannot be taken back")
		} else {
			add(true, "access ends everywhere only after "+spellTime(e.Revocation)+", and "+spellTime(d)+" are needed")
		}
	}
	add(n.Audit && !e.Audit, "not every download is on record")
	add(n.NoUpload && e.Uploads, "receivers would upload")
	add(n.NoServer && e.Server, "somebody would have to be trusted with a server")
	add(n.Outlive && !e.Outlives, "it ends with the origin")
	return strings.Join(why, ", and ")
}
