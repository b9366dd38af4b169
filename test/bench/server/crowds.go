package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/engines"
	"tandem/test/peers"
	"tandem/test/servers"
)

// shaped lets ten receivers fetch one file from a server behind a slow uplink.
func shaped(ctx context.Context, b *bench) (*page.Figures, error) {
	const (
		receivers = 10
		size      = 16 << 20
		up        = 40_000_000
		down      = 100_000_000
	)
	star, err := real.NewStar(ctx)
	if err != nil {
		return nil, err
	}
	defer star.Close()
	origin, err := star.Add(ctx, real.Link{Up: up})
	if err != nil {
		return nil, err
	}
	hosts, err := star.AddN(ctx, receivers, real.Link{Up: 20_000_000, Down: down})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.mem, "file")
	if err := peers.WriteRandom(file, size, 9); err != nil {
		return nil, err
	}
	inside := func(name string, args ...string) *exec.Cmd {
		return origin.Command(context.WithoutCancel(ctx), name, args...)
	}
	s, err := servers.New(ctx, servers.Options{Dir: filepath.Join(b.mem, "tandem"), Listen: origin.Addr.String() + ":7780", Command: inside})
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	for _, args := range [][]string{{"collection", "create", collection}, {"put", file, collection}} {
		if _, err := s.Opts.Run(ctx, args...); err != nil {
			return nil, err
		}
	}
	link, err := share(ctx, s, collection+"/file")
	if err != nil {
		return nil, err
	}
	bound := float64(receivers) * size * 8 / up
	f := &page.Figures{Head: []string{"receivers' program", "last (s)", "median (s)", "last x B1"}, Note: fmt.Sprintf("B1 = N F / u_s = %.2f s; 1.046 x is the physical limit of one server (headers).", bound)}
	for _, program := range []string{"curl", "tandem get"} {
		last, mid, err := receive(ctx, b, hosts, program, s.URL+link)
		if err != nil {
			return nil, err
		}
		f.Add(program, fmt.Sprintf("%.2f", last), fmt.Sprintf("%.2f", mid), fmt.Sprintf("%.3f", last/bound))
	}
	return f, nil
}

// receive starts the program on every host at once and returns seconds until the last and the median had finished.
func receive(ctx context.Context, b *bench, hosts []*real.Host, program, url string) (last, mid float64, err error) {
	took := make([]float64, len(hosts))
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for i, h := range hosts {
		dir := filepath.Join(b.mem, "got", strings.ReplaceAll(program, " ", "-"), strconv.Itoa(i))
		g.Go(func() error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			cmd := h.Command(ctx, "curl", "-sS", "--fail", "-o", filepath.Join(dir, "file"), url)
			if program != "curl" {
				cmd = h.Command(ctx, *bin, "get", strings.TrimSuffix(url, "/download"), "--dir", dir)
				cmd.Env = append(os.Environ(), "TANDEM_STATE_DIR="+filepath.Join(dir, "state"), "TANDEM_CONFIG_DIR="+filepath.Join(dir, "config"))
			}
			if text, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s on %s: %w: %s", program, h.Name, err, text)
			}
			took[i] = time.Since(start).Seconds()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, 0, err
	}
	for _, t := range took {
		last = max(last, t)
	}
	return last, median(took), nil
}

// slow keeps 2,000 readers at 10 kB/s, with receive buffers so small that the
// server has to wait for them.
func slow(ctx context.Context, b *bench) (*page.Figures, error) {
	const (
		clients = 2000
		size    = 300 << 10
		rate    = 10_000
	)
	p, err := startPair(ctx, b, "file", size)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	pid := p.tandem.PID()
	before, err := status(pid, "VmRSS")
	if err != nil {
		return nil, err
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		served int
		failed error
	)
	start := time.Now()
	for range clients {
		wg.Go(func() {
			err := sip(ctx, hostOf(p.tandem.URL), p.link, size, rate)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			served++
		})
	}
	wg.Wait()
	took := time.Since(start)
	peak, err := status(pid, "VmHWM")
	if err != nil {
		return nil, err
	}
	f := &page.Figures{Head: []string{"clients", "served", "time (s)", "resident before (MB)", "peak (MB)"}, Note: "Each reads 300 KiB at 10 kB/s from a connection with a small receive buffer: 31 s at that rate."}
	if failed != nil {
		f.Note += " One failure: " + failed.Error()
	}
	f.Add(strconv.Itoa(clients), strconv.Itoa(served), fmt.Sprintf("%.1f", took.Seconds()), mb(before), mb(peak))
	return f, nil
}

