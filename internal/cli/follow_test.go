package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/node"
)

// fakeItem is an item whose life a test decides.
type fakeItem struct {
	s                      node.Snapshot
	ready, completed, done chan struct{}
	err                    error
	stopped                bool
}

func (f *fakeItem) Status() node.Snapshot      { return f.s }
func (f *fakeItem) Ready() <-chan struct{}     { return f.ready }
func (f *fakeItem) Completed() <-chan struct{} { return f.completed }
func (f *fakeItem) Done() <-chan struct{}      { return f.done }
func (f *fakeItem) Err() error                 { return f.err }
func (f *fakeItem) Why(context.Context) error  { return node.ErrNoSources }
func (f *fakeItem) Stop()                      { f.stopped = true; close(f.done) }

func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name       string
		life       func(*fakeItem, context.CancelFunc)
		wantEvents string
		wantCode   int
	}{
		{"a download that completes and ends", func(f *fakeItem, _ context.CancelFunc) {
			f.ready, f.completed, f.done = closed(), closed(), closed()
			f.s.State = "stopped"
		}, "complete", exitOK},
		{"an interrupted download", func(f *fakeItem, cancel context.CancelFunc) { cancel() }, "", exitInterrupted},
		{"a download that fails", func(f *fakeItem, _ context.CancelFunc) {
			f.done, f.err = closed(), fault.Errorf(fault.Full, "disk")
		}, "", exitFailure},
		{"an interrupt hides no failure", func(f *fakeItem, cancel context.CancelFunc) {
			f.err = fault.Errorf(fault.Full, "disk")
			cancel()
		}, "", exitFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			it := someItem()
			c.life(it, cancel)
			var out bytes.Buffer
			err := follow(ctx, it, &jsonReporter{w: &out, now: time.Now}, nil, waits{silence: time.Minute}, time.Now)
			if got := exitCode(err); got != c.wantCode || !strings.Contains(out.String(), c.wantEvents) {
				t.Fatalf("%v (exit %d), events %s", err, got, out.String())
			}
		})
	}
}

func TestFollowServesUntilInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	it := someItem()
	it.s.Kind, it.s.State = node.KindShare, "seeding"
	it.completed = closed()
	r := &stopAtSeeding{jsonReporter{w: &bytes.Buffer{}, now: time.Now}, cancel}
	if err := follow(ctx, it, r, nil, waits{silence: time.Minute}, time.Now); err != nil || !it.stopped {
		t.Fatalf("got %v, stopped %v; serving until an interrupt is a success", err, it.stopped)
	}
}

type stopAtSeeding struct {
	jsonReporter
	cancel context.CancelFunc
}

func (s *stopAtSeeding) Seeding(node.Snapshot) { s.cancel() }

func TestFollowSaysWhenNobodyIsThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	it := someItem()
	it.s.Peers = nil
	tick := make(chan time.Time, 3)
	for range 3 {
		tick <- start
	}
	now := start
	var out bytes.Buffer
	r := &stopAfter{jsonReporter{w: &out, now: time.Now}, 3, cancel}
	err := follow(ctx, it, r, tick, waits{silence: 20 * time.Second}, func() time.Time {
		now = now.Add(15 * time.Second)
		return now
	})
	if n := strings.Count(out.String(), `"warning"`); n != 1 || exitCode(err) != exitInterrupted {
		t.Fatalf("%d warnings, %v; want one:\n%s", n, err, out.String())
	}
}

// stopAfter interrupts at the n-th progress.
type stopAfter struct {
	jsonReporter
	left   int
	cancel context.CancelFunc
}

func (s *stopAfter) Progress(node.Snapshot) {
	if s.left--; s.left == 0 {
		s.cancel()
	}
}

// follows runs follow on a download that is in states one after the other, a
// tick each, and is interrupted after the last.
func follows(t *testing.T, r reporter, states ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	it := &changingItem{fakeItem: someItem(), states: states, cancel: cancel}
	tick := make(chan time.Time, len(states))
	for range states {
		tick <- start
	}
	if err := follow(ctx, it, r, tick, waits{silence: time.Minute}, time.Now); exitCode(err) != exitInterrupted {
		t.Fatal(err)
	}
}

// changingItem is in another state whenever it is asked.
type changingItem struct {
	*fakeItem
	states []string
	cancel context.CancelFunc
}

func (c *changingItem) Status() node.Snapshot {
	s := c.s
	s.State, c.states = c.states[0], c.states[1:]
	if s.State == "paused" {
		s.Error, s.ErrorKind = "write f\x1b: no space", "full"
	}
	if len(c.states) == 0 {
		c.cancel()
		c.states = []string{s.State}
	}
	return s
}

func TestFollowTellsOfEachPauseOnce(t *testing.T) {
	lives := []string{"downloading", "paused", "paused", "downloading", "downloading", "paused", "paused", "paused", "downloading"}
	var out, errs bytes.Buffer
	follows(t, &jsonReporter{w: &out, now: time.Now}, lives...)
	const event = `{"event":"error","kind":"full","message":"write f\\x1b: no space","hint":"make room: it goes on by itself"}`
	if n := strings.Count(out.String(), event+"\n"); n != 2 || strings.Count(out.String(), `"error"`) != 2 {
		t.Errorf("%d error events, want one a pause:\n%s", n, out.String())
	}

	out.Reset()
	follows(t, &textReporter{out: &out, err: &errs, now: time.Now, quiet: time.Hour}, lives...)
	const text = "paused: write f\\x1b: no space; make room: it goes on by itself\nthere is room again: it goes on\n"
	if errs.String() != text+text || out.Len() != 0 {
		t.Errorf("a person reads %q, and on standard output %q", errs.String(), out.String())
	}
}

func TestAPausedDownloadIsNotBlamedOnTheSharer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	it := someItem()
	it.s.Peers, it.s.State = nil, "paused"
	tick := make(chan time.Time, 2)
	tick <- start
	tick <- start
	var out bytes.Buffer
	now := start
	_ = follow(ctx, it, &stopAfter{jsonReporter{w: &out, now: time.Now}, 2, cancel}, tick, waits{silence: time.Second}, func() time.Time {
		now = now.Add(time.Minute)
		return now
	})
	if strings.Contains(out.String(), "nothing has come") {
		t.Fatal(out.String())
	}
}
