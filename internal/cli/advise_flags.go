package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/units"
	"tandem/scenarios"
)

// advice is what tandem advise is told on the command line.
type advice struct {
	quick bool
	flags *pflag.FlagSet // that speak of the case
	set   map[string]func(*lab.Scenario)
}

// usualCase is what nobody has said otherwise about: ten people on good home links.
func usualCase() lab.Scenario {
	return lab.Scenario{
		Name: "advise", Size: 64 << 20,
		Origin:    lab.Origin{Count: 1, Up: 5_000_000},
		Receivers: []lab.Group{{Count: 10, Up: 2_500_000, Down: 12_500_000}},
	}
}

// bind gives c the flags; each changes a scenario if it was given.
func (o *advice) bind(c *cobra.Command) {
	o.flags, o.set = pflag.NewFlagSet("case", pflag.ContinueOnError), map[string]func(*lab.Scenario){}
	o.bindCase()
	o.bindNeeds()
	o.bindPrices()
	c.Flags().AddFlagSet(o.flags)
	c.Flags().BoolVar(&o.quick, "quick", false, "by formula only, without a simulation")
	complete(c, "arrivals", "flash", "poisson:")
	complete(c, "stay", "leave", "end")
}

// value binds a flag of any kind to what it changes.
func (o *advice) value(name, usage string, v pflag.Value, set func(*lab.Scenario)) {
	o.flags.Var(&spoken{Value: v}, name, usage)
	o.flags.Lookup(name).DefValue = "" // the case's, which is not the flag's zero
	o.set[name] = set
}

func (o *advice) bindCase() {
	var (
		receivers, origins tally
		size               units.Size
		originUp, up, down linkRate
		arrivals           parsed[lab.Arrivals]
		stay               parsed[lab.Stay]
		mttf, mttr         lab.Duration
	)
	arrivals.parse, arrivals.kind = lab.ParseArrivals, "ARRIVALS"
	stay.parse, stay.kind = lab.ParseStay, "STAY"
	o.value("receivers", "how many want it", &receivers, func(s *lab.Scenario) { *s = s.WithReceivers(int(receivers)) })
	o.value("size", "of what they want, such as 700MB", &size, func(s *lab.Scenario) { s.Size, s.Piece = size, 0 })
	o.value("origins", "servers, or first seeders, with the same content", &origins, func(s *lab.Scenario) { s.Origin.Count = int(origins) })
	o.value("origin-up", "upload of the machine that has it, such as 40Mbit", &originUp, func(s *lab.Scenario) { s.Origin.Up = units.Rate(originUp) })
	o.value("up", "upload of each receiver, 0 for none", &up, func(s *lab.Scenario) { eachGroup(s, func(g *lab.Group) { g.Up = units.Rate(up) }) })
	o.value("down", "download of each receiver", &down, func(s *lab.Scenario) { eachGroup(s, func(g *lab.Group) { g.Down = units.Rate(down) }) })
	o.value("arrivals", "when they start: flash (all at once) or poisson:RATE (a second)", &arrivals, func(s *lab.Scenario) { s.Arrivals = arrivals.v })
	o.value("stay", "how long receivers serve when they have it: leave, end or a time", &stay, func(s *lab.Scenario) { s.Stay = stay.v })
	o.value("mttf", "mean time until the origin fails", &mttf, func(s *lab.Scenario) { s.Origin.MTTF = mttf })
	o.value("mttr", "mean time until it is repaired", &mttr, func(s *lab.Scenario) { s.Origin.MTTR = mttr })
}

func (o *advice) bindNeeds() {
	var (
		deadline, revocation lab.Duration
		available            probability
	)
	o.value("deadline", "the last receiver must have it by then", &deadline, func(s *lab.Scenario) { s.Needs.Deadline = deadline })
	o.value("availability", "it must be there this share of the time, such as 99.9%", &available, func(s *lab.Scenario) { s.Needs.Availability = float64(available) })
	o.value("revocation", "access that is taken back must end within", &revocation, func(s *lab.Scenario) { s.Needs.Revocation = revocation })
	yes := func(name, usage string, of func(*lab.Needs) *bool) {
		v := o.flags.Bool(name, false, usage)
		o.set[name] = func(s *lab.Scenario) { *of(&s.Needs) = *v }
	}
	yes("audit", "every download must be on record", func(n *lab.Needs) *bool { return &n.Audit })
	yes("no-upload", "receivers must not upload", func(n *lab.Needs) *bool { return &n.NoUpload })
	yes("no-server", "nobody may have to be trusted with a server", func(n *lab.Needs) *bool { return &n.NoServer })
	yes("outlive", "it must go on when the origin dies", func(n *lab.Needs) *bool { return &n.Outlive })
}

