package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/scenarios"
)

// told returns what a command line says.
func told(t interface {
	Helper()
	Fatal(...any)
}, args ...string,
) (*advice, []string) {
	t.Helper()
	o := &advice{}
	c := &cobra.Command{Use: "advise"}
	o.bind(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return o, c.Flags().Args()
}

func TestAdvise(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want lab.Model
	}{
		{"ten on good links help each other", []string{"--receivers", "10"}, lab.PeerToPeer},
		{"client-server is enough where nobody can take more", []string{"--receivers", "2", "--down", "10Mbit"}, lab.ClientServer},
		{"client-server is enough for what is small", []string{"--size", "200KiB"}, lab.ClientServer},
		{"who may not upload needs a server", []string{"--no-upload"}, lab.ClientServer},
		{"a crowd under rules takes the hybrid", []string{"--receivers", "500", "--deadline", "1h", "--revocation", "48h"}, lab.Hybrid},
		{"a record of everything that outlives its server there is not", []string{"--audit", "--outlive"}, ""},
		{"a shipped scenario with another need", []string{"office-lan", "--no-upload"}, lab.ClientServer},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t, append([]string{"advise", "--quick", "--json"}, c.args...)...)
			var e adviceEvent
			if err := json.Unmarshal([]byte(out), &e); err != nil || code != exitOK || errs != "" {
				t.Fatalf("exit %d, stdout %q (%v), stderr %q", code, out, err, errs)
			}
			if e.Event != "advice" || e.Model != c.want || e.Why == "" || len(e.Next) == 0 || len(e.Others)+min(1, len(e.Model)) != 3 {
				t.Fatalf("%+v, want %s", e, c.want)
			}
		})
	}
}

