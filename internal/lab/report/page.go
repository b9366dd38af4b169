package report

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tandem/internal/lab"
)

//go:embed page.css
var pageStyle string

// page is what page.templ shows. Everything in it that came from a scenario is text, and
// templ escapes it; the style and the plots are ours.
type page struct {
	Name       string
	About      string
	At         string
	Incomplete string
	Verdict    verdictView
	Case       []fact
	Groups     section
	Models     []lab.Model
	Rows       []rowView
	Figures    []figureView
	Other      []section
	Errors     section
	Limits     []string
	Void       section
	Again      []fact
	Command    string
	Files      []string
	Runs       section
}

type fact struct{ Name, Text string }

// section is a table of words with what it is about.
type section struct {
	Title, See string
	Head       []string
	Rows       [][]string
}

func (s sheet) section(title, see string) section { return section{title, see, s.head, s.rows} }

type figureView struct {
	Name, Title, See, Key string
	Panels                []string // svg elements
	Several               bool
	Table                 section
}

// makePage renders the page. files are the names of the others, to be linked to.
func makePage(e evidence, figures []figure, files []string) ([]byte, error) {
	s := e.Scenario
	p := page{
		Name: or(clean(s.Name, 100), "Comparison"), About: clean(s.About, 2000),
		Incomplete: clean(e.Incomplete, 500), Verdict: viewVerdict(e), Case: theCase(s), Groups: groups(s),
		Models: e.Table.Models, Rows: viewTable(e.Table), Other: others(e), Errors: predicted(e),
		Limits: limits(e), Void: voids(e), Again: again(e), Command: clean(e.Command, 2000), Files: files, Runs: everyRun(e),
	}
	if use := clean(s.Use, 100); use != "" {
		p.Case = append(p.Case, fact{"Stands for", use})
	}
	if !e.At.IsZero() {
		p.At = e.At.UTC().Format("2 January 2006, 15:04 UTC")
	}
	for _, f := range figures {
		v := figureView{
			Name: f.name, Title: f.title, See: tight(f.see), Key: tight(f.key), Several: len(f.panels) > 1,
			Table: f.table.section("Figures of "+strings.ToLower(f.title[:1])+f.title[1:], ""),
		}
		for _, pl := range f.panels {
			for _, as := range []struct {
				format
				class string
			}{{pl.size, "wide"}, {pl.phone, "narrow"}} {
				if pl.size == pl.phone {
					if as.class == "narrow" {
						continue
					}
					as.class = "any"
				}
				svg, err := pl.inline(as.format, as.class)
				if err != nil {
					return nil, err
				}
				v.Panels = append(v.Panels, svg) // text in it was escaped where it was drawn
			}
		}
		p.Figures = append(p.Figures, v)
	}
	var out bytes.Buffer
	err := p.show().Render(context.Background(), &out)
	return out.Bytes(), err
}

func (p page) title() string {
	if p.Verdict.Model == "" {
		return p.Name
	}
	return p.Name + ": " + string(p.Verdict.Model)
}

// kicker is the line above the name.
func (p page) kicker() string {
	if p.At == "" {
		return "Client-server, peer-to-peer or both"
	}
	return "Client-server, peer-to-peer or both · " + p.At
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// rowView is one row of the table: a property, and a line for each figure it has.
type rowView struct {
	Name, Asks string
	Lines      []lineView
}

type lineView struct {
	Label string
	Cells []cellView // one for each model
}

type cellView struct {
	Model   lab.Model
	Figures []figureOf
}

type figureOf struct {
	Text, Spread, Runs string
	Tag                lab.Tag
	Best               bool
}

// viewTable puts figures of one label on one line.
func viewTable(t lab.Table) []rowView {
	var out []rowView
	for _, r := range t.Rows {
		v := rowView{Name: title(lab.Model(clean(r.Name, 60))), Asks: clean(r.Asks, 300)}
		for _, text := range labels(t.Models, r) {
			l := lineView{Label: clean(text, 100)}
			for _, m := range t.Models {
				l.Cells = append(l.Cells, cellView{m, figuresOf(r.Cells[m], text)})
			}
			v.Lines = append(v.Lines, l)
		}
		out = append(out, v)
	}
	return out
}

// labels returns the labels of a row's figures in the order they first come.
func labels(models []lab.Model, r lab.Row) []string {
	var out []string
	for _, m := range models {
		at := 0
		for _, f := range r.Cells[m] {
			if i := slices.Index(out, f.Label); i >= 0 {
				at = i + 1
				continue
			}
			at = min(at, len(out))
			out = slices.Insert(out, at, f.Label)
			at++
		}
	}
	return out
}

func figuresOf(cell []lab.Figure, label string) []figureOf {
	var out []figureOf
	for _, f := range cell {
		if f.Label != label {
			continue
		}
		v := figureOf{Text: tight(clean(f.Text, 300)), Spread: tight(spreadOf(f)), Tag: f.Tag, Best: f.Best}
		if f.Runs > 1 {
			v.Runs = plural(f.Runs, "run")
		}
		out = append(out, v)
	}
	return out
}

// spreadOf writes the half width of the confidence interval in the figure's unit.
func spreadOf(f lab.Figure) string {
	switch {
	case f.Spread <= 0:
		return ""
	case f.Spread < 0.001*math.Abs(f.Value):
		return "± <0.1 %"
	case f.Unit == "s":
		return "± " + seconds(time.Duration(f.Spread*float64(time.Second)))
	case f.Unit == "$":
		return "± " + dollars(f.Spread)
	case f.Unit == "B":
		return "± " + bytesOf(f.Spread)
	case f.Unit == "B/s":
		return "± " + bytesOf(f.Spread) + "/s"
	}
	return strings.TrimSpace(fmt.Sprintf("± %.2g %s", f.Spread, clean(f.Unit, 10)))
}

// tagView explains a tag.
type tagView struct {
	Tag  lab.Tag
	Says string
}

func tagViews() []tagView {
	return []tagView{
		{lab.Measured, "real processes of this program on links of the given rates"},
		{lab.Simulated, "the program's own decisions in virtual time, piece by piece"},
		{lab.Analytic, "the least that the links allow, in closed form"},
		{lab.Counted, "a property of the program as it is built"},
	}
}
