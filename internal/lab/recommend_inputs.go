package lab

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tandem/internal/units"
)

// input is one quantity of a scenario that may be another.
type input struct {
	name string
	// scale multiplies it, to a value that people can type; false where it is not there
	// or would leave what a scenario may have.
	scale func(s *Scenario, factor float64) bool
	spell func(s *Scenario) string
	flag  func(s *Scenario) string // of tandem advise
}

// inputs returns what is varied, what people decide most freely first.
func inputs() []input {
	return []input{
		receiversInput(), sizeInput(), arrivalsInput(),
		rateInput("the origin's upload", "origin-up", func(s *Scenario) []*units.Rate { return []*units.Rate{&s.Origin.Up} }),
		rateInput("the receivers' upload", "up", func(s *Scenario) (r []*units.Rate) {
			for i := range s.Receivers {
				r = append(r, &s.Receivers[i].Up)
			}
			return r
		}),
		rateInput("the receivers' download", "down", func(s *Scenario) (r []*units.Rate) {
			for i := range s.Receivers {
				r = append(r, &s.Receivers[i].Down)
			}
			return r
		}),
		timeInput("the deadline", "deadline", func(s *Scenario) *Duration { return &s.Needs.Deadline }),
		timeInput("how soon access must end", "revocation", func(s *Scenario) *Duration { return &s.Needs.Revocation }),
		timeInput("how long receivers stay", "stay", func(s *Scenario) *Duration { return &s.Stay.For }),
		timeInput("the origin's mean time to failure", "mttf", func(s *Scenario) *Duration { return &s.Origin.MTTF }),
		timeInput("the origin's mean time to repair", "mttr", func(s *Scenario) *Duration { return &s.Origin.MTTR }),
		availabilityInput(),
		priceInput("the price of a GB leaving the origin", "egress-price", func(s *Scenario) *float64 { return &s.Prices.Egress }),
		priceInput("the price of a GB leaving a receiver", "peer-price", func(s *Scenario) *float64 { return &s.Prices.Peer }),
		priceInput("the price of a server's hour", "server-hour", func(s *Scenario) *float64 { return &s.Prices.Server }),
		priceInput("the price of an hour of staff", "staff-hour", func(s *Scenario) *float64 { return &s.Prices.Staff }),
	}
}

// receiversInput scales the number of receivers and keeps the mix of their links.
func receiversInput() input {
	spell := func(s *Scenario) string { return strconv.Itoa(s.N()) }
	return input{
		name: "receivers", spell: spell,
		flag: func(s *Scenario) string { return "--receivers " + spell(s) },
		scale: func(s *Scenario, factor float64) bool {
			n := math.Round(float64(s.N()) * factor)
			if n < 1 || n > MaxReceivers {
				return false
			}
			*s = s.WithReceivers(int(n))
			return true
		},
	}
}

func sizeInput() input {
	spell := func(s *Scenario) string { return spellSize(s.Size) }
	return input{
		name: "the size", spell: spell,
		flag: func(s *Scenario) string { return "--size " + spell(s) },
		scale: func(s *Scenario, factor float64) bool {
			own := s.Piece == pieceRule(s.Size) // no choice of the user's
			v := roundSize(float64(s.Size) * factor)
			if v < 1 || v > MaxSize {
				return false
			}
			if s.Size = v; own || s.Piece == 0 {
				s.Piece = pieceRule(v)
			}
			return true
		},
	}
}

func arrivalsInput() input {
	spell := func(s *Scenario) string { return strconv.FormatFloat(s.Arrivals.Rate, 'g', -1, 64) }
	return input{
		name: "arrivals a second", spell: spell,
		flag: func(s *Scenario) string { return "--arrivals poisson:" + spell(s) },
		scale: func(s *Scenario, factor float64) bool {
			s.Arrivals.Rate = round3(s.Arrivals.Rate * factor)
			return s.Arrivals.Rate > 0
		},
	}
}

func rateInput(name, flag string, of func(*Scenario) []*units.Rate) input {
	spell := func(s *Scenario) string {
		var least, most units.Rate
		for i, r := range of(s) {
			if i == 0 {
				least, most = *r, *r
			}
			least, most = min(least, *r), max(most, *r)
		}
		if least == most {
			return spellRate(most)
		}
		return spellRate(least) + " to " + spellRate(most)
	}
	return input{
		name: name, spell: spell,
		flag: func(s *Scenario) string {
			if text := spell(s); !strings.Contains(text, " ") {
				return "--" + flag + " " + text
			}
			return "" // several links: in the scenario's file
		},
		scale: func(s *Scenario, factor float64) bool {
			some := false
			for _, r := range of(s) {
				if *r == 0 { // who gives nothing goes on giving nothing
					continue
				}
				v := roundRate(float64(*r) * factor)
				if v < MinRate || v > MaxRate {
					return false
				}
				*r, some = v, true
			}
			return some
		},
	}
}