func (o *advice) bindPrices() {
	price := func(name, usage string, of func(*lab.Prices) *float64) {
		v := new(dollars)
		o.value(name, usage, v, func(s *lab.Scenario) {
			if s.Prices == (lab.Prices{}) { // one price given is no word on the others
				s.Prices = lab.DefaultPrices()
			}
			*of(&s.Prices) = float64(*v)
		})
	}
	price("egress-price", "dollars for a GB that leaves the origin", func(p *lab.Prices) *float64 { return &p.Egress })
	price("peer-price", "dollars for a GB that leaves a receiver", func(p *lab.Prices) *float64 { return &p.Peer })
	price("server-hour", "dollars for an hour of a server", func(p *lab.Prices) *float64 { return &p.Server })
	price("staff-hour", "dollars for an hour of staff", func(p *lab.Prices) *float64 { return &p.Staff })
}

func eachGroup(s *lab.Scenario, change func(*lab.Group)) {
	for i := range s.Receivers {
		change(&s.Receivers[i])
	}
}

// given tells whether any flag speaks of the case.
func (o *advice) given() bool {
	any := false
	o.flags.VisitAll(func(f *pflag.Flag) { any = any || f.Changed })
	return any
}

// scenario returns the case: a file or a shipped scenario, or the usual one, with the
// flags laid over it.
func (o *advice) scenario(args []string) (lab.Scenario, error) {
	s := usualCase()
	if len(args) > 0 {
		var err error
		if s, err = namedScenario(args[0]); err != nil {
			return s, err
		}
	}
	o.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			o.set[f.Name](&s)
		}
	})
	if err := s.Complete(); err != nil {
		return s, withHint("see how values are written: tandem advise --help", err)
	}
	return s, nil
}

// namedScenario reads a file, or what ships under that name.
func namedScenario(name string) (lab.Scenario, error) {
	text, err := scenarios.Read(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return lab.Scenario{}, withHint("see what ships with: tandem lab scenarios",
			fault.Wrap(fault.NotFound, fmt.Errorf("read scenario: %w", err)))
	}
	s, err := lab.Read(name, text)
	return s, withHint("correct the file; one that is right: tandem lab scenarios office-lan", err)
}

// The flags' values.

// spoken keeps the words in which a value was given, to say them again.
type spoken struct {
	pflag.Value
	text string
}

func (v *spoken) String() string { return v.text }
func (v *spoken) Set(text string) error {
	err := v.Value.Set(text)
	if err == nil {
		v.text = strings.TrimSpace(text)
	}
	return err
}

// tally is a number of something, at least 1.
type tally int

func (v *tally) String() string { return strconv.Itoa(int(*v)) }
func (v *tally) Type() string   { return "N" }
func (v *tally) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of 1 or more", text)
	}
	*v = tally(n)
	return nil
}

// linkRate is what a link carries: a rate that cannot be without limit.
type linkRate units.Rate

func (v *linkRate) String() string { return strconv.FormatInt(int64(*v), 10) }
func (v *linkRate) Type() string   { return "RATE" }
func (v *linkRate) Set(text string) error {
	r, err := units.ParseRate(text)
	if err == nil && r == 0 && !strings.HasPrefix(strings.TrimSpace(text), "0") {
		err = fmt.Errorf("a link has a rate: %q is none, such as 40Mbit is", text)
	}
	if err == nil {
		*v = linkRate(r)
	}
	return err
}

// probability is 0.999 or 99.9%.
type probability float64

func (v *probability) String() string { return strconv.FormatFloat(float64(*v), 'g', -1, 64) }
func (v *probability) Type() string   { return "SHARE" }
func (v *probability) Set(text string) error {
	digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	p, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if percent {
		p /= 100
	}
	if err != nil || !(p >= 0 && p < 1) {
		return fmt.Errorf("%q is no share from 0 to below 1, such as 0.999 or 99.9%%", text)
	}
	*v = probability(p)
	return nil
}

// dollars is a price.
type dollars float64

func (v *dollars) String() string { return strconv.FormatFloat(float64(*v), 'g', -1, 64) }
func (v *dollars) Type() string   { return "DOLLARS" }
func (v *dollars) Set(text string) error {
	p, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(text), "$"), 64)
	if err != nil || !(p >= 0 && p <= 1e6) {
		return fmt.Errorf("%q is no price in dollars, such as 0.09", text)
	}
	*v = dollars(p)
	return nil
}

// parsed is a value with its own words.
type parsed[T fmt.Stringer] struct {
	v     T
	parse func(string) (T, error)
	kind  string
}

func (p *parsed[T]) String() string { return p.v.String() }
func (p *parsed[T]) Type() string   { return p.kind }
func (p *parsed[T]) Set(text string) error {
	v, err := p.parse(text)
	if err == nil {
		p.v = v
	}
	return err
}