func TestAdviceIsReadable(t *testing.T) {
	code, out, errs := run(t, "advise", "--receivers", "4", "--size", "8MiB", "--deadline", "1h")
	if code != exitOK || errs != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	for _, want := range []string{
		"peer-to-peer: everybody has it after", "MODEL ", "client-server ", "hybrid ", "simulated", "margin:  ", "flip:    ",
		"tandem advise --deadline 1h --receivers 4 --size 8MiB --", "next:    tandem compare --receivers 4 --size 8MiB\n", "tandem share PATH",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
}

func TestMistakesInACase(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nobody to ask", nil, "tandem advise --receivers 40"},
		{"no receivers", []string{"--receivers", "0"}, "1 or more"},
		{"a link without limit", []string{"--up", "unlimited"}, "a link has a rate"},
		{"certainty", []string{"--availability", "100%"}, "such as 0.999"},
		{"a price that is none", []string{"--egress-price", "cheap"}, "such as 0.09"},
		{"no size", []string{"--size", "0"}, "size"},
		{"an origin that sends nothing", []string{"--origin-up", "0"}, "origin"},
		{"a time that is none", []string{"--deadline", "soon"}, "soon"},
		{"a scenario that is not there", []string{"no-such.toml"}, "tandem lab scenarios"},
		{"two scenarios", []string{"office-lan", "classroom"}, "takes [SCENARIO"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t, append([]string{"advise"}, c.args...)...)
			if code == exitOK || out != "" || !strings.HasPrefix(errs, "error: ") || !strings.Contains(errs, c.want) || !strings.Contains(errs, "\nhint: ") {
				t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		name, answers string
		says          string
		err           error
		want          string // what it comes to, as flags
	}{
		{
			"Enter takes the usual", strings.Repeat("\n", 15), "How many want it?", nil,
			"--down 100Mbit --egress-price 0.09 --origin-up 40Mbit --receivers 10 --size 64MiB --staff-hour 0 --stay leave --up 20Mbit",
		},
		{
			"answers are asked for again", "many\n25\n1GiB\n\n\n\nend\n2h\n99%\n1m\nperhaps\ny\nno\nno\nyes\n$0.01\n60\n", "  \"many\" is no number", nil,
			"--audit --availability 99% --deadline 2h --down 100Mbit --egress-price $0.01 --no-server --no-upload --origin-up 40Mbit --outlive --receivers 25 --revocation 1m --size 1GiB --staff-hour 60 --stay end --up 20Mbit",
		},
		{"answers that end", "3\n1GiB\n", "", usageError{}, ""},
		{"three times no answer", "a\nb\nc\nd\n", "", usageError{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, _ := told(t)
			var out bytes.Buffer
			err := interview(t.Context(), o, strings.NewReader(c.answers), &out)
			if c.err != nil {
				if !errors.As(err, new(usageError)) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || !strings.Contains(out.String(), c.says) {
				t.Fatalf("%v, printed %q", err, out.String())
			}
			got := strings.ReplaceAll(strings.TrimPrefix(o.words(nil).command("advise", "", nil), "tandem advise "), "'", "")
			if got != c.want {
				t.Errorf("comes to %s\nwant     %s", got, c.want)
			}
		})
	}
}

func TestAnInterruptEndsTheQuestions(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, _ := told(t)
	if err := interview(ctx, o, strings.NewReader(""), new(bytes.Buffer)); err == nil {
		t.Fatal("goes on")
	}
}

// Every flip that is printed holds when it is typed.
func TestTheFlipThatIsPrintedHolds(t *testing.T) {
	verdict := func(args []string) lab.Verdict {
		o, named := told(t, args...)
		s, err := o.scenario(named)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return lab.Recommend(s, bound.Estimate)
	}
	draw := rand.New(rand.NewPCG(5, 6)) // cases are printed
	flips := 0
	for range 12 {
		var args []string
		for _, any := range [][]string{
			{"", "office-lan", "software-release", "home-links", "rare-archive"},
			{"", "--receivers 1", "--receivers 3", "--receivers 700"},
			{"", "--size 300KiB", "--size 1.5GB"},
			{"", "--origin-up 3Mbit", "--origin-up 1Gbit"},
			{"", "--up 0", "--up 512KiB", "--up 100Mbit"},
			{"", "--down 2Mbit", "--down 1Gbit"},
			{"", "--stay end", "--stay 10m"},
			{"", "--deadline 10m", "--deadline 36h"},
			{"", "--revocation 48h", "--availability 99.7%", "--no-upload", "--no-server", "--outlive"},
			{"", "--egress-price 0", "--staff-hour 80", "--peer-price 0.05"},
		} {
			args = append(args, strings.Fields(any[draw.IntN(len(any))])...)
		}
		v := verdict(args)
		if v.Flip == nil || v.Flip.Flag == "" {
			continue
		}
		flips++
		if after := verdict(append(args, strings.Fields(v.Flip.Flag)...)); after.Model != v.Flip.Model || after.Model == v.Model {
			t.Errorf("%q: %s; with %s it is said to be %q, and is %q", args, v.Model, v.Flip.Flag, v.Flip.Model, after.Model)
		}
	}
	if flips < 5 {
		t.Errorf("only %d cases of 12 can be flipped by a flag", flips)
	}
}

// What the table counts is typed: those commands must be there.
func TestCountedCommandsAreThere(t *testing.T) {
	root := (&app{getenv: noEnv}).root()
	for _, name := range lab.Commands() {
		c, rest, err := root.Find(strings.Fields(name))
		if err != nil || len(rest) > 0 || c.CommandPath() != "tandem "+name {
			t.Errorf("tandem %s: %v, %v left", name, err, rest)
		}
	}
	for _, flag := range []string{"get --via", "get --keep-seeding", "serve --database", "share --server", "share --to"} {
		name, f, _ := strings.Cut(flag, " --")
		if c, _, err := root.Find([]string{name}); err != nil || c.Flags().Lookup(f) == nil {
			t.Errorf("tandem %s has no --%s", name, f)
		}
	}
}

func TestShippedScenariosHaveTheVerdictsOfTheTable(t *testing.T) {
	table := lab.NewTable(lab.Scenario{}, nil)
	named := map[lab.Model]string{}
	for m, figures := range table.Rows[len(table.Rows)-1].Cells {
		for _, f := range figures {
			if f.Label == "shipped scenarios" {
				named[m] = f.Text
			}
		}
	}
	for _, name := range scenarios.Names() {
		s, err := namedScenario(name)
		if err == nil {
			err = s.Complete()
		}
		if err != nil {
			t.Fatal(err)
		}
		v := lab.Recommend(s, bound.Estimate)
		if !slices.Contains(strings.Split(named[v.Model], ", "), name) {
			t.Errorf("%s gets %q (%s), and the table has %q there", name, v.Model, v.Why, named[v.Model])
		}
	}
	if _, err := namedScenario("../README"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("what is no scenario: %v", err)
	}
}
