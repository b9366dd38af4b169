package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/internal/lab/real"
	"tandem/internal/lab/report"
	"tandem/internal/lab/sim"
)

// comparing is tandem compare.
type comparing struct {
	scenarioFlags
	worldFlags
	out string
}

// worldFlags say how real runs are made.
type worldFlags struct {
	shaping string
	work    string
}

func (f *worldFlags) bind(fl *pflag.FlagSet) {
	fl.StringVar(&f.shaping, "shaping", "", "`WAY` in which real links are limited: namespaces (root) or user-space (default what is permitted)")
	fl.StringVar(&f.work, "dir", "", "`DIR` for the copies of real runs while they go on (default the system's place for temporary files)")
}

// world makes the real one.
func (f *worldFlags) world(a *app) (real.World, error) {
	bin, err := os.Executable()
	if err != nil {
		return real.World{}, fmt.Errorf("find this program, to run it: %w", err)
	}
	w := real.World{Bin: bin, Dir: f.work}
	switch f.shaping {
	case "":
	case "namespaces":
		w.Shaping = real.Namespaces
	case "user-space":
		w.Shaping = real.UserSpace
	default:
		return w, usageError{fmt.Errorf("--shaping %q is neither namespaces nor user-space", f.shaping)}
	}
	if a.verbose {
		w.Log = a.stderr
	}
	return w, nil
}

func (a *app) compareCommand() *cobra.Command {
	f := comparing{}
	c := &cobra.Command{
		Use:   "compare [SCENARIO]",
		Short: "Compare client-server, peer-to-peer and both, on your case",
		Long: `Measures the network models on the same work: what theory allows, a simulation with
this program's own decisions, and real runs of this program over limited links. Prints
a table, says which model is the right one and what would change that, and writes a
report (report.html, results.json, CSV, SVG, PNG).

SCENARIO is a file, or the name of a shipped one (tandem lab scenarios). Flags override
it. Without one: 64 MiB to 10 receivers, an origin of 40 Mbit/s, receivers 20 up and
100 down. Ctrl-C keeps what was measured; a second one ends at once.`,
		Example: `  tandem compare                                       # the case above, about two minutes
  tandem compare classroom                             # a shipped scenario
  tandem compare --receivers 500 --size 2GiB --origin-up 200Mbit --up 10Mbit --down 50Mbit
  tandem compare --kill origin@50% --kill peers:30%@25%
  tandem compare my.toml --worlds bound,sim --out report`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.compare(c, args, &f) },
	}
	f.scenarioFlags.bind(c.Flags())
	f.worldFlags.bind(c.Flags())
	c.Flags().StringSliceVar(&f.worlds, "worlds", nil, "`LIST` of bound,sim,real (default all; real for up to 24 receivers)")
	c.Flags().StringVar(&f.out, "out", "tandem-report", "`DIR` to write the report to")
	return c
}

func (a *app) compare(c *cobra.Command, args []string, f *comparing) error {
	ctx := c.Context()
	s, err := f.scenario(c, args)
	if err != nil {
		return err
	}
	actual, err := f.worldFlags.world(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return withHint("choose another folder: --out DIR", fault.Wrap(fault.Permission, fmt.Errorf("make the report's folder: %w", err)))
	}
	notes, err := a.prepare(ctx, &s, actual)
	if err != nil {
		return err
	}
	meter := a.labMeter()
	began := time.Now()
	cmp, err := lab.Compare(ctx, s, map[lab.Place]lab.World{
		lab.InBound: bound.World{}, lab.InSim: sim.World{}, lab.InReal: actual,
	}, runtime.NumCPU(), meter.Event)
	meter.Close()
	if cmp == nil {
		return err
	}
	cmp.Notes = append(notes, cmp.Notes...)
	cmp.Command, cmp.Commit, cmp.Machine, cmp.At = commandLine(c, args), commit(), machine(), began.UTC()
	cmp.Verdict = lab.Recommend(cmp.Scenario, lab.Refine(cmp.Scenario, cmp.Results, bound.Estimate))
	return a.reported(ctx, f.out, cmp, err)
}

