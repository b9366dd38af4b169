package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"tandem/internal/lab"
	"tandem/test/bench/page"
)

// command is one run of tandem compare, whose figures the page shows.
type command struct {
	name  string
	args  string
	whole bool // the page shows the whole of its table
}

// commands are all that the page is made of.
func commands() []command {
	home := "home-links"
	if !*measured {
		home += " --worlds bound,sim"
	}
	return []command{
		{name: "home", args: home, whole: true},
		{name: "release", args: "software-release", whole: true},
		{name: "archive", args: "rare-archive", whole: true},
		{name: "stay", args: "home-links --worlds bound,sim --stay 1h"},
		{name: "few", args: "home-links --worlds bound,sim --origin-up 1Gbit --receivers 8"},
		{name: "hostile", args: "hostile-swarm"},
		{name: "disaster", args: "disaster"},
		{name: "classroom", args: "classroom"},
	}
}

func (c command) String() string { return "tandem compare " + c.args }

// compared are the comparisons by the commands' names.
type compared map[string]*lab.Comparison

// compareAll runs the commands whose name matches -only, and writes tables and claims
// between the page's markers. What needs another command stays as it was.
func compareAll(ctx context.Context, path string) error {
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	got, sections := compared{}, map[string]string{}
	var failed []error
	for _, c := range commands() {
		if !match.MatchString(c.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, c)
		one, err := c.run(ctx)
		if err != nil { // the others are still worth having
			failed = append(failed, fmt.Errorf("%s: %w", c, err))
			continue
		}
		got[c.name] = one
		if c.whole {
			sections["table-"+c.name] = c.table(one)
		}
	}
	for i, claim := range claims() {
		if slices.ContainsFunc(claim.from, func(name string) bool { return got[name] == nil }) {
			continue
		}
		name := fmt.Sprintf("claim-%d", i+1)
		if sections[name], err = claim.text(got); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			delete(sections, name)
		}
	}
	sections["measured"] = page.Measured(time.Now()) + "\n"
	return errors.Join(errors.Join(failed...), page.Write(path, slices.Sorted(maps.Keys(sections)), sections))
}

// run makes the comparison with the binary and reads its results.
func (c command) run(ctx context.Context) (*lab.Comparison, error) {
	dir, err := os.MkdirTemp(*tmp, "tandem-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := slices.Concat([]string{"compare"}, strings.Fields(c.args), []string{"--out", dir})
	cmd := exec.CommandContext(ctx, *bin, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		return nil, err
	}
	one := new(lab.Comparison)
	if err := json.Unmarshal(text, one); err != nil {
		return nil, err
	}
	if one.Incomplete != "" {
		return nil, fmt.Errorf("incomplete: %s", one.Incomplete)
	}
	return one, nil
}

// table is a comparison's table, verdict and notes.
func (c command) table(one *lab.Comparison) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n`%s`\n\n| |", one.Scenario.About, c)
	for _, m := range one.Table.Models {
		fmt.Fprintf(&b, " %s |", m)
	}
	fmt.Fprintf(&b, "\n|%s\n", strings.Repeat("---|", len(one.Table.Models)+1))
	for _, row := range one.Table.Rows {
		fmt.Fprintf(&b, "| **%s** |", row.Name)
		for _, m := range one.Table.Models {
			fmt.Fprintf(&b, " %s |", cell(row.Cells[m]))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\nVerdict: %s", verdict(one.Verdict))
	for _, n := range one.Notes {
		fmt.Fprintf(&b, "\n\nNote: %s.", strings.TrimSuffix(n, "."))
	}
	b.WriteByte('\n')
	return b.String()
}

// tags are how figures are marked in a table.
var tags = map[lab.Tag]string{lab.Measured: "m", lab.Simulated: "s", lab.Analytic: "a", lab.Counted: "c"}

// cell shows figures with the same label beside each other.
func cell(figures []lab.Figure) string {
	var lines []string
	for i, f := range figures {
		text := strings.ReplaceAll(f.Text, "|", "\\|")
		if f.Best {
			text = "**" + text + "**"
		}
		text += " <sup>" + tags[f.Tag] + "</sup>"
		if i > 0 && figures[i-1].Label == f.Label {
			lines[len(lines)-1] += ", " + text
		} else {
			lines = append(lines, f.Label+": "+text)
		}
	}
	return strings.Join(lines, "<br>")
}

func verdict(v lab.Verdict) string {
	name := string(v.Model)
	if name == "" {
		name = "none"
	}
	text := fmt.Sprintf("**%s**: %s", name, strings.TrimPrefix(v.Why, name+": "))
	if v.Margin != "" {
		text += fmt.Sprintf(" By how much: %s.", strings.TrimSuffix(v.Margin, "."))
	}
	if v.Flip != nil {
		then := string(v.Flip.Model)
		if then == "" {
			then = "nothing fits"
		}
		text += fmt.Sprintf(" What would flip it: %s from %s to %s (then %s).", v.Flip.Input, v.Flip.From, v.Flip.To, then)
	}
	return text
}
