package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

// field is one run's hosts and content.
type field struct {
	star     *real.Star
	tracker  *peers.Tracker
	seedHost *real.Host
	hosts    []*real.Host
	torrent  string
	content  string // the file
	dir      string
}

func build(ctx context.Context, s scenario, dir string) (f *field, err error) {
	f = &field{dir: dir, torrent: filepath.Join(dir, "content.torrent"), content: filepath.Join(dir, "seed", "content.bin")}
	if f.star, err = real.NewStar(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	trackerHost, err := f.star.Add(ctx, real.Link{})
	if err != nil {
		return nil, err
	}
	if f.tracker, err = peers.StartTracker(trackerHost); err != nil {
		return nil, err
	}
	if f.seedHost, err = f.star.Add(ctx, real.Link{Up: s.seedUp, Offload: s.seedUp == 0}); err != nil {
		return nil, err
	}
	for _, l := range s.links {
		h, err := f.star.Add(ctx, l)
		if err != nil {
			return nil, err
		}
		f.hosts = append(f.hosts, h)
	}
	if err = peers.WriteRandom(f.content, s.bytes, 1); err != nil {
		return nil, err
	}
	_, err = peers.MakeTorrent(ctx, f.content, f.torrent, peers.V1, f.tracker.URL)
	return f, err
}

func (f *field) close() {
	if f.tracker != nil {
		f.tracker.Close()
	}
	f.star.Close()
}

func (f *field) job(h *real.Host, state, dir string) peers.Job {
	return peers.Job{Host: h, Torrent: f.torrent, Dir: dir, State: filepath.Join(f.dir, state), Bin: *bin, Trace: *trace, Args: splitArgs(*args)}
}

func (f *field) seed(ctx context.Context, kind peers.Kind) (*peers.Proc, error) {
	j := f.job(f.seedHost, "seeder", filepath.Dir(f.content))
	j.Seed = true
	return f.tracker.StartSeed(ctx, kind, j, time.Minute)
}

// runSwarm seeds from one host and fetches on all others; receivers stay until
// the last has finished; the clock starts with the first receiver's process.
func runSwarm(ctx context.Context, s scenario, kind peers.Kind, dir string) ([]row, error) {
	f, err := build(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	defer f.close()
	r, err := f.measure(ctx, s, kind)
	return []row{r}, err
}

func (f *field) measure(ctx context.Context, s scenario, kind peers.Kind) (row, error) {
	r := row{scenario: s.name, client: string(kind), bound: s.b2(), receivers: len(f.hosts)}
	load := page.StartLoad()
	seedKind := kind
	if s.seeder != "" {
		seedKind = s.seeder
	}
	seeder, err := f.seed(ctx, seedKind)
	if err != nil {
		return r, err
	}
	procs := []*peers.Proc{}
	defer func() {
		seeder.Kill()
		for _, p := range procs {
			p.Kill()
		}
	}()
	start := time.Now()
	var killed <-chan time.Time
	if s.killAt > 0 {
		killed = time.After(time.Duration(s.killAt * float64(time.Second)))
	}
	for i, h := range f.hosts {
		if i > 0 && s.stagger > 0 {
			time.Sleep(s.stagger)
		}
		p, err := peers.Start(ctx, kind, f.job(h, h.Name, filepath.Join(f.dir, h.Name+"-got")))
		if err != nil {
			return r, err
		}
		procs = append(procs, p)
	}
	limit := 6 * time.Duration(max(s.b2(), 20)*float64(time.Second))
	if s.killAt > 0 {
		limit = 3 * time.Duration(s.b2()*float64(time.Second))
	}
	wctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if killed != nil {
		<-killed
		seeder.Kill()
	}
	var times []time.Duration
	var errs []error
	for _, p := range procs {
		if err := p.Wait(wctx); err != nil {
			errs = append(errs, err)
			continue
		}
		times = append(times, p.Completed().Sub(start))
	}
	r.load = load.Stop()
	seeder.Kill()
	for _, p := range procs {
		p.Kill()
	}
	r.fill(times, append(procs, seeder))
	_, r.seedRSS = seeder.Usage()
	if len(errs) > 0 && s.killAt == 0 {
		return r, errs[0]
	}
	return r, f.check(procs)
}

// check compares what arrived with what was sent.
func (f *field) check(procs []*peers.Proc) error {
	want, err := peers.TreeSum(filepath.Dir(f.content))
	if err != nil {
		return err
	}
	for _, p := range procs {
		if p.Completed().IsZero() {
			continue
		}
		if got, err := peers.TreeSum(p.Job.Dir); err != nil || got != want {
			return fmt.Errorf("%s on %s: content differs from what was shared (%v)", p.Kind, p.Job.Host.Name, err)
		}
	}
	return nil
}

// runEarliest searches the earliest moment, in units of F/u_s, at which the
// seeder can be killed and all receivers still complete.
func runEarliest(ctx context.Context, s scenario, kind peers.Kind, dir string) ([]row, error) {
	fu := float64(s.bytes*8) / float64(s.seedUp)
	lo, hi := 1.0, 1.3
	best := row{scenario: s.name, client: string(kind), note: "no kill up to 1.30 survived"}
	for i := 0; hi-lo > 0.02; i++ {
		mid := (lo + hi) / 2
		s.killAt = mid * fu
		rows, err := runSwarm(ctx, s, kind, filepath.Join(dir, fmt.Sprint(i)))
		os.RemoveAll(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "kill at %.3f x F/u_s: %d of %d complete\n", mid, rows[0].finished, rows[0].receivers)
		if rows[0].finished == rows[0].receivers {
			hi, best = mid, rows[0]
			best.note = fmt.Sprintf("all survive a kill at %.2f x F/u_s", mid)
		} else {
			lo = mid
		}
	}
	return []row{best}, nil
}

// runIdle measures a node that shares nothing for 30 seconds.
func runIdle(ctx context.Context, s scenario, kind peers.Kind, dir string) ([]row, error) {
	star, err := real.NewStar(ctx)
	if err != nil {
		return nil, err
	}
	defer star.Close()
	h, err := star.Add(ctx, real.Link{})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cmd := h.Command(ctx, *bin, "node")
	cmd.Env = append(os.Environ(), "TANDEM_STATE_DIR="+dir, "TANDEM_CONFIG_DIR="+dir)
	before, err := h.Sent()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	const seconds = 30
	select {
	case <-time.After(seconds * time.Second):
	case <-ctx.Done():
	}
	rss, rssErr := resident(cmd.Process.Pid)
	after, err := h.Sent()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r := row{scenario: s.name, client: string(kind), seedRSS: rss}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.note = fmt.Sprintf("%.0f bytes/s sent over %d s", float64(after-before)/seconds, seconds)
	return []row{r}, errors.Join(err, rssErr)
}

// fill computes the figures of a run from its ended processes.
func (r *row) fill(times []time.Duration, procs []*peers.Proc) {
	slices.Sort(times)
	r.finished = len(times)
	if len(times) > 0 {
		r.last, r.median = times[len(times)-1], times[len(times)/2]
	}
	for _, p := range procs {
		cpu, rss := p.Usage()
		r.cpu += cpu
		r.peakRSS = max(r.peakRSS, rss)
	}
}
