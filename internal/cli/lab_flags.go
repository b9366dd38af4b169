package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/units"
	"tandem/scenarios"
)

// scenarioHint is for mistakes in a scenario's file.
const scenarioHint = "correct the file; how one is written: tandem lab scenarios office-lan"

// scenarioFlags lay over a scenario what was said on the command line.
type scenarioFlags struct {
	receivers, origins, repeats int
	size, piece                 units.Size
	originUp, up, down          netRate
	arrivals, stay              string
	kills, models, worlds       []string
	seed                        uint64
}

// netRate is the rate of a link: unlike a limit it cannot be unlimited.
type netRate struct{ units.Rate }

// Set implements pflag.Value.
func (r *netRate) Set(s string) error {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "off", "unlimited":
		return fmt.Errorf("rate %q: a link has one, such as 40Mbit, 5MB or 512KiB", s)
	}
	return r.Rate.Set(s)
}

// String implements pflag.Value: no default is shown.
func (r *netRate) String() string {
	if r.Rate == 0 {
		return ""
	}
	return r.Rate.String()
}

// bind adds the flags that every command with a scenario has.
func (f *scenarioFlags) bind(fl *pflag.FlagSet) {
	fl.IntVar(&f.receivers, "receivers", 0, "`N` receivers; a file's groups keep their proportions")
	fl.Var((*plainSize)(&f.size), "size", "size of what everybody wants, such as 64MiB")
	fl.Var(&f.originUp, "origin-up", "the origin's upload, such as 40Mbit or 5MB (each a second)")
	fl.Var(&f.up, "up", "each receiver's upload; 0: gives nothing")
	fl.Var(&f.down, "down", "each receiver's download")
	fl.StringVar(&f.arrivals, "arrivals", "", "`WHEN` they start: flash (all at once) or poisson:RATE (arrivals a second)")
	fl.StringVar(&f.stay, "stay", "", "`TIME` a receiver serves when it has everything: leave (none), end (until all have it) or 10m")
	fl.StringArrayVar(&f.kills, "kill", nil, "`WHO@WHEN` to kill: origin@50%, or some of the peers, peers:30%@50%, when that share of all bytes has come; may be repeated")
	fl.StringSliceVar(&f.models, "models", nil, "`LIST` of client-server,peer-to-peer,hybrid (default all)")
	fl.IntVar(&f.origins, "origins", 0, "`N` origins with the same link (default 1)")
	fl.Var((*plainSize)(&f.piece), "piece-size", "size of a piece (default the product's own rule)")
	fl.IntVar(&f.repeats, "repeats", 0, "`N` times each run is made (default 3; 1 above 100,000 receivers)")
	fl.Uint64Var(&f.seed, "seed", 0, "`NUMBER` that chance begins with: the same one gives the same simulation (default 1)")
}

// plainSize is a size whose zero is not shown as a default.
type plainSize units.Size

// Set implements pflag.Value.
func (s *plainSize) Set(text string) error { return (*units.Size)(s).Set(text) }

// Type implements pflag.Value.
func (s *plainSize) Type() string { return "SIZE" }

// String implements pflag.Value: in the largest unit that fits whole.
func (s *plainSize) String() string {
	n := int64(*s)
	switch {
	case n == 0:
		return ""
	case n%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", n>>30)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	case n%1e6 == 0:
		return fmt.Sprintf("%dMB", n/1e6)
	}
	return units.Size(n).String()
}

// defaultScenario is what is compared when nothing is said.
func defaultScenario() lab.Scenario {
	return lab.Scenario{
		Name: "ten receivers", About: "One file for ten receivers behind links of homes, from an origin that is not much faster than one of them.",
		Size:      64 << 20,
		Origin:    lab.Origin{Up: 5e6},
		Receivers: []lab.Group{{Count: 10, Up: 2.5e6, Down: 12.5e6}},
	}
}

// scenario reads the scenario that args name, if any, lays the flags over it and
// completes it.
func (f *scenarioFlags) scenario(c *cobra.Command, args []string) (lab.Scenario, error) {
	s := defaultScenario()
	if len(args) == 1 {
		var err error
		if s, err = readScenario(args[0]); err != nil {
			return s, err
		}
	}
	if err := f.lay(&s, c.Flags()); err != nil {
		return s, usageError{err}
	}
	if err := s.Complete(); err != nil {
		if len(args) == 0 {
			return s, usageError{err}
		}
		return s, withHint(scenarioHint, fault.Wrap(fault.Invalid, fmt.Errorf("scenario %s: %w", args[0], err)))
	}
	return s, hopeless(&s)
}

