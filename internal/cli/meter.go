package cli

import (
	"context"
	"fmt"
	"math"
	"time"

	"tandem/internal/origin/client"
	"tandem/internal/units"
)

// The events of put and get with a server.
type (
	storedEvent struct {
		Event   string `json:"event"` // stored, fetched
		Path    string `json:"path"`
		Size    int64  `json:"size"`
		SHA256  string `json:"sha256"`
		Skipped bool   `json:"skipped"` // it was there already
	}
	movedEvent struct {
		Event      string  `json:"event"` // complete
		Seconds    float64 `json:"seconds"`
		Bytes      int64   `json:"bytes"`
		Files      int     `json:"files"`
		Skipped    int     `json:"skipped"`
		Failed     int     `json:"failed"`
		FromPeers  int64   `json:"from_peers"`
		FromOrigin int64   `json:"from_origin"`
	}
)

// shows is what draws how far something is.
type shows interface {
	Moving(phase string, done, total int64, rate float64)
	Close()
}

// Moving implements shows.
func (j *jsonReporter) Moving(_ string, done, total int64, rate float64) {
	writeJSON(j.w, progressEvent{Event: "progress", Bytes: done, Total: total, Rate: int64(rate)})
}

// Moving implements shows.
func (t *textReporter) Moving(phase string, done, total int64, rate float64) {
	tail := units.Bits(rate)
	if left := total - done; left > 0 && rate > 1 {
		if eta := time.Duration(float64(left) / rate * float64(time.Second)); eta < 100*time.Hour {
			tail += ", " + eta.Round(time.Second).String() + " left"
		}
	}
	t.draw(phase, done, total, tail)
}

// shower draws for the way the command speaks.
func (a *app) shower() shows {
	if a.json {
		return &jsonReporter{w: a.stdout, now: time.Now}
	}
	return &textReporter{out: a.stdout, err: a.stderr, now: time.Now, terminal: a.terminal, quiet: 5 * time.Second}
}

// metered runs work and shows its meter once it takes longer than a second.
func (a *app) metered(ctx context.Context, phase string, m *client.Meter, work func(context.Context) error) error {
	shower := a.shower()
	defer shower.Close()
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	rate, last, ticks := 0.0, int64(0), 0
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			done := m.Done.Load()
			now := float64(done-last) / progressEvery.Seconds()
			if last = done; ticks == 0 {
				rate = now
			}
			rate = max(0, rate+(now-rate)/6) // about the last three seconds
			if ticks++; ticks >= 2 {
				shower.Moving(phase, done, m.Total.Load(), rate)
			}
		}
	}
}

// counted runs work that tells itself how far it is.
func (a *app) counted(ctx context.Context, phase string, work func(ctx context.Context, progress func(done, total int64)) error) error {
	m := &client.Meter{}
	return a.metered(ctx, phase, m, func(ctx context.Context) error {
		return work(ctx, func(done, total int64) {
			m.Done.Store(done)
			m.Total.Store(total)
		})
	})
}

// moved says how it went, also when some of it failed.
func (a *app) moved(verb string, out client.Outcome, began time.Time) {
	took := max(time.Since(began), time.Millisecond)
	if a.json {
		e := movedEvent{
			Event: "complete", Seconds: math.Round(took.Seconds()*1000) / 1000,
			Bytes: out.Bytes, Files: out.Files, Skipped: out.Skipped, Failed: out.Failed,
		}
		if verb == "fetched" {
			e.FromOrigin = out.Bytes
		}
		writeJSON(a.stdout, e)
		return
	}
	line := fmt.Sprintf("%s %s, %s in %s", verb, plural(out.Files, "file"), units.Bytes(out.Bytes), units.Seconds(took))
	if out.Bytes > 1<<20 {
		line += "; " + units.Bits(float64(out.Bytes)/took.Seconds())
	}
	if out.Skipped > 0 {
		line += fmt.Sprintf("; %s there already", plural(out.Skipped, "file"))
	}
	if out.Failed > 0 {
		line += fmt.Sprintf("; %s FAILED", plural(out.Failed, "file"))
	}
	fmt.Fprintln(a.stdout, line)
}

// teller tells about each file, in JSON or with --verbose.
func (a *app) teller(event string) func(client.Item) {
	switch {
	case a.json:
		return func(i client.Item) {
			writeJSON(a.stdout, storedEvent{event, i.Path, i.Size, i.SHA256, i.Skipped})
		}
	case a.verbose:
		return func(i client.Item) {
			mark := ""
			if i.Skipped {
				mark = " (there already)"
			}
			fmt.Fprintln(a.stderr, event+" "+clean(i.Path)+mark)
		}
	}
	return nil
}
