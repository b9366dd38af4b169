package cli

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// labMeter shows how a comparison goes on. Its methods are called one at a time.
type labMeter interface {
	Event(e lab.Event)
	Close()
}

func (a *app) labMeter() labMeter {
	switch {
	case a.json:
		return &jsonMeter{w: a.stdout, now: time.Now}
	case a.terminal:
		return &barMeter{w: a.stderr}
	}
	return &lineMeter{w: a.stderr, now: time.Now, quiet: 5 * time.Second}
}

// The lab's events.
type (
	labProgressEvent struct {
		Event string  `json:"event"` // progress
		Done  int     `json:"done"`  // runs
		Total int     `json:"total"`
		Run   string  `json:"run"`
		Share float64 `json:"share"` // of that run
		What  string  `json:"what,omitempty"`
	}
	labRunEvent struct {
		Event      string      `json:"event"` // run
		Done       int         `json:"done"`
		Total      int         `json:"total"`
		World      lab.Place   `json:"world"`
		Model      lab.Model   `json:"model"`
		Purpose    lab.Purpose `json:"purpose"`
		Label      string      `json:"label,omitempty"`
		Vary       float64     `json:"vary,omitempty"`
		Repeat     int         `json:"repeat"`
		Receivers  int         `json:"receivers"`
		Finished   int         `json:"finished"`
		Last       float64     `json:"last"` // seconds
		Void       string      `json:"void,omitempty"`
		Incomplete string      `json:"incomplete,omitempty"`
	}
)

// jsonMeter writes an event for each run that has ended, and one a second between.
type jsonMeter struct {
	w    io.Writer
	now  func() time.Time
	last time.Time
}

// Event implements labMeter.
func (m *jsonMeter) Event(e lab.Event) {
	if e.Result != nil {
		writeJSON(m.w, runEvent(e))
		return
	}
	if now := m.now(); now.Sub(m.last) >= time.Second {
		m.last = now
		writeJSON(m.w, labProgressEvent{"progress", e.Done, e.Total, e.Run.String(), math.Round(e.Share*1000) / 1000, clean(e.What)})
	}
}

func runEvent(e lab.Event) labRunEvent {
	r := e.Result
	return labRunEvent{
		Event: "run", Done: e.Done, Total: e.Total,
		World: e.Run.Place, Model: e.Run.Model, Purpose: e.Run.Purpose, Label: e.Run.Label, Vary: e.Run.Vary, Repeat: e.Run.Repeat,
		Receivers: r.N, Finished: r.Done, Last: seconds(r), Void: clean(r.Void), Incomplete: clean(r.Incomplete),
	}
}

// seconds is when the last receiver had it, whichever world says so.
func seconds(r *lab.Result) float64 {
	last := r.Last
	if r.Bound != nil && last == 0 {
		last = r.Bound.Last
	}
	if last == math.MaxInt64 {
		return 0 // never
	}
	return math.Round(last.Seconds()*1000) / 1000
}

// Close implements labMeter.
func (m *jsonMeter) Close() {}

// lineMeter writes a plain line now and then.
type lineMeter struct {
	w     io.Writer
	now   func() time.Time
	quiet time.Duration
	last  time.Time
}

// Event implements labMeter.
func (m *lineMeter) Event(e lab.Event) {
	now := m.now()
	if m.last.IsZero() {
		m.last = now // nothing has been slow yet
	}
	if now.Sub(m.last) >= m.quiet {
		m.last = now
		fmt.Fprintf(m.w, "%d of %s, %s\n", e.Done, plural(e.Total, "run"), doing(e))
	}
}

// Close implements labMeter.
func (m *lineMeter) Close() {}

// doing says what is done now.
func doing(e lab.Event) string {
	line := e.Run.String()
	if e.Result == nil && e.Share > 0 {
		line += fmt.Sprintf(" %.0f %%", 100*e.Share)
	}
	if e.What != "" && e.Result == nil {
		line += ", " + clean(e.What)
	}
	return line
}

// barMeter draws a bar on a terminal: a thousandth is what moves it.
type barMeter struct {
	w    io.Writer
	bars *mpb.Progress
	bar  *mpb.Bar
	tail atomic.Pointer[string] // the bar's own goroutine reads it
}

// Event implements labMeter.
func (m *barMeter) Event(e lab.Event) {
	tail := fmt.Sprintf(" %d of %s, %s", e.Done, plural(e.Total, "run"), doing(e))
	m.tail.Store(&tail)
	if m.bar == nil {
		m.bars = mpb.New(mpb.WithOutput(m.w), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
		m.bar = m.bars.AddBar(0, mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *m.tail.Load() })))
	}
	m.bar.SetTotal(int64(max(e.Total, 1))*1000, false)
	now := int64(e.Done) * 1000
	if e.Result == nil {
		now += int64(e.Share * 1000)
	}
	m.bar.SetCurrent(max(now, m.bar.Current()))
}

// Close implements labMeter.
func (m *barMeter) Close() {
	if m.bar != nil {
		m.bar.Abort(true)
		m.bars.Wait()
		m.bar, m.bars = nil, nil
	}
}

// lasted writes a time of a result for people.
func lasted(d time.Duration) string {
	if d == math.MaxInt64 {
		return "never"
	}
	return units.Seconds(d)
}
