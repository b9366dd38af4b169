package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"tandem/test/bench/page"
)

// row is one measured run.
type row struct {
	scenario, client    string
	bound               float64 // seconds
	last, median        time.Duration
	finished, receivers int
	cpu                 time.Duration // all processes
	peakRSS, seedRSS    int64         // bytes: largest process, seeder or only process
	load                float64       // share of the machine's CPU that was busy
	note                string
}

func (r row) ratio() string {
	if r.bound == 0 || r.last == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", r.last.Seconds()/r.bound)
}

func (r row) String() string {
	return fmt.Sprintf("%-11s %-13s last %7.2fs  median %7.2fs  ratio %-6s %d/%d  cpu %6.2fs  peak %4d MiB  seeder %4d MiB  load %3.0f%%  %s",
		r.scenario, r.client, r.last.Seconds(), r.median.Seconds(), r.ratio(), r.finished, r.receivers,
		r.cpu.Seconds(), r.peakRSS>>20, r.seedRSS>>20, 100*r.load, r.note)
}

type report struct {
	started time.Time
	rows    []row
}

func (r *report) add(x row) { r.rows = append(r.rows, x) }

// write puts the section of each scenario that was run into the file.
func (r *report) write(path string) error {
	var names []string
	sections := map[string]string{}
	for _, s := range scenarios() {
		names = append(names, s.name)
		if rows := r.of(s.name); len(rows) > 0 {
			sections[s.name] = r.section(s, rows)
		}
	}
	return page.Write(path, names, sections)
}

func (r *report) section(s scenario, rows []row) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "### %s\n\nTarget: %s.", s.title, s.target)
	if bound := s.b2(); bound > 0 && s.stagger == 0 {
		fmt.Fprintf(&b, " Bound B2: %.2f s.", bound)
	}
	fmt.Fprintf(&b, " %s\n\n", page.Measured(r.started))
	fmt.Fprint(&b, "| client | finished | last (s) | median (s) | last / bound | CPU (s) | largest process (MiB) | seeder (MiB) | machine busy | |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, x := range rows {
		if s.stagger > 0 {
			x.bound = 0
		}
		fmt.Fprintf(&b, "| %s | %d of %d | %.2f | %.2f | %s | %.2f | %d | %d | %.0f %% | %s |\n", x.client, x.finished, x.receivers,
			x.last.Seconds(), x.median.Seconds(), x.ratio(), x.cpu.Seconds(), x.peakRSS>>20, x.seedRSS>>20, 100*x.load, x.remark())
	}
	return b.String()
}

// remark adds to the note that a run on a busy machine says little.
func (r row) remark() string {
	if r.load > 0.7 && r.bound > 0 {
		return strings.TrimSpace(r.note + " void: the machine was busy")
	}
	return r.note
}

func (r *report) of(name string) []row {
	var out []row
	for _, x := range r.rows {
		if x.scenario == name {
			out = append(out, x)
		}
	}
	return out
}

func splitArgs(s string) []string { return strings.Fields(s) }

// resident returns the resident set of a process in bytes.
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	return n * int64(os.Getpagesize()), err
}
