package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/internal/lab/sim"
)

func (a *app) adviseCommand() *cobra.Command {
	o := &advice{}
	c := &cobra.Command{
		Use:   "advise [SCENARIO.toml|NAME]",
		Short: "Name the network for your case: a server, peers or both",
		Long: `advise says which network brings your content to your receivers: client-server,
peer-to-peer or the hybrid of both; how long it takes, what it costs, by how much it
is better, and which single change would make another one right. "client-server is
enough" is among the answers.

Without flags it asks. With some, what is not said is the usual case: 10 receivers of
64MiB, an origin with 40Mbit of upload, receivers with 20Mbit up and 100Mbit down that
start at once and leave when they have it, prices of a large cloud, no limits.

Of the models that keep within the limits the cheapest is taken, for operator and
receivers together; of those that cost the same (within 5 % or a dollar) the fastest;
of those as fast (within 5 % or a second) the simplest. Times are simulated, unless
there are very many receivers or with --quick.`,
		Example: `  tandem advise                                   # asks
  tandem advise --receivers 40 --size 700MB --origin-up 100Mbit
  tandem advise --receivers 500 --deadline 1h --revocation 48h --egress-price 0.01
  tandem advise office-lan --no-upload            # a shipped scenario, changed
  tandem advise my.toml --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !o.given() {
				if err := a.interview(c.Context(), o); err != nil {
					return err
				}
			}
			return a.advise(c.Context(), o, args)
		},
	}
	o.bind(c)
	return c
}

func (a *app) advise(ctx context.Context, o *advice, args []string) error {
	s, err := o.scenario(args)
	if err != nil {
		return err
	}
	estimate, note, err := a.estimates(ctx, o, s)
	if err != nil {
		return err
	}
	w := advised{s: s, verdict: lab.Recommend(s, estimate), case_: o.words(args), note: note}
	if a.json {
		writeJSON(a.stdout, w.event())
		return nil
	}
	w.print(a.stdout, a.bold)
	return nil
}

// Simulating more would take longer than people wait for an answer.
const (
	mostAdvised   = 2000    // receivers
	mostTransfers = 100_000 // pieces times receivers

	longestAdvised = 15 * time.Second
)

// estimates returns what models are judged by: theory, or theory in proportion to a
// simulation of s; and a note on why it is theory alone.
func (a *app) estimates(ctx context.Context, o *advice, s lab.Scenario) (func(lab.Scenario) []lab.Estimate, string, error) {
	pieces := (int64(s.Size) + int64(s.Piece) - 1) / int64(s.Piece)
	switch n := s.N(); {
	case o.quick:
		return bound.Estimate, "by formula: --quick", nil
	case n > mostAdvised || int64(n)*pieces > mostTransfers:
		return bound.Estimate, fmt.Sprintf("by formula, since %d receivers of %d pieces take long to simulate; tandem compare does", n, pieces), nil
	}
	if a.terminal && !a.json {
		fmt.Fprint(a.stderr, "simulating ...")
		defer fmt.Fprint(a.stderr, "\r\x1b[K")
	}
	short, cancel := context.WithTimeout(ctx, longestAdvised)
	defer cancel()
	results, err := simulate(short, s)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return bound.Estimate, fmt.Sprintf("by formula, since the simulation takes longer than %s; tandem compare waits for it", longestAdvised), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("advise: %w", err)
	}
	return lab.Refine(s, results, bound.Estimate), "", nil
}

// simulate makes the runs that a verdict rests on: the scenario itself, and where that
// matters the death of its origin after one copy.
func simulate(ctx context.Context, s lab.Scenario) ([]*lab.Result, error) {
	once := s.Clone()
	once.Worlds, once.Repeats = []lab.Place{lab.InSim}, 1
	runs, _ := lab.Plan(once)
	runs = slices.DeleteFunc(runs, func(r lab.Run) bool {
		survival := s.Needs.Outlive && r.Purpose == lab.Survival && r.Label == lab.LabelOneCopy && r.Model != lab.ClientServer
		return r.Purpose != lab.Main && !survival
	})
	results := make([]*lab.Result, len(runs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range runs {
		g.Go(func() (err error) {
			results[i], err = sim.World{}.Run(ctx, r)
			return err
		})
	}
	return results, g.Wait()
}
