// Package page writes measured sections into docs/benchmarks.md and says on
// what they were measured.
package page

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Write puts each section between the markers of its name in the file, or at
// the end; other sections stay.
func Write(path string, names []string, sections map[string]string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text := string(old)
	for _, name := range names {
		if section, ok := sections[name]; ok {
			text = put(text, name, section)
		}
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// put replaces the part of text between the markers of name.
func put(text, name, section string) string {
	from, to := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	head, rest, found := strings.Cut(text, from)
	_, tail, closed := strings.Cut(rest, to)
	if !found || !closed {
		head, tail = text, "\n"
	}
	return head + from + section + to + tail
}

// Measured says when and on what.
func Measured(at time.Time) string {
	return fmt.Sprintf("Measured %s, commit %s, %s, %d cores, Linux %s.",
		at.Format("2006-01-02"), output("git", "rev-parse", "--short", "HEAD"), runtime.Version(), runtime.NumCPU(), output("uname", "-r"))
}

func output(name string, args ...string) string {
	b, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(b))
}

// LoadMeter measures how busy the machine is.
type LoadMeter struct{ busy, total int64 }

// StartLoad begins to measure.
func StartLoad() LoadMeter { b, t := jiffies(); return LoadMeter{b, t} }

// Stop returns the share of the machine's CPU that was busy, 0 to 1.
func (l LoadMeter) Stop() float64 {
	b, t := jiffies()
	if t == l.total {
		return 0
	}
	return float64(b-l.busy) / float64(t-l.total)
}

func jiffies() (busy, total int64) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line)[1:] {
		n, _ := strconv.ParseInt(f, 10, 64)
		total += n
		if i != 3 && i != 4 { // idle, iowait
			busy += n
		}
	}
	return busy, total
}