func timeInput(name, flag string, of func(*Scenario) *Duration) input {
	spell := func(s *Scenario) string { return spellTime(time.Duration(*of(s))) }
	return input{
		name: name, spell: spell,
		flag: func(s *Scenario) string { return "--" + flag + " " + spell(s) },
		scale: func(s *Scenario, factor float64) bool {
			d := of(s)
			v := float64(*d) * factor
			if v < float64(time.Millisecond) || v > float64(MaxSpan) {
				return false
			}
			*d = Duration(roundTime(v))
			return true
		},
	}
}

// availabilityInput scales what is missing to certainty: 99 % becomes 99.9 % by a
// factor of 10.
func availabilityInput() input {
	spell := func(s *Scenario) string { return percent(s.Needs.Availability) }
	return input{
		name: "the availability needed", spell: spell,
		flag: func(s *Scenario) string {
			return "--availability " + strconv.FormatFloat(s.Needs.Availability, 'f', -1, 64)
		},
		scale: func(s *Scenario, factor float64) bool {
			a := s.Needs.Availability
			if a <= 0 || a >= 1 {
				return false
			}
			const steps = 1e9 // so that what is typed is what was meant
			s.Needs.Availability = math.Round((1-round3((1-a)/factor))*steps) / steps
			return s.Needs.Availability > 0 && s.Needs.Availability < 1
		},
	}
}

func priceInput(name, flag string, of func(*Scenario) *float64) input {
	return input{
		name:  name,
		spell: func(s *Scenario) string { return fmt.Sprintf("$%.3g", *of(s)) },
		flag:  func(s *Scenario) string { return fmt.Sprintf("--%s %.3g", flag, *of(s)) },
		scale: func(s *Scenario, factor float64) bool {
			p := of(s)
			*p = round3(*p * factor)
			return *p > 0
		},
	}
}

// toggle is a yes or no of a scenario that may be turned, or a limit where there is none.
type toggle struct {
	name, from, to, flag string
	set                  func(*Scenario) bool // false: it is there already
}

// switches returns what may be turned, what changes most often in a life first. Limits of
// time and availability are set such that the model of the verdict just misses them.
func switches(v Verdict) []toggle {
	yes := func(name, flag string, of func(*Needs) *bool) []toggle {
		turn := func(to bool) func(*Scenario) bool {
			return func(s *Scenario) bool {
				p := of(&s.Needs)
				changed := *p != to
				*p = to
				return changed
			}
		}
		return []toggle{
			{name, "no", "yes", "--" + flag, turn(true)},
			{name, "yes", "no", "--" + flag + "=false", turn(false)},
		}
	}
	list := limits(v.Estimate)
	list = append(list, yes("receivers may not upload", "no-upload", func(n *Needs) *bool { return &n.NoUpload })...)
	list = append(list, yes("nobody is to be trusted with a server", "no-server", func(n *Needs) *bool { return &n.NoServer })...)
	list = append(list, yes("it must outlive the origin", "outlive", func(n *Needs) *bool { return &n.Outlive })...)
	list = append(list, yes("every download must be on record", "audit", func(n *Needs) *bool { return &n.Audit })...)
	return append(list, stays()...)
}

func limits(won Estimate) []toggle {
	sooner := roundTime(float64(won.Time) * 0.99)
	more := math.Ceil((won.Availability+1e-6)*1e6) / 1e6
	within := func(d time.Duration) toggle {
		text := spellTime(d)
		return toggle{"how soon access must end", "no matter", text, "--revocation " + text, func(s *Scenario) bool {
			was := s.Needs.Revocation
			s.Needs.Revocation = Duration(d)
			return was == 0
		}}
	}
	return []toggle{
		within(48 * time.Hour), within(time.Minute),
		{"how soon access must end", "as given", "no matter", "--revocation 0s", func(s *Scenario) bool {
			was := s.Needs.Revocation
			s.Needs.Revocation = 0
			return was != 0
		}},
		{"the deadline", "none", spellTime(sooner), "--deadline " + spellTime(sooner), func(s *Scenario) bool {
			was := s.Needs.Deadline
			s.Needs.Deadline = Duration(sooner)
			return was == 0 && won.Model != "" && won.Time != math.MaxInt64 && sooner >= time.Millisecond
		}},
		{"the availability needed", "no matter", percent(more), "--availability " + strconv.FormatFloat(more, 'f', -1, 64), func(s *Scenario) bool {
			was := s.Needs.Availability
			s.Needs.Availability = more
			return was == 0 && won.Model != "" && more < 1
		}},
	}
}

func stays() []toggle {
	return []toggle{
		{"how long receivers stay", "they leave at once", "until all have it", "--stay end", func(s *Scenario) bool {
			was := s.Stay
			s.Stay = Stay{Kind: "end"}
			return was.Kind == "leave" || was.Kind == ""
		}},
		{"how long receivers stay", "until all have it", "they leave at once", "--stay leave", func(s *Scenario) bool {
			was := s.Stay
			s.Stay = Stay{Kind: "leave"}
			return was.Kind == "end"
		}},
	}
}
