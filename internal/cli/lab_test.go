package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/lab"
	"tandem/scenarios"
)

func TestMistakesAboutAScenario(t *testing.T) {
	for _, c := range []struct {
		name string
		args string
		want string
	}{
		{"no receivers", "compare --receivers 0", "--receivers 0"},
		{"fewer than none", "compare --receivers=-3", "--receivers -3"},
		{"nothing to fetch", "compare --size 0", "--size 0"},
		{"a size of no unit", "compare --size 5parsecs", "parsecs"},
		{"no origin", "compare --origins 0", "--origins 0"},
		{"an origin without a link", "compare --origin-up 0", "--origin-up 0"},
		{"a download of nothing", "compare --down 0B", "--down 0"},
		{"a link that is unlimited", "compare --up unlimited", "a link has one"},
		{"a negative rate", "compare --up=-1MB", "--up"},
		{"an absurd rate", "compare --origin-up 99999999999GB", "--origin-up"},
		{"absurdly many receivers", "compare --receivers 2000000000", "receivers"},
		{"a seed that means the default", "compare --seed 0", "--seed 0"},
		{"no repeats", "compare --repeats 0", "--repeats 0"},
		{"a piece of an odd size", "compare --piece-size 3", "piece"},
		{"arrivals of no kind", "compare --arrivals tide", "tide"},
		{"arrivals without a rate", "compare --arrivals poisson:0", "--arrivals"},
		{"a stay of no kind", "compare --stay forever-ish", "--stay"},
		{"somebody unknown is killed", "compare --kill sun@50%", "origin@50%"},
		{"a kill at no time", "compare --kill origin", "--kill"},
		{"an unknown model", "compare --models pigeon", "client-server, peer-to-peer, hybrid"},
		{"no models", "compare --models=", "--models names none"},
		{"an unknown world", "compare --worlds dream", "bound, sim, real"},
		{"an unknown way to shape", "compare --shaping clay", "namespaces"},
		{"two scenarios", "compare a b", "takes [SCENARIO"},
		{"no scenario for one world", "lab sim", "lab sim needs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, out, errs := run(t, strings.Fields(c.args)...)
			if code != exitUsage || out != "" || !strings.Contains(errs, c.want) || !strings.Contains(errs, "\nhint: ") {
				t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errs)
			}
			if _, err := os.Stat("tandem-report"); err == nil {
				t.Error("a report was begun")
			}
		})
	}
}

func TestScenariosThatCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text, want string
	}{
		{"an unknown key", "size = \"1MiB\"\n[origin]\nupp = \"3MB\"\n", `bad.toml:3:1: unknown key "origin.upp"`},
		{"a unit that there is not", "size = \"1 furlong\"\n", "bad.toml:1:"},
		{"no TOML", "size = = 3\n", "bad.toml:1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "bad.toml")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			code, _, errs := run(t, "compare", path)
			if code != exitFailure || !strings.Contains(errs, c.want) || !strings.Contains(errs, "hint: correct the file") {
				t.Fatalf("exit %d, stderr %q", code, errs)
			}
		})
	}
	code, _, errs := run(t, "compare", "no-such")
	if code != exitFailure || !strings.Contains(errs, "classroom") {
		t.Errorf("exit %d, stderr %q", code, errs)
	}
}

func TestFlagsLieOverAScenario(t *testing.T) {
	a := &app{getenv: func(string) (string, bool) { return "", false }}
	c := a.compareCommand()
	var f scenarioFlags
	c.ResetFlags()
	f.bind(c.Flags())
	if err := c.ParseFlags(strings.Fields("--receivers 7 --size 3MiB --origin-up 8Mbit --up 1MB --down 4MB --arrivals poisson:2 " +
		"--stay 10m --kill peers:30%@25% --kill origin@50% --models hybrid,client-server --origins 2 --piece-size 64KiB --repeats 2 --seed 9")); err != nil {
		t.Fatal(err)
	}
	s, err := f.scenario(c, []string{"classroom"})
	if err != nil {
		t.Fatal(err)
	}
	if s.N() != 7 || s.Size != 3<<20 || s.Origin.Up != 1e6 || s.Receivers[0].Up != 1e6 || s.Receivers[0].Down != 4e6 || s.Arrivals.Rate != 2 ||
		time.Duration(s.Stay.For) != 10*time.Minute || len(s.Kills) != 2 || len(s.Models) != 2 || s.Models[0] != lab.ClientServer ||
		s.Origin.Count != 2 || s.Piece != 64<<10 || s.Repeats != 2 || s.Seed != 9 {
		t.Errorf("%+v", s)
	}
	want := "compare classroom --arrivals poisson:2 --down 4MB --kill peers:30%@25% --kill origin@50% --models hybrid,client-server " +
		"--origin-up 1MB --origins 2 --piece-size 64KiB --receivers 7 --repeats 2 --seed 9 --size 3MiB --stay 10m --up 1MB"
	if got := commandLine(c, []string{"classroom"}); got != want {
		t.Errorf("to make it again: %s, want %s", got, want)
	}
}