func mb(b int64) string { return strconv.FormatInt(b/1e6, 10) }

// sip reads a file slowly.
func sip(ctx context.Context, addr, path string, size, rate int64) error {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	buf := make([]byte, rate/4)
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	var got int64
	for {
		n, err := io.ReadFull(c, buf)
		got += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if got < size { // the header comes on top
		return fmt.Errorf("%d of %d bytes", got, size)
	}
	return nil
}

// status returns a line of /proc/PID/status that is in kB, as bytes.
func status(pid int, key string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no %s of process %d", key, pid)
}

// two runs one and then two instances on PostgreSQL and S3, and kills one under load.
func two(ctx context.Context, b *bench) (*page.Figures, error) {
	pg, stop, err := engines.NewCluster()
	if err != nil {
		return nil, err
	}
	defer stop()
	s3, err := engines.NewS3(b.dir)
	if err != nil {
		return nil, err
	}
	defer s3.Remove()
	o := servers.Options{Dir: filepath.Join(b.dir, "one"), Database: pg, Blobs: s3.URL}
	first, err := servers.New(ctx, o)
	if err != nil {
		return nil, err
	}
	defer first.Stop()
	o.Dir = filepath.Join(b.dir, "two")
	second, err := servers.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer second.Stop()
	file := filepath.Join(b.mem, "file")
	if err := peers.WriteRandom(file, 10<<20, 5); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"collection", "create", collection}, {"put", file, collection}} {
		if _, err := first.Opts.Run(ctx, args...); err != nil {
			return nil, err
		}
	}
	link, err := share(ctx, first, collection+"/file")
	if err != nil {
		return nil, err
	}
	f := &page.Figures{Head: []string{"instances", "download, 64 clients x 10 MiB (MB/s)", "upload, 16 clients x 1 MiB (MB/s)"}, Note: "Everything, the object store and the database too, shares two cores: this shows that instances agree, not what a second machine brings."}
	for _, set := range [][]*servers.Server{{first}, {first, second}} {
		down, err := downloadFrom(ctx, set, link)
		if err != nil {
			return nil, err
		}
		u := uploads{servers: set, clients: 16, each: 8, size: 1 << 20, prefix: fmt.Sprintf("up%d", len(set))}
		if err := u.run(ctx, nil); err != nil {
			return nil, err
		}
		f.Add(strconv.Itoa(len(set)), fmt.Sprintf("%.0f", down), fmt.Sprintf("%.0f", u.rate()))
	}
	u := uploads{servers: []*servers.Server{first, second}, clients: 16, each: 16, size: 1 << 20, prefix: "killed", mayFail: true}
	if err := u.run(ctx, second.Kill); err != nil {
		return nil, err
	}
	lost, err := u.missing(ctx, first)
	if err != nil {
		return nil, err
	}
	f.Add("2, one killed under load", "-", fmt.Sprintf("%d acknowledged, %d lost or wrong, %d refused by the dead one", len(u.acked), lost, u.refused))
	if lost > 0 {
		return f, fmt.Errorf("%d acknowledged files are lost or wrong", lost)
	}
	return f, nil
}

func downloadFrom(ctx context.Context, set []*servers.Server, path string) (float64, error) {
	var (
		mu    sync.Mutex
		bytes int64
	)
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for _, s := range set {
		l := load{addr: hostOf(s.URL), path: path, clients: 64 / len(set), requests: 2}
		g.Go(func() error {
			o, err := l.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			bytes += o.bytes
			return err
		})
	}
	err := g.Wait()
	return float64(bytes) / time.Since(start).Seconds() / 1e6, err
}
