package page

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

// Figures are one case's table.
type Figures struct {
	Head []string
	Rows [][]string
	Note string // sentences, in front of the table
}

// Add adds a row and shows it at once.
func (f *Figures) Add(cells ...string) {
	f.Rows = append(f.Rows, cells)
	fmt.Fprintln(os.Stderr, strings.Join(cells, " | "))
}

// Case is one thing to measure.
type Case struct {
	Name, Title, Target string
	// Run measures, and says which part of the machine was busy meanwhile.
	Run func(context.Context) (*Figures, float64, error)
}

// Main measures the cases whose name matches only, prints the table of each and, unless out is "",
// writes it there after each case, so that a later failure loses nothing. It ends the process.
func Main(only, out string, cases []Case) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, only, out, cases)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, only, out string, cases []Case) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var names []string
	sections := map[string]string{}
	started := time.Now()
	failed := 0
	for _, c := range cases {
		names = append(names, c.Name)
		if !match.MatchString(c.Name) || ctx.Err() != nil {
			continue
		}
		f, busy, err := c.Run(ctx)
		if err != nil { // the others are still worth measuring
			failed++
			fmt.Fprintf(os.Stderr, "%s: %v\n", c.Name, err)
			continue
		}
		sections[c.Name] = c.section(f, busy, started)
		fmt.Println(sections[c.Name])
		if out == "" {
			continue
		}
		if err := Write(out, names, sections); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d cases failed", failed)
	}
	return ctx.Err()
}

// section is the text of a case.
func (c Case) section(f *Figures, busy float64, started time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\nTarget: %s. %s Machine %.0f %% busy.", c.Title, c.Target, Measured(started), 100*busy)
	if f.Note != "" {
		b.WriteString(" " + f.Note)
	}
	fmt.Fprintf(&b, "\n\n| %s |\n|%s\n", strings.Join(f.Head, " | "), strings.Repeat("---|", len(f.Head)))
	for _, r := range f.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
	}
	return b.String()
}
