package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// madeReport makes the report of c, with small pictures.
func madeReport(t *testing.T, c *lab.Comparison) map[string][]byte {
	t.Helper()
	made, err := files(c, 20)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	for _, f := range made {
		if out[f.name] != nil {
			t.Errorf("%s is made twice", f.name)
		}
		out[f.name] = f.text
	}
	return out
}

func TestAReportHasAllItsParts(t *testing.T) {
	c := sample()
	made := madeReport(t, c)
	for _, name := range []string{
		"report.html", "results.json", "results.csv", "table.csv", "completion.svg", "growth.svg", "cost.svg", "survival.svg",
		"givers-client-server.svg", "givers-hybrid.svg", "copies-peer-to-peer.svg",
	} {
		if made[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	for name, text := range made {
		base, kind, _ := strings.Cut(name, ".")
		switch kind {
		case "svg":
			wellFormed(t, name, text)
			if _, err := png.DecodeConfig(bytes.NewReader(made[base+".png"])); err != nil {
				t.Errorf("%s.png: %v", base, err)
			}
		case "csv":
			if rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll(); err != nil || len(rows) < 2 { // equal widths are checked
				t.Errorf("%s: %d rows, %v", name, len(rows), err)
			}
		}
	}
	pageOf(made).check(t)
	var back lab.Comparison
	if err := json.Unmarshal(made["results.json"], &back); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(back); err != nil || !bytes.Equal(append(again, '\n'), made["results.json"]) {
		t.Errorf("results.json reads back as something else: %v", err)
	}
}

// shown is a page.
type shown struct{ html string }

func pageOf(made map[string][]byte) shown { return shown{string(made["report.html"])} }

// check holds what must be true of every page.
func (p shown) check(t *testing.T) {
	t.Helper()
	// The one address is the name of SVG's namespace, which nobody fetches.
	bare := strings.ReplaceAll(p.html, `xmlns="http://www.w3.org/2000/svg"`, "")
	bare = strings.ReplaceAll(bare, `xmlns:xlink="http://www.w3.org/1999/xlink"`, "")
	for _, bad := range []string{"http:", "https:", "<script", "javascript:", "@import", "url(", " src=", "<link rel=\"stylesheet\"", "<?xml"} {
		if strings.Contains(strings.ToLower(bare), bad) {
			t.Errorf("the page has %q: it must stand alone", bad)
		}
	}
	var ids []string
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(p.html, -1) {
		if slices.Contains(ids, m[1]) {
			t.Errorf("the id %s is there twice", m[1])
		}
		ids = append(ids, m[1])
	}
	svgs := regexp.MustCompile(`<svg [^>]*>`).FindAllString(p.html, -1)
	for _, s := range svgs {
		if !strings.Contains(s, `role="img"`) || !strings.Contains(s, `aria-label="`) {
			t.Errorf("a plot that says nothing to who cannot see it: %s", s)
		}
	}
	figures := strings.Count(p.html, "<figure ")
	if captions, tables := strings.Count(p.html, "<figcaption>"), strings.Count(p.html, "<summary>The figures"); captions != figures || tables != figures {
		t.Errorf("%d figures have %d captions and %d tables", figures, captions, tables)
	}
	for _, hex := range regexp.MustCompile(`(fill|stroke):#[0-9A-F]{6}`).FindAllString(p.html, -1) {
		t.Errorf("a plot keeps %s in the dark", hex)
	}
}

func wellFormed(t *testing.T, name string, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestNothingForeignIsActedOn(t *testing.T) {
	const evil = "<script>alert(1)</script>\x1b[31m\"'&\u202e\x00=1+1"
	c := sample()
	s := &c.Scenario
	s.Name, s.About, s.Use, s.Receivers = evil, evil, evil, append(s.Receivers, lab.Group{Name: evil, Count: 1})
	c.Command, c.Commit, c.Machine, c.Incomplete, c.Notes = evil, evil, evil, evil, []string{evil}
	c.Verdict.Why, c.Verdict.Margin, c.Verdict.Flip = evil, evil, &lab.Flip{Input: evil, From: evil, To: evil}
	c.Verdict.Dropped = map[lab.Model]string{lab.ClientServer: evil}
	c.Table.Rows = []lab.Row{{Name: evil, Asks: evil, Cells: map[lab.Model][]lab.Figure{
		lab.Hybrid: {{Label: evil, Text: evil, Unit: evil, Spread: 1}},
	}}}
	c.Results = c.Results[:7]
	for _, r := range c.Results {
		r.Notes, r.Void, r.Run.Label = []string{evil}, r.Void+strings.Repeat(evil, r.Run.Repeat/2), evil
		for i := range r.Nodes {
			r.Nodes[i].Name = evil
		}
		if r.Use != nil {
			r.Use.Shaping = evil
		}
	}
	made := madeReport(t, c)
	pageOf(made).check(t)
	for name, text := range made {
		if strings.HasSuffix(name, ".svg") {
			wellFormed(t, name, text)
		}
	}
	for _, name := range []string{"results.csv", "table.csv"} {
		if bytes.ContainsAny(made[name], "\x1b\x00") {
			t.Errorf("%s has control characters", name)
		}
	}
	var out strings.Builder
	if err := Text(&out, c, 80, false); err != nil || strings.ContainsAny(out.String(), "\x1b\x00\u202e") {
		t.Errorf("a terminal is told what to do: %q, %v", out.String(), err)
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "-x": "'-x", "+x": "'+x",
		"-1.5": "-1.5", "1e9": "1e9", "plain": "plain", "": "", "\t=1": "'=1",
	} {
		if got := inert(in); got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
	}
}

func TestWriteTouchesOnlyItsOwnFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "report")
	c := &lab.Comparison{Scenario: classroom(3), Verdict: verdict()}
	first, err := Write(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 4 || filepath.Base(first[0]) != "report.html" {
		t.Errorf("wrote %q", first)
	}
	other := filepath.Join(dir, "mine.svg")
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Scenario.Name = "Another"
	if _, err := Write(dir, c); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(first[0]); err != nil || !bytes.Contains(text, []byte("Another")) {
		t.Errorf("the page was not replaced: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if text, rerr := os.ReadFile(other); err != nil || rerr != nil || string(text) != "mine" || len(entries) != 5 {
		t.Errorf("%d files, mine is %q: %v, %v", len(entries), text, err, rerr)
	}
}

func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "report.html"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, &lab.Comparison{}); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if _, err := Write(filepath.Join(dir, "report.html", "x\x00"), &lab.Comparison{}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that cannot be gave %v", err)
	}
}

func TestWhatCannotBeWrittenIsInvalid(t *testing.T) {
	bad := sample()
	bad.Results = bad.Results[:1]
	bad.Results[0].Jain = math.NaN()
	for name, c := range map[string]*lab.Comparison{"no comparison": nil, "not a number": bad} {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Write(dir, c); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s gave %v", name, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s left a folder: %v", name, err)
		}
	}
}

