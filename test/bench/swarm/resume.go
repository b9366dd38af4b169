package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/peers"
)

// runResume kills a receiver with most of a large file on disk and measures how
// long its successor takes to ask for and receive something new.
func runResume(ctx context.Context, s scenario, kind peers.Kind, _ string) ([]row, error) {
	dir, err := os.MkdirTemp(*disk, "tandem-resume-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s.links = []real.Link{{Offload: true}}
	s.seedUp = 0
	f, err := build(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	defer f.close()
	seeder, err := f.seedSlowly(ctx, kind)
	if err != nil {
		return nil, err
	}
	defer seeder.Kill()
	from, err := f.until(ctx, kind, func(first, bytes int64) bool { return bytes > s.bytes*7/10 })
	if err != nil {
		return nil, err
	}
	start := time.Now()
	again, err := f.until(ctx, kind, func(first, bytes int64) bool { return first > s.bytes/2 && bytes > first })
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	return []row{{
		scenario: s.name, client: string(kind), last: took, finished: 1, receivers: 1,
		note: fmt.Sprintf("killed at %.1f GiB, first new bytes %.2f s after the start (%.1f GiB)", gib(from), took.Seconds(), gib(again)),
	}}, nil
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }

// seedSlowly is seed with time to hash 10 GiB.
func (f *field) seedSlowly(ctx context.Context, kind peers.Kind) (*peers.Proc, error) {
	j := f.job(f.seedHost, "seeder", filepath.Dir(f.content))
	j.Seed = true
	return f.tracker.StartSeed(ctx, kind, j, 10*time.Minute)
}

// until runs a receiver until its progress satisfies enough, kills it with
// SIGKILL and returns the bytes it had. Enough is given the first figure as well.
func (f *field) until(ctx context.Context, kind peers.Kind, enough func(first, bytes int64) bool) (int64, error) {
	h := f.hosts[0]
	cmd := h.Command(ctx, *bin, "get", f.torrent, "--dir", filepath.Join(f.dir, "got"), "--listen", h.Addr.String()+":6881",
		"--json", "--no-dht", "--no-lan", "--no-portmap")
	cmd.Env = append(os.Environ(), "TANDEM_STATE_DIR="+filepath.Join(f.dir, "state"), "TANDEM_CONFIG_DIR="+filepath.Join(f.dir, "state"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	first := int64(-1)
	for sc := bufio.NewScanner(out); sc.Scan(); {
		var ev struct {
			Event string
			Bytes int64
		}
		if json.Unmarshal(sc.Bytes(), &ev) != nil || ev.Event != "progress" {
			continue
		}
		if first < 0 {
			first = ev.Bytes
		}
		if enough(first, ev.Bytes) {
			return ev.Bytes, nil
		}
	}
	return 0, fmt.Errorf("%s on %s ended early", kind, h.Name)
}