// prepare finds out how real runs will be made, when there are any. In user space what a
// program limits is content, so every world is told that content can use all of a link.
func (a *app) prepare(ctx context.Context, s *lab.Scenario, w real.World) (notes []string, err error) {
	runs, _ := lab.Plan(*s)
	if !slices.ContainsFunc(runs, func(r lab.Run) bool { return r.Place == lab.InReal }) {
		return nil, nil
	}
	how, err := w.Prepare(ctx, *s)
	if err != nil {
		hint := "do without: --worlds bound,sim"
		switch {
		case errors.Is(err, fault.Full):
			hint = "choose another place: --dir DIR; take less: --size, --receivers; or do without: --worlds bound,sim"
		case w.Shaping == real.Namespaces:
			hint = "let the program limit itself: --shaping user-space; or do without: --worlds bound,sim"
		}
		return nil, withHint(hint, fmt.Errorf("prepare real runs: %w", err))
	}
	if how != real.UserSpace {
		return nil, nil
	}
	s.Payload = 1
	note := "real links are limited by the program itself (user space), "
	switch {
	case w.Shaping == real.UserSpace:
		note += "as asked"
	case os.Geteuid() != 0:
		note += "since network namespaces need root"
	default:
		note += "since network namespaces cannot be made here"
	}
	if !a.json {
		fmt.Fprintln(a.stderr, note)
	}
	return []string{note + "; limits are of content, so all worlds count a link's whole rate"}, nil
}

// reportEvent ends a comparison.
type reportEvent struct {
	Event      string      `json:"event"` // report
	Dir        string      `json:"dir"`
	Files      []string    `json:"files"`
	Runs       int         `json:"runs"`
	Void       int         `json:"void"`
	Incomplete string      `json:"incomplete,omitempty"`
	Notes      []string    `json:"notes,omitempty"`
	Verdict    lab.Verdict `json:"verdict"`
}

// reported writes the report and prints the table. failed is what ended the comparison
// early, if anything: what there is by then is written all the same.
func (a *app) reported(ctx context.Context, dir string, cmp *lab.Comparison, failed error) error {
	files, err := report.Write(dir, cmp)
	if err != nil {
		return errors.Join(failed, fault.Wrap(fault.KindOf(err), fmt.Errorf("write the report: %w", err)))
	}
	if path, err := filepath.Abs(dir); err == nil {
		dir = path
	}
	if a.json {
		void := 0
		for _, r := range cmp.Results {
			if r.Void != "" {
				void++
			}
		}
		writeJSON(a.stdout, reportEvent{"report", dir, files, len(cmp.Results), void, cmp.Incomplete, cmp.Notes, cmp.Verdict})
	} else {
		width, colour := a.page()
		if err := report.Text(a.stdout, cmp, width, colour); err != nil {
			return errors.Join(failed, fmt.Errorf("print the table: %w", err))
		}
		fmt.Fprintln(a.stdout)
		for _, n := range cmp.Notes {
			fmt.Fprintln(a.stdout, "note: "+clean(n))
		}
		fmt.Fprintf(a.stdout, "The report: %s\n", filepath.Join(dir, "report.html"))
	}
	switch {
	case failed != nil:
		return failed
	case cmp.Incomplete != "" && ctx.Err() != nil:
		return withHint("what was measured is in "+dir+", marked incomplete; the whole of it: "+cmp.Command, context.Canceled)
	}
	return nil
}

// page is how wide standard output is, and whether it may have colour.
func (a *app) page() (width int, colour bool) {
	w := a.stdout
	if out, ok := w.(*output); ok {
		w = out.Writer
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 100, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 40 {
		width = 80
	}
	plain, _ := a.getenv("NO_COLOR")
	return width, plain == ""
}

// commandLine is what makes the comparison again: what was said about the scenario.
func commandLine(c *cobra.Command, args []string) string {
	words := []string{c.CommandPath()}
	words = append(words, args...)
	c.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "out", "json", "verbose", "config", "dir":
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values := list.GetSlice()
			if f.Value.Type() == "stringSlice" {
				values = []string{strings.Join(values, ",")}
			}
			for _, v := range values {
				words = append(words, "--"+f.Name, v)
			}
			return
		}
		words = append(words, "--"+f.Name, f.Value.String())
	})
	for i, w := range words[1:] {
		words[i+1] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	odd := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%,=+", r)
	}
	if s != "" && !strings.ContainsFunc(s, odd) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// commit is what this program was built from, when it was built from a repository.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}

// machine says what a comparison was made on.
func machine() string {
	m := fmt.Sprintf("%s %s/%s", plural(runtime.NumCPU(), "core"), runtime.GOOS, runtime.GOARCH)
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return m + ", " + strings.TrimSpace(value)
		}
	}
	return m
}
