package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/test/bench/page"
)

// crowd is n receivers of 64 pieces that start at once and leave when they have all.
func crowd(n int) lab.Scenario {
	return scene(lab.Scenario{
		Size: 64 << 18, Piece: 1 << 18,
		Origin:    lab.Origin{Up: 1000 * mbit},
		Receivers: []lab.Group{{Count: n, Up: 20 * mbit, Down: 100 * mbit}},
	})
}

// spent is what a simulation took.
type spent struct {
	Seconds   float64
	Transfers float64
	Done      int
	Last      time.Duration
	Bound     time.Duration
	rss       int64
}

// million simulates in a process of its own.
func million(n int) error {
	s := crowd(n)
	start := time.Now()
	r, err := simulate(context.Background(), s, lab.PeerToPeer, 1)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(spent{
		Seconds: time.Since(start).Seconds(), Transfers: float64(r.FromOrigin+r.FromPeers) / float64(s.Piece),
		Done: r.Done, Last: r.Last, Bound: bound.For(s, lab.PeerToPeer).Last,
	})
}

// millions simulates crowds of 10^3 to 10^6 on one core each.
func millions(ctx context.Context) (*page.Figures, error) {
	f := &page.Figures{
		Head: []string{"receivers", "pieces", "finished", "real time (s)", "us per transfer", "peak memory (MiB)", "simulated last (s)", "last / bound"},
	}
	least, greatest := 0.0, 0.0
	for n := 1000; n <= *most; n *= 10 {
		var list []spent
		for range max(1, 3-n/100_000) {
			x, err := alone(ctx, n)
			if err != nil {
				return f, err
			}
			list = append(list, x)
		}
		x := slices.MinFunc(list, func(a, b spent) int { return int(1e6 * (a.Seconds - b.Seconds)) })
		each := 1e6 * x.Seconds / x.Transfers
		if least == 0 || each < least {
			least = each
		}
		greatest = max(greatest, each)
		f.Add(fmt.Sprint(n), "64", fmt.Sprint(x.Done), fmt.Sprintf("%.2f", x.Seconds), fmt.Sprintf("%.2f", each),
			fmt.Sprintf("%.0f", float64(x.rss)/(1<<20)), fmt.Sprintf("%.2f", x.Last.Seconds()), fmt.Sprintf("%.3f", x.Last.Seconds()/x.Bound.Seconds()))
	}
	f.Note = fmt.Sprintf("GOMAXPROCS=1, a process for each. The origin has 1 Gbit/s, receivers 20 up / 100 down, 16 MiB, and leave when they have it; peer-to-peer. The greatest cost per transfer is %.1f x the least.", greatest/least)
	return f, nil
}

// alone runs this program for one simulation.
func alone(ctx context.Context, n int) (x spent, err error) {
	self, err := os.Executable()
	if err != nil {
		return x, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", fmt.Sprint(n))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var text, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &errs
	if err := cmd.Run(); err != nil {
		return x, fmt.Errorf("%d receivers: %w: %s", n, err, errs.String())
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		x.rss = int64(u.Maxrss) << 10
	}
	return x, json.Unmarshal(text.Bytes(), &x)
}