func TestAnInterruptedComparisonSaysSo(t *testing.T) {
	c := sample()
	c.Results, c.Incomplete = c.Results[:5], "interrupted after 5 of 23 runs"
	made, err := makePage(evidenceOf(c), nil, nil)
	if at := bytes.Index(made, []byte(c.Incomplete)); err != nil || at < 0 || at > bytes.Index(made, []byte(`class="verdict"`)) {
		t.Error("the page does not begin with it")
	}
	var out strings.Builder
	if err := Text(&out, c, 80, false); err != nil || !strings.Contains(out.String(), "INCOMPLETE: "+c.Incomplete) {
		t.Errorf("the terminal is not told: %v", err)
	}
}

func TestVoidRunsAreToldAndNotShown(t *testing.T) {
	c := sample()
	for _, r := range c.Results {
		if r.Run.Place == lab.InReal {
			r.Void = "the computer was busy"
		}
	}
	e := evidenceOf(c)
	if r := e.typical(lab.InReal, lab.Hybrid); r != nil {
		t.Errorf("a void run is typical: %v", r.Run)
	}
	f, ok := completion(e)
	if !ok || strings.Contains(f.see, "measured") || !strings.Contains(f.see, "simulated") {
		t.Errorf("the curves are %q", f.see)
	}
	if rows := voids(e).Rows; len(rows) != 10 || rows[0][1] != "the computer was busy" {
		t.Errorf("void runs: %q", rows)
	}
}

func TestNoPlotBreaksOnOddResults(t *testing.T) {
	zero := func(r *lab.Result) { *r = lab.Result{Run: r.Run} }
	for _, c := range []struct {
		name string
		do   func(*lab.Result)
	}{
		{"nothing in them", zero},
		{"nobody finished", func(r *lab.Result) { r.Done, r.Progress, r.Times, r.Last = 0, nil, nil, 0 }},
		{"everything at once", func(r *lab.Result) {
			r.Last, r.Took = 0, 0
			for i := range r.Progress {
				r.Progress[i].At = 0
			}
			for i := range r.Copies {
				r.Copies[i].At = 0
			}
		}},
		{"one receiver", func(r *lab.Result) { r.N, r.Done = 1, 1 }},
		{"a million, and a century", func(r *lab.Result) {
			r.N, r.Done, r.Last, r.Pairs, r.Nodes = 1_000_000, 1_000_000, 100*365*24*time.Hour, nil, nil
			r.FromOrigin *= 1 << 20
		}},
		{"never", func(r *lab.Result) {
			r.Last = never
			if r.Bound != nil {
				r.Bound.Last, r.Bound.Crossover = never, math.MaxFloat64
			}
		}},
		{"pairs of nobody", func(r *lab.Result) {
			r.Nodes, r.Pairs = nil, []lab.Pair{{From: -1, To: 3, Bytes: 5}, {From: 2, To: 0, Bytes: -1}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			odd := sample()
			for _, r := range odd.Results {
				c.do(r)
			}
			e := evidenceOf(odd)
			drawn := figures(e)
			for i, f := range drawn {
				for j := range f.panels {
					drawn[i].panels[j].size = small() // once is enough
					drawn[i].panels[j].phone = small()
				}
			}
			text, err := makePage(e, drawn, nil)
			if err != nil {
				t.Fatal(err)
			}
			shown{string(text)}.check(t)
			for _, nonsense := range []string{"NaN", "Inf", "%!", "<nil>"} {
				if strings.Contains(string(text), nonsense) {
					t.Errorf("the page says %s", nonsense)
				}
			}
		})
	}
}