func TestShippedScenariosAreListedAndPrinted(t *testing.T) {
	code, out, errs := run(t, "lab", "scenarios")
	if code != exitOK {
		t.Fatal(errs)
	}
	for _, name := range scenarios.Names() {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not listed", name)
		}
		text, _ := scenarios.Read(name)
		if code, out, _ := run(t, "lab", "scenarios", name); code != exitOK || out != string(text) {
			t.Errorf("%s is printed as %q", name, out)
		}
	}
	if code, _, errs := run(t, "lab", "scenarios", "none"); code != exitFailure || !strings.Contains(errs, "tandem lab scenarios") {
		t.Errorf("one that there is not: %d, %s", code, errs)
	}
	_, out, _ = run(t, "lab", "scenarios", "--json")
	for line := range strings.Lines(out) {
		var e scenarioLine
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Name == "" || e.Receivers == 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// play is a world for tests.
type play func(ctx context.Context, r lab.Run) (*lab.Result, error)

func (p play) Run(ctx context.Context, r lab.Run) (*lab.Result, error) { return p(ctx, r) }

func TestRunsSideBySide(t *testing.T) {
	runs := []lab.Run{{Repeat: 0}, {Repeat: 1}, {Repeat: 2}, {Repeat: 3}}
	fine := play(func(_ context.Context, r lab.Run) (*lab.Result, error) {
		r.Progress(0.5, "half")
		return &lab.Result{Run: r}, nil
	})
	broken := errors.New("broken")
	ctx, stop := context.WithCancel(t.Context())
	for _, c := range []struct {
		name     string
		ctx      context.Context
		world    play
		together bool
		want     int
		err      error
	}{
		{"what is made at once keeps its order", t.Context(), fine, true, 4, nil},
		{"what must not is made one by one", t.Context(), fine, false, 4, nil},
		{"what fails ends the others", t.Context(), func(ctx context.Context, r lab.Run) (*lab.Result, error) {
			if r.Repeat == 1 {
				return nil, broken
			}
			return fine(ctx, r)
		}, false, 1, broken},
		{"an interrupt keeps what was measured", ctx, func(ctx context.Context, r lab.Run) (*lab.Result, error) {
			if r.Repeat == 2 {
				stop()
				return nil, ctx.Err()
			}
			return fine(ctx, r)
		}, false, 2, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := 0
			got, err := runAll(c.ctx, c.world, runs, c.together, func(e lab.Event) {
				if e.Result != nil {
					ended++
				}
			})
			if !errors.Is(err, c.err) || len(got) != c.want || ended != c.want {
				t.Fatalf("%d results, %d told, %v", len(got), ended, err)
			}
			for i, r := range got {
				if r.Run.Repeat != i {
					t.Errorf("result %d is of repeat %d", i, r.Run.Repeat)
				}
			}
		})
	}
}

func TestResultsArePrinted(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out}
	run := lab.Run{Model: lab.Hybrid}
	a.printResults([]*lab.Result{
		{Run: run, N: 4, Done: 4, Last: 12 * time.Second, Median: 11 * time.Second, P99: 12 * time.Second, FromOrigin: 5 << 20, FromPeers: 11 << 20, Notes: []string{"one"}},
		{Run: run, N: 4, Done: 0, Incomplete: "the origin died", Notes: []string{"one"}},
		{Run: run, N: 4, Done: 4, Last: time.Second, Void: "the machine was busy"},
	})
	const want = `MODEL   REPEAT  FINISHED  LAST  MEDIAN  P99   FROM ORIGIN  FROM PEERS  WASTED
hybrid  0       4 of 4    12 s  11 s    12 s  5 MiB        11 MiB      0 B
hybrid  0       0 of 4    -     -       -     0 B          0 B         0 B
hybrid  0       4 of 4    void  void    void  0 B          0 B         0 B
note: one
hybrid: the origin died
VOID hybrid, repeat 0: the machine was busy
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestAComparisonTellsHowItGoesOn(t *testing.T) {
	now := time.Unix(0, 0)
	clock := func() time.Time { now = now.Add(3 * time.Second); return now }
	running := lab.Event{Run: lab.Run{Place: lab.InSim, Model: lab.Hybrid, Purpose: lab.Main}, Done: 1, Total: 4, Share: 0.25, What: "piece 7"}
	ended := running
	ended.Result = &lab.Result{N: 6, Done: 6, Last: 1500 * time.Millisecond}
	var text, events, drawn bytes.Buffer
	bar := &barMeter{w: &drawn}
	for _, m := range []labMeter{
		&lineMeter{w: &text, now: clock, quiet: 5 * time.Second},
		&jsonMeter{w: &events, now: clock},
		bar,
	} {
		for range 3 {
			m.Event(running)
		}
		m.Event(ended)
		m.Close()
	}
	if want := "1 of 4 runs, sim/hybrid main 25 %, piece 7\n"; text.String() != want {
		t.Errorf("in words: %q, want %q", text.String(), want)
	}
	lines := strings.Split(strings.TrimSpace(events.String()), "\n")
	if len(lines) != 4 || lines[0] != `{"event":"progress","done":1,"total":4,"run":"sim/hybrid main","share":0.25,"what":"piece 7"}` ||
		!strings.Contains(lines[3], `"event":"run","done":1,"total":4,"world":"sim","model":"hybrid","purpose":"main"`) || !strings.Contains(lines[3], `"last":1.5`) {
		t.Errorf("events: %q", lines)
	}
	if tail := *bar.tail.Load(); tail != " 1 of 4 runs, sim/hybrid main" {
		t.Errorf("beside the bar: %q", tail)
	}
}

func TestWordsForAShell(t *testing.T) {
	for in, want := range map[string]string{
		"my.toml": "my.toml", "origin@50%": "origin@50%", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}
