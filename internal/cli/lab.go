package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/internal/lab/sim"
	"tandem/internal/units"
	"tandem/scenarios"
)

func (a *app) labCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Run a scenario in one world, or list the shipped ones",
		Long: `The parts of tandem compare, one at a time: what theory allows (bound), the simulation
(sim), or real runs of this program over limited links (real).`,
		Example: `  tandem lab scenarios
  tandem lab bound classroom
  tandem lab sim classroom --receivers 1000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		a.worldCommand(lab.InBound, "What theory allows: the best possible, in closed form",
			`  tandem lab bound office-lan
  tandem lab bound my.toml --receivers 1000 --json`),
		a.worldCommand(lab.InSim, "Simulate it, piece by piece, with this program's own decisions",
			`  tandem lab sim release
  tandem lab sim my.toml --models hybrid --seed 7 --repeats 1`),
		a.worldCommand(lab.InReal, "Run this program over limited links, up to 24 receivers",
			`  tandem lab real classroom --receivers 6 --repeats 1
  sudo tandem lab real my.toml        # with network namespaces`),
		a.scenariosCommand(),
	)
	return c
}

// worldCommand runs a scenario as it stands in one world.
func (a *app) worldCommand(place lab.Place, short, example string) *cobra.Command {
	var f comparing
	c := &cobra.Command{
		Use:   string(place) + " SCENARIO",
		Short: short,
		Long: short + `.

SCENARIO is a file, or the name of a shipped one (tandem lab scenarios). Flags override
it. Prints what came of it for each model; --json prints each result whole.`,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.oneWorld(c, args, place, &f) },
	}
	f.scenarioFlags.bind(c.Flags())
	if place == lab.InReal {
		f.worldFlags.bind(c.Flags())
	}
	return c
}

func (a *app) oneWorld(c *cobra.Command, args []string, place lab.Place, f *comparing) error {
	ctx := c.Context()
	s, err := f.scenario(c, args)
	if err != nil {
		return err
	}
	s.Worlds = []lab.Place{place}
	world, err := a.oneWorldOf(ctx, place, &s, f)
	if err != nil {
		return err
	}
	runs, notes := lab.Plan(s)
	runs = slices.DeleteFunc(runs, func(r lab.Run) bool { return r.Purpose != lab.Main || r.Place != place })
	if len(runs) == 0 {
		return withHint("simulate it: tandem lab sim "+shellWord(args[0]),
			fault.Errorf(fault.Invalid, "nothing to run: %s", strings.Join(notes, "; ")))
	}
	meter := a.labMeter()
	results, err := runAll(ctx, world, runs, place != lab.InReal, meter.Event)
	meter.Close()
	a.printResults(results)
	if err != nil && ctx.Err() != nil {
		return context.Canceled
	}
	return err
}

// oneWorldOf makes the world, which may change what of a link content can use.
func (a *app) oneWorldOf(ctx context.Context, place lab.Place, s *lab.Scenario, f *comparing) (lab.World, error) {
	switch place {
	case lab.InBound:
		return bound.World{}, nil
	case lab.InSim:
		return sim.World{}, nil
	}
	w, err := f.worldFlags.world(a)
	if err != nil {
		return nil, err
	}
	_, err = a.prepare(ctx, s, w)
	return w, err
}

// runAll makes the runs, side by side where that does not change what comes of them,
// and returns what there is in their order, also when one fails or ctx ends.
func runAll(ctx context.Context, w lab.World, runs []lab.Run, together bool, watch func(lab.Event)) ([]*lab.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := 1
	if together {
		workers = min(runtime.NumCPU(), len(runs))
	}
	type ended struct {
		i   int
		r   *lab.Result
		err error
	}
	next, events, done := make(chan int), make(chan lab.Event), make(chan ended)
	for range workers {
		go func() {
			for i := range next {
				run := runs[i]
				run.Progress = func(share float64, what string) { events <- lab.Event{Run: runs[i], Share: share, What: what} }
				r, err := w.Run(ctx, run)
				done <- ended{i, r, err}
			}
		}()
	}
	results, errs := make([]*lab.Result, len(runs)), []error(nil)
	begun, finished := 0, 0
	for finished < begun || begun < len(runs) && ctx.Err() == nil {
		give := next
		if begun == len(runs) || ctx.Err() != nil {
			give = nil
		}
		select {
		case give <- begun:
			begun++
		case e := <-events:
			e.Done, e.Total = finished, len(runs)
			watch(e)
		case e := <-done:
			finished++
			if e.err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", runs[e.i], e.err))
				cancel()
				continue
			}
			results[e.i] = e.r
			watch(lab.Event{Run: runs[e.i], Done: finished, Total: len(runs), Share: 1, Result: e.r})
		}
	}
	close(next)
	return slices.DeleteFunc(results, func(r *lab.Result) bool { return r == nil }), errors.Join(errs...)
}

