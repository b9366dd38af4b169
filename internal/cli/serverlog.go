package cli

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// linesWait is how long a line may wait for others to be written with. What a kill takes of the log is
	// that much; warnings and errors never wait.
	linesWait = 100 * time.Millisecond
	linesSize = 32 << 10
)

// lineLog gathers the lines of a server's log: one a request, each with a write of its own, is a tenth of what a
// small download costs.
type lineLog struct {
	to io.Writer

	mu    sync.Mutex // guards the fields below
	lines []byte
	timer *time.Timer // nil: nothing waits
}

// Write takes whole lines. An error is that of lines before: nobody could do anything about it.
func (j *lineLog) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, p...)
	if len(j.lines) >= linesSize {
		return len(p), j.write()
	}
	if j.timer == nil {
		j.timer = time.AfterFunc(linesWait, func() { _ = j.flush() })
	}
	return len(p), nil
}

// flush writes what waits.
func (j *lineLog) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write()
}

// write is flush; mu is held.
func (j *lineLog) write() error {
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
	if len(j.lines) == 0 {
		return nil
	}
	_, err := j.to.Write(j.lines)
	j.lines = j.lines[:0]
	return err
}

// prompt writes a lineLog with each line that somebody should see now.
type prompt struct {
	slog.Handler
	j *lineLog
}

// Handle implements slog.Handler.
func (p prompt) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		_ = p.j.flush() // standard error has nobody to tell
	}
	return err
}

// WithAttrs implements slog.Handler.
func (p prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prompt{p.Handler.WithAttrs(attrs), p.j}
}

// WithGroup implements slog.Handler.
func (p prompt) WithGroup(name string) slog.Handler { return prompt{p.Handler.WithGroup(name), p.j} }

// serverLog returns the log of a server, and what writes the rest of it at the end.
func (a *app) serverLog(least slog.Level) (_ *slog.Logger, done func()) {
	if a.verbose {
		least = slog.LevelDebug
	}
	j := &lineLog{to: a.stderr}
	return slog.New(prompt{slog.NewTextHandler(j, &slog.HandlerOptions{Level: least}), j}), func() { _ = j.flush() }
}
