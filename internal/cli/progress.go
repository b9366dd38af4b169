package cli

import (
	"cmp"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"tandem/internal/node"
	"tandem/internal/units"
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
	offer      string // the last line of an offer
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
	if s.Link == "" || s.Kind != node.KindShare && s.Kind != node.KindSeed {
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
	tail := units.Bits(s.Rate) + ", " + plural(len(s.Peers), "peer")
	if served(s) {
		tail += " and the server"
	}
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

func (t *textReporter) Seeding(s node.Snapshot) {
	t.Close()
	if s.Kind == node.KindKeep {
		fmt.Fprintf(t.err, "keeping it and serving it to others until %s; stop with Ctrl-C\n", when(s.Until))
		return
	}
	fmt.Fprintln(t.err, "serving it to others; stop with Ctrl-C")
}

func (t *textReporter) Missing(s node.Snapshot) {
	t.Close()
	fmt.Fprintf(t.err, "waiting: %s\nhint: %s\n", missingText(s), missingHint)
}

func (t *textReporter) Upload(s node.Snapshot) {
	switch u := s.Upload; u.State {
	case "stored":
		t.Close()
		fmt.Fprintf(t.err, "stored on %s; serving it to others too; stop with Ctrl-C\n", serverOf(s))
	case "failed":
		t.Close()
		fmt.Fprintf(t.err, "warning: the upload to %s failed: %s; peers are still served from here\n", serverOf(s), clean(u.Error))
	default:
		t.draw("uploading", u.Done, u.Total, plural(len(s.Peers), "peer"))
	}
}

func (t *textReporter) Offer(s node.Snapshot) {
	line := offerText(s)
	if line != t.offer {
		t.offer = line
		fmt.Fprintln(t.err, line)
	}
}

// serverOf names the server of an item.
func serverOf(s node.Snapshot) string { return clean(cmp.Or(s.Server, "the server")) }

// offerText says what a server makes of an offer of room.
func offerText(s node.Snapshot) string {
	o := s.Offer
	if o == nil {
		return "offering room to " + serverOf(s)
	}
	line := fmt.Sprintf("offering %s to %s: %s kept, %s used", units.Bytes(o.Space), serverOf(s), plural(o.Kept, "share"), units.Bytes(o.Used))
	if o.State != "offered" {
		line += "; " + o.State
	}
	return line
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
	line := fmt.Sprintf("%s %s of %s", phase, units.Bytes(done), units.Bytes(total))
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

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