// readScenario reads a file, or a shipped scenario by its name.
func readScenario(name string) (lab.Scenario, error) {
	text, err := scenarios.Read(name)
	if st, absent := os.Stat(name); err != nil || absent == nil && st.Mode().IsRegular() {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		kind := fault.NotFound
		if !errors.Is(err, fs.ErrNotExist) {
			kind = fault.Permission
		}
		return lab.Scenario{}, withHint("give the path of a scenario, or one of: "+strings.Join(scenarios.Names(), ", "),
			fault.Wrap(kind, fmt.Errorf("read scenario: %w", err)))
	}
	s, err := lab.Read(name, text)
	return s, withHint(scenarioHint, err)
}

// lay puts the flags that were given over the scenario.
func (f *scenarioFlags) lay(s *lab.Scenario, fl *pflag.FlagSet) error {
	for _, n := range []struct {
		flag string
		v    int64
	}{
		{"receivers", int64(f.receivers)},
		{"origins", int64(f.origins)},
		{"repeats", int64(f.repeats)},
		{"size", int64(f.size)},
		{"piece-size", int64(f.piece)},
		{"origin-up", int64(f.originUp.Rate)},
		{"down", int64(f.down.Rate)},
		{"seed", int64(min(f.seed, math.MaxInt64))},
	} {
		if fl.Changed(n.flag) && n.v <= 0 {
			return fmt.Errorf("--%s %d: more than nothing is needed", n.flag, n.v)
		}
	}
	set := func(flag string, to func()) {
		if fl.Changed(flag) {
			to()
		}
	}
	set("receivers", func() { *s = s.WithReceivers(f.receivers) })
	set("origins", func() { s.Origin.Count = f.origins })
	set("repeats", func() { s.Repeats = f.repeats })
	set("size", func() { s.Size = f.size })
	set("piece-size", func() { s.Piece = f.piece })
	set("seed", func() { s.Seed = f.seed })
	set("origin-up", func() { s.Origin.Up = f.originUp.Rate })
	for i := range s.Receivers {
		set("up", func() { s.Receivers[i].Up = f.up.Rate })
		set("down", func() { s.Receivers[i].Down = f.down.Rate })
	}
	return f.layWords(s, fl)
}

// layWords lays over what is spelled in a way of its own.
func (f *scenarioFlags) layWords(s *lab.Scenario, fl *pflag.FlagSet) (err error) {
	if fl.Changed("arrivals") {
		if s.Arrivals, err = lab.ParseArrivals(f.arrivals); err != nil {
			return fmt.Errorf("--arrivals: %w", err)
		}
	}
	if fl.Changed("stay") {
		if s.Stay, err = lab.ParseStay(f.stay); err != nil {
			return fmt.Errorf("--stay: %w", err)
		}
	}
	if fl.Changed("kill") {
		s.Kills = nil
		for _, text := range f.kills {
			k, err := lab.ParseKill(text)
			if err != nil {
				return fmt.Errorf("--kill: %w", err)
			}
			s.Kills = append(s.Kills, k)
		}
		slices.SortStableFunc(s.Kills, func(a, b lab.Kill) int { return cmp.Compare(a.At, b.At) })
	}
	if fl.Changed("models") {
		if s.Models, err = among("models", f.models, lab.Models()); err != nil {
			return err
		}
	}
	if fl.Changed("worlds") {
		s.Worlds, err = among("worlds", f.worlds, lab.Places())
	}
	return err
}

// among takes what was named out of all, in the order of all.
func among[T ~string](flag string, named []string, all []T) (chosen []T, err error) {
	want := map[T]bool{}
	for _, n := range named {
		want[T(strings.TrimSpace(n))] = true
	}
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = string(one)
		if want[one] {
			chosen = append(chosen, one)
			delete(want, one)
		}
	}
	for stranger := range want {
		return nil, fmt.Errorf("--%s: %q is none of %s", flag, string(stranger), strings.Join(names, ", "))
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--%s names none of %s", flag, strings.Join(names, ", "))
	}
	return chosen, nil
}

// hopeless refuses a scenario that no model can finish.
func hopeless(s *lab.Scenario) error {
	var why []string
	for _, m := range s.Models {
		w := s.Hopeless(m)
		if w == "" {
			return nil
		}
		why = append(why, fmt.Sprintf("%s: %s", m, w))
	}
	return withHint("change what stands in the way: --origin-up, --down, --up, --kill or --stay",
		fault.Errorf(fault.Invalid, "nobody can finish this scenario: %s", strings.Join(why, "; ")))
}
