// Command lab measures the lab: how fast it simulates, how well it predicts what the
// real binary does on shaped links, and whether it gives the results that books give. It
// writes the figures to docs/benchmarks.md, or with -comparison the tables and claims of
// docs/comparison.md. Predictions need root; make bench-lab runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"tandem/internal/lab"
	"tandem/internal/lab/sim"
	"tandem/test/bench/page"
)

var (
	bin        = flag.String("tandem", "bin/tandem", "the binary to measure")
	only       = flag.String("only", ".", "cases, or with -comparison commands, whose name matches")
	out        = flag.String("out", "", "write the figures here as well, after each case")
	tmp        = flag.String("tmp", "/dev/shm", "memory-backed folder")
	runs       = flag.Int("runs", 3, "real runs of each prediction")
	sets       = flag.String("sets", ".", "of the predictions, only those whose name matches")
	most       = flag.Int("most", 1_000_000, "receivers of the largest simulation")
	comparison = flag.String("comparison", "", "write the tables and claims of this page instead")
	measured   = flag.Bool("real", true, "with -comparison, measure as well (root, some ten minutes)")
	child      = flag.Int("child", 0, "simulate so many receivers and print what it took (used by the first case)")
)

func main() {
	flag.Parse()
	if *child > 0 {
		exit(million(*child))
	}
	path, err := filepath.Abs(*bin)
	if err != nil {
		exit(err)
	}
	*bin = path
	if *comparison != "" {
		exit(compareAll(context.Background(), *comparison))
	}
	page.Main(*only, *out, []page.Case{
		{
			Name: "lab-million", Title: "A flash crowd of a million receivers, one core",
			Target: "1,000,000 receivers x 64 pieces in < 120 s and < 8 GiB; cost per transfer within 5x from 10^3 to 10^6", Run: loaded(millions),
		},
		{
			Name: "lab-prediction", Title: "What the simulator predicts, and what the real binary does",
			Target: "median error <= 10 %, worst <= 20 %, of the median and the last finisher", Run: loaded(predict),
		},
		{
			Name: "lab-classics", Title: "What books say",
			Target: "linear for client-server, F/u for peer-to-peer, the crossover at u_s/d_min, no win at equal capacity, the missing-piece limit", Run: loaded(classics),
		},
	})
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// loaded measures the machine's load beside a case.
func loaded(run func(context.Context) (*page.Figures, error)) func(context.Context) (*page.Figures, float64, error) {
	return func(ctx context.Context) (*page.Figures, float64, error) {
		load := page.StartLoad()
		f, err := run(ctx)
		return f, load.Stop(), err
	}
}

// mbit is 1 Mbit/s in bytes per second.
const mbit = 1e6 / 8

// scene is a complete scenario.
func scene(s lab.Scenario) lab.Scenario {
	if err := s.Complete(); err != nil {
		exit(err) // a mistake in this program
	}
	return s
}

// simulate makes one run.
func simulate(ctx context.Context, s lab.Scenario, m lab.Model, seed uint64) (*lab.Result, error) {
	r, err := sim.World{}.Run(ctx, lab.Run{Purpose: lab.Main, Place: lab.InSim, Model: m, Scenario: s, Seed: seed})
	if err != nil {
		return nil, fmt.Errorf("simulate %s, %d receivers: %w", m, s.N(), err)
	}
	return r, nil
}
