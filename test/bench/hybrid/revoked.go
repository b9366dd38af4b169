package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

// revoked takes a link back while four nodes fetch through it, and looks when the
// last of them receives nothing more.
func revoked(ctx context.Context, b *bench) (*page.Figures, error) {
	const n = 4
	f := &page.Figures{
		Head: []string{"run", "last content received after (s)", "received after it by all four (KiB)"},
		Note: "Four nodes with 5 Mbit/s uplinks exchange a file, all of them connected to the server; the time from the start of tandem link rm until none of them receives more than 4 KiB in 200 ms. A node that the server cannot reach stops when its capability ends, 7 days at most.",
	}
	for i := range max(1, min(*runs, 3)) {
		last, after, err := b.revoke(ctx, n)
		if err != nil {
			return nil, err
		}
		f.Add(fmt.Sprint(i+1), fmt.Sprintf("%.1f", last.Seconds()), fmt.Sprint(after>>10))
	}
	return f, nil
}

func (b *bench) revoke(ctx context.Context, n int) (last time.Duration, after int64, err error) {
	dir, err := b.folder("revoked")
	if err != nil {
		return 0, 0, err
	}
	star, err := real.NewStar(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer star.Close()
	host, err := star.Add(ctx, real.Link{Up: 5e6, Apart: true})
	if err != nil {
		return 0, 0, err
	}
	hosts, err := star.AddN(ctx, n, real.Link{Up: 5e6, Down: 20e6, Apart: true})
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(dir, "content", "content.bin")
	if err := peers.WriteRandom(file, 64<<20, 7); err != nil {
		return 0, 0, err
	}
	o, err := startOrigin(ctx, host, filepath.Join(dir, "server"), file)
	if err != nil {
		return 0, 0, err
	}
	defer o.Kill()
	for _, h := range hosts {
		p, err := peers.Start(ctx, peers.Tandem, peers.Job{Host: h, Magnet: o.link.Link, Bin: *bin, State: filepath.Join(dir, h.Name), Dir: filepath.Join(dir, h.Name+"-got")})
		if err != nil {
			return 0, 0, err
		}
		defer p.Kill()
	}
	if err := flowing(ctx, hosts); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	before, err := received(hosts)
	if err != nil {
		return 0, 0, err
	}
	if err := o.Revoke(ctx, o.link); err != nil {
		return 0, 0, err
	}
	last, err = silence(ctx, hosts, start)
	if err != nil {
		return 0, 0, err
	}
	now, err := received(hosts)
	for i := range now {
		after += now[i] - before[i]
	}
	return last, after, err
}

// received returns the payload that each host has received.
func received(hosts []*real.Host) ([]int64, error) {
	out := make([]int64, len(hosts))
	for i, h := range hosts {
		t, err := h.Traffic()
		if err != nil {
			return nil, err
		}
		out[i] = t.Received.Payload()
	}
	return out, nil
}

// flowing waits until every host has received 4 MiB.
func flowing(ctx context.Context, hosts []*real.Host) error {
	t := time.NewTicker(step)
	defer t.Stop()
	for range 600 {
		got, err := received(hosts)
		if err != nil {
			return err
		}
		enough := true
		for _, n := range got {
			enough = enough && n > 4<<20
		}
		if enough {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("not every node has received 4 MiB after 60 s")
}

// silence returns when, after start, the last content came in; it looks until
// nothing has for 5 s.
func silence(ctx context.Context, hosts []*real.Host, start time.Time) (time.Duration, error) {
	const window = 200 * time.Millisecond
	t := time.NewTicker(window)
	defer t.Stop()
	before, err := received(hosts)
	if err != nil {
		return 0, err
	}
	last := start
	for time.Since(start) < time.Minute {
		select {
		case <-t.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		now, err := received(hosts)
		if err != nil {
			return 0, err
		}
		for i := range now {
			if now[i]-before[i] > 4<<10 {
				last = time.Now()
			}
		}
		before = now
		if time.Since(last) > 5*time.Second {
			return last.Sub(start), nil
		}
	}
	return 0, errors.New("content still flows a minute after the link has ended")
}