// resultEvent is one run's result, whole.
type resultEvent struct {
	Event  string      `json:"event"` // result
	Result *lab.Result `json:"result"`
}

// printResults prints a line for each, and what is to be known besides below.
func (a *app) printResults(results []*lab.Result) {
	if a.json {
		for _, r := range results {
			writeJSON(a.stdout, resultEvent{"result", r})
		}
		return
	}
	if len(results) == 0 {
		return
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	line := resultLine
	if results[0].Bound != nil {
		line = boundLine
		fmt.Fprintln(w, "MODEL\tLAST\tWITHOUT HEADERS\tBY\tWHY\tARRIVALS/S\tPEERS GIVE")
	} else {
		fmt.Fprintln(w, "MODEL\tREPEAT\tFINISHED\tLAST\tMEDIAN\tP99\tFROM ORIGIN\tFROM PEERS\tWASTED")
	}
	for _, r := range results {
		fmt.Fprintln(w, line(r))
	}
	_ = w.Flush() // a reader that went away is the shell's to report
	said := map[string]bool{}
	for _, r := range results {
		for _, note := range remarks(r) {
			if !said[note] {
				said[note] = true
				fmt.Fprintln(a.stdout, clean(note))
			}
		}
	}
}

// remarks is what to know about a result besides its figures.
func remarks(r *lab.Result) (all []string) {
	if r.Void != "" {
		all = append(all, fmt.Sprintf("VOID %s, repeat %d: %s", r.Run.Model, r.Run.Repeat, r.Void))
	}
	if r.Incomplete != "" {
		all = append(all, fmt.Sprintf("%s: %s", r.Run.Model, r.Incomplete))
	}
	for _, n := range r.Notes {
		all = append(all, "note: "+n)
	}
	return all
}

func resultLine(r *lab.Result) string {
	last, median, p99 := lasted(r.Last), lasted(r.Median), lasted(r.P99)
	if r.Done == 0 {
		last, median, p99 = "-", "-", "-"
	}
	if r.Void != "" {
		last, median, p99 = "void", "void", "void"
	}
	return fmt.Sprintf("%s\t%d\t%d of %d\t%s\t%s\t%s\t%s\t%s\t%s", r.Run.Model, r.Run.Repeat, r.Done, r.N, last, median, p99,
		units.Bytes(r.FromOrigin), units.Bytes(r.FromPeers), units.Bytes(r.Wasted))
}

func boundLine(r *lab.Result) string {
	b := r.Bound
	stable := "no limit"
	if b.Stable < math.MaxFloat64 {
		stable = fmt.Sprintf("%.3g", b.Stable)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%.0f %%", r.Run.Model, lasted(b.Last), lasted(b.Raw), b.Name, b.Why, stable, 100*b.Offload)
}

// scenarioLine is a shipped scenario in the list.
type scenarioLine struct {
	Event     string     `json:"event"` // scenario
	Name      string     `json:"name"`
	Title     string     `json:"title"`
	Use       string     `json:"use"`
	Receivers int        `json:"receivers"`
	Size      units.Size `json:"size"`
}

func (a *app) scenariosCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scenarios [NAME]",
		Short: "List the shipped scenarios, or print one",
		Long: `Lists the scenarios that come with tandem, or prints the file of one: a start for
your own.`,
		Example: `  tandem lab scenarios
  tandem lab scenarios classroom >my.toml && tandem compare my.toml`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(scenarios.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.printScenario(args[0])
			}
			return a.listScenarios()
		},
	}
}

func (a *app) printScenario(name string) error {
	text, err := scenarios.Read(name)
	if err != nil {
		return withHint("list them: tandem lab scenarios",
			fault.Errorf(fault.NotFound, "no scenario %q comes with tandem", name))
	}
	_, err = a.stdout.Write(text)
	return err
}

func (a *app) listScenarios() error {
	w := bufio.NewWriter(a.stdout)
	defer w.Flush()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range scenarios.Names() {
		text, err := scenarios.Read(name)
		if err != nil {
			return err
		}
		s, err := lab.Read(name, text)
		if err != nil {
			return err
		}
		if a.json {
			writeJSON(w, scenarioLine{"scenario", name, s.Name, s.Use, s.N(), s.Size})
			continue
		}
		fmt.Fprintf(t, "%s\t%s to %s\t%s\n", name, units.Bytes(int64(s.Size)), plural(s.N(), "receiver"), s.Use)
	}
	return t.Flush()
}
