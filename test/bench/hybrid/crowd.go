package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

// crowd is receivers that start together and stay until the last has finished.
type crowd struct {
	origin  int64 // bit/s
	links   []real.Link
	bytes   int64
	clients []peers.Kind
	copies  float64 // the server's limit; 0: none
}

// outcome is one run of a crowd.
type outcome struct {
	last, median time.Duration
	finished     int
	cpu          time.Duration // of the receivers
	load         float64       // share of the machine's CPU that was busy
	sent         int64         // payload that left the origin's host
	ends         []string      // what receivers said at the end
}

// bound is max{F/u_s, F/d_min, N F/(u_s + sum u_i)} in seconds (B2), or with a
// limit of c copies max{F/u_s, (N-c) F / sum u_i}.
func (c crowd) bound() float64 {
	bits := float64(c.bytes * 8)
	slow, sum := c.links[0].Down, int64(0)
	for _, l := range c.links {
		slow, sum = min(slow, l.Down), sum+l.Up
	}
	n := float64(len(c.links))
	if c.copies > 0 {
		return max(bits/float64(c.origin), bits/float64(slow), (n-c.copies)*bits/float64(sum))
	}
	return max(bits/float64(c.origin), bits/float64(slow), n*bits/float64(c.origin+sum))
}

// compare runs the crowd with each client.
func (b *bench) compare(ctx context.Context, c crowd) (*page.Figures, error) {
	f := &page.Figures{
		Head: []string{"receivers' program", "finished", "last (s)", "median (s)", "last / bound", "copies sent by the origin", "receivers' CPU (s)", "machine busy", ""},
		Note: fmt.Sprintf("Bound %.2f s; the physical limit is 1.073 x. aria2 and libtorrent have nginx as web seed and a tracker.", c.bound()),
	}
	for _, kind := range c.clients {
		if *who != "" && !slices.Contains(strings.Split(*who, ","), string(kind)) {
			continue
		}
		o, err := b.crowd(ctx, c, kind)
		note := ""
		if o.load > 0.7 {
			note = "void: the machine was busy"
		}
		if err != nil {
			if kind == peers.Tandem {
				return f, err
			}
			note = strings.TrimSpace(note + " " + firstLine(err))
		}
		f.Add(string(kind), fmt.Sprintf("%d of %d", o.finished, len(c.links)), seconds(o.last), seconds(o.median),
			fmt.Sprintf("%.3f", o.last.Seconds()/c.bound()), fmt.Sprintf("%.2f", float64(o.sent)/float64(c.bytes)),
			seconds(o.cpu), fmt.Sprintf("%.0f %%", 100*o.load), note)
		if kind == peers.Tandem && len(o.ends) > 0 {
			f.Note += " One of them said: `" + o.ends[0] + "`."
		}
	}
	return f, nil
}

// crowd runs the crowd once.
func (b *bench) crowd(ctx context.Context, c crowd, kind peers.Kind) (outcome, error) {
	dir, err := b.folder(string(kind))
	if err != nil {
		return outcome{}, err
	}
	star, err := real.NewStar(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer star.Close()
	host, err := star.Add(ctx, real.Link{Up: c.origin, Apart: true})
	if err != nil {
		return outcome{}, err
	}
	var hosts []*real.Host
	for _, l := range c.links {
		h, err := star.Add(ctx, l)
		if err != nil {
			return outcome{}, err
		}
		hosts = append(hosts, h)
	}
	file := filepath.Join(dir, "content", "content.bin")
	if err := peers.WriteRandom(file, c.bytes, 3); err != nil {
		return outcome{}, err
	}
	var job peers.Job
	if kind == peers.Tandem {
		var args []string
		if c.copies > 0 {
			args = append(args, "--origin-copies", fmt.Sprint(c.copies))
		}
		o, err := startOrigin(ctx, host, filepath.Join(dir, "server"), file, args...)
		if err != nil {
			return outcome{}, err
		}
		defer o.Kill()
		job.Magnet = o.link.Link
	} else {
		stop, torrent, err := webSeed(ctx, star, host, dir, file)
		if err != nil {
			return outcome{}, err
		}
		defer stop()
		job.Torrent = torrent
	}
	limit := time.Duration(6 * max(c.bound(), 10) * float64(time.Second))
	return receive(ctx, kind, job, host, hosts, dir, filepath.Dir(file), limit)
}

// receive starts the client on every host and waits until all have finished.
func receive(ctx context.Context, kind peers.Kind, job peers.Job, origin *real.Host, hosts []*real.Host, dir, want string, limit time.Duration) (o outcome, err error) {
	sum, err := peers.TreeSum(want)
	if err != nil {
		return o, err
	}
	before, err := origin.Traffic()
	if err != nil {
		return o, err
	}
	var procs []*peers.Proc
	killed := false
	kill := func() {
		if killed {
			return
		}
		killed = true
		for _, p := range procs {
			p.Kill()
		}
	}
	defer kill()
	load, start := page.StartLoad(), time.Now()
	for _, h := range hosts {
		j := job
		j.Host, j.Bin, j.State, j.Dir, j.Args = h, *bin, filepath.Join(dir, h.Name), filepath.Join(dir, h.Name+"-got"), append(slices.Clone(job.Args), strings.Fields(*get)...)
		p, err := peers.Start(ctx, kind, j)
		if err != nil {
			return o, err
		}
		procs = append(procs, p)
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var times []time.Duration
	var errs []error
	for _, p := range procs {
		if err := p.Wait(wait); err != nil {
			errs = append(errs, err)
			continue
		}
		times = append(times, p.Completed().Sub(start))
	}
	o.load = load.Stop()
	after, err := origin.Traffic()
	if err != nil {
		return o, err
	}
	o.sent = after.Sent.Minus(before.Sent).Payload()
	kill()
	for _, p := range procs {
		cpu, _ := p.Usage()
		o.cpu += cpu
		if got, err := peers.TreeSum(p.Job.Dir); !p.Completed().IsZero() && (err != nil || got != sum) {
			errs = append(errs, fmt.Errorf("%s on %s has something else than was shared: %w", kind, p.Job.Host.Name, err))
		}
	}
	o.ends = ends(procs)
	if slices.Sort(times); len(times) > 0 {
		o.finished, o.last, o.median = len(times), times[len(times)-1], times[len(times)/2]
	}
	return o, errors.Join(errs...)
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
