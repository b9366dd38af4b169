package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"tandem/internal/node"
)

// textReporter speaks to a person: a bar on a terminal, a plain line every few
// seconds elsewhere, both on standard error. The link, and the line that ends a
// download, go to standard output.
type textReporter struct {
	out, err io.Writer
	now      func() time.Time
	terminal bool
	qr       bool
	quiet    time.Duration // between plain lines

	bars       *mpb.Progress
	bar        *mpb.Bar
	head, tail atomic.Pointer[string] // text around the bar; the bar's own goroutine reads it
	last       time.Time
}

func (a *app) reporter(qr bool) reporter {
	if a.json {
		return &jsonReporter{w: a.stdout, now: time.Now}
	}
	return &textReporter{
		out: a.stdout, err: a.stderr, now: time.Now,
		terminal: a.terminal, qr: qr, quiet: 5 * time.Second,
	}
}

func (t *textReporter) Listening(string, string) {}

func (t *textReporter) Hashing(done, total int64) {
	t.draw("hashing", done, total, "")
}

func (t *textReporter) Ready(s node.Snapshot) {
	t.Close()
	if s.Link == "" || s.Kind == node.KindGet || s.Kind == node.KindRepair {
		return // who fetches knows the link; a ticket is not repeated
	}
	if t.qr {
		printQR(t.err, s.Link)
	}
	fmt.Fprintln(t.out, s.Link)
}

func (t *textReporter) Progress(s node.Snapshot) {
	phase := s.State
	if s.Total > 0 && s.Bytes == s.Total {
		phase = "complete"
	}
	t.draw(phase, s.Bytes, s.Total, progressTail(s))
}

func progressTail(s node.Snapshot) string {
	tail := fmt.Sprintf("%s, %s", bitsText(s.Rate), plural(len(s.Peers), "peer"))
	if left := s.Total - s.Bytes; left > 0 && s.Rate > 1 {
		eta := time.Duration(float64(left) / s.Rate * float64(time.Second))
		if eta < 100*time.Hour {
			tail += ", " + eta.Round(time.Second).String() + " left"
		}
	}
	return tail
}

func (t *textReporter) Paused(s node.Snapshot) {
	t.Close()
	fmt.Fprintf(t.err, "paused: %s; %s\n", clean(s.Error), pauseHint)
}

func (t *textReporter) Resumed() {
	t.Close()
	fmt.Fprintln(t.err, "there is room again: it goes on")
}

func (t *textReporter) Complete(s node.Snapshot) {
	t.Close()
	fmt.Fprintln(t.out, summary(s))
}

func (t *textReporter) Seeding(node.Snapshot) {
	t.Close()
	fmt.Fprintln(t.err, "serving it to others; stop with Ctrl-C")
}

func (t *textReporter) Reachability(message string) {
	t.Close()
	fmt.Fprintln(t.err, clean(message))
}

func (t *textReporter) Warn(message string) {
	t.Close()
	fmt.Fprintln(t.err, "warning: "+clean(message))
}

// draw shows how far a phase has come.
func (t *textReporter) draw(phase string, done, total int64, tail string) {
	if !t.terminal {
		now := t.now()
		if t.last.IsZero() {
			t.last = now // nothing has been slow yet
		}
		if now.Sub(t.last) >= t.quiet {
			t.last = now
			fmt.Fprintln(t.err, plainLine(phase, done, total, tail))
		}
		return
	}
	if t.bar == nil {
		t.head.Store(&phase)
		t.tail.Store(&tail)
		t.bars = mpb.New(mpb.WithOutput(t.err), mpb.WithWidth(72), mpb.WithRefreshRate(150*time.Millisecond))
		t.bar = t.bars.AddBar(0,
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return *t.head.Load() + " " })),
			mpb.AppendDecorators(
				decor.CountersKibiByte(" % .1f / % .1f"),
				decor.Any(func(decor.Statistics) string { return *t.tail.Load() })))
	}
	if tail != "" {
		tail = "  " + tail
	}
	t.head.Store(&phase)
	t.tail.Store(&tail)
	t.bar.SetTotal(max(total, 1), false)
	t.bar.SetCurrent(done)
}

func plainLine(phase string, done, total int64, tail string) string {
	line := fmt.Sprintf("%s %s of %s", phase, bytesText(done), bytesText(total))
	if total == 0 {
		line = phase
	}
	if tail != "" {
		line += ", " + tail
	}
	return line
}

func (t *textReporter) Close() {
	if t.bar != nil {
		t.bar.Abort(true)
		t.bars.Wait()
		t.bar, t.bars = nil, nil
	}
}

// summary is the line that ends a download: how long, from whom, and which
// limit bound it.
func summary(s node.Snapshot) string {
	took := max(s.Completed.Sub(s.Started), time.Millisecond)
	line := fmt.Sprintf("%s in %s", bytesText(s.Total), secondsText(took))
	if s.FromPeers == 0 {
		return line + ", all of it already here and checked"
	}
	line += " from " + plural(len(s.Sources), "peer")
	type source struct {
		name  string
		bytes int64
	}
	var list []source
	for name, n := range s.Sources {
		list = append(list, source{name, n})
	}
	slices.SortFunc(list, func(a, b source) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), strings.Compare(a.name, b.name))
	})
	if len(list) > 0 {
		line += fmt.Sprintf(" (%.0f %% from %s)", 100*float64(list[0].bytes)/float64(max(s.FromPeers, 1)), clean(list[0].name))
	}
	line += "; " + bitsText(float64(s.FromPeers)/took.Seconds())
	if s.Limit != "" {
		line += "; limit: " + clean(s.Limit)
	}
	return line
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
