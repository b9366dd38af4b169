package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

// flash lets fifty nodes and two browsers (curl) come at once to a server that may
// spend little, and looks at the content it sends every 100 ms.
func flash(ctx context.Context, b *bench) (*page.Figures, error) {
	const (
		size   = 16 << 20
		n      = 50
		budget = 5e6
	)
	dir, err := b.folder("flash")
	if err != nil {
		return nil, err
	}
	star, err := real.NewStar(ctx)
	if err != nil {
		return nil, err
	}
	defer star.Close()
	host, err := star.Add(ctx, real.Link{Apart: true})
	if err != nil {
		return nil, err
	}
	c := crowd{origin: budget, links: repeat(real.Link{Up: 5e6, Down: 20e6, Apart: true}, n), bytes: size}
	hosts, err := star.AddN(ctx, n, c.links[0])
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "content", "content.bin")
	if err := peers.WriteRandom(file, size, 6); err != nil {
		return nil, err
	}
	m, err := startMeter(host, 80, "127.0.0.1:7780")
	if err != nil {
		return nil, err
	}
	defer m.close()
	o, err := startAt(ctx, host, "127.0.0.1:7780", filepath.Join(dir, "server"), file,
		"--origin-rate", "5Mbit", "--public-url", "http://"+host.Addr.String(), "--trusted-proxy", "127.0.0.0/8")
	if err != nil {
		return nil, err
	}
	defer o.Kill()
	browsers, err := startBrowsers(ctx, star, o.link.URL+"/download", 2)
	if err != nil {
		return nil, err
	}
	wire := watch(func() (int64, error) {
		t, err := host.Traffic()
		return t.Sent.Payload(), err
	})
	content := watch(func() (int64, error) { return m.content.Load(), nil })
	got, err := receive(ctx, peers.Tandem, peers.Job{Magnet: o.link.Link}, host, hosts, dir, filepath.Dir(file), 8*time.Minute)
	failed := browsers.wait(4 * time.Minute)
	most, _ := content.most(10 * time.Second)
	all, werr := wire.most(10 * time.Second)
	if err := errors.Join(err, werr); err != nil {
		return nil, err
	}
	allowed := 1.02*budget*10/8 + 256<<10
	f := &page.Figures{
		Head: []string{"finished", "browsers finished", "last (s)", "last / B2", "most content in 10 s (bytes)", "allowed", "ratio", "most of everything in 10 s", "machine busy", ""},
		Note: fmt.Sprintf("Fifty nodes and two curls at once; B2 = %.2f s. The server sent %.2f copies to all of them together. Sampled every 100 ms, content at a proxy that counts bodies, everything as TCP payload that leaves the host. The fifty used %.1f s of CPU.", c.bound(), float64(m.content.Load())/size, got.cpu.Seconds()),
	}
	note := ""
	if got.load > 0.7 {
		note = "void: the machine was busy"
	}
	if failed != nil {
		note += " a browser: " + failed.Error()
	}
	f.Add(fmt.Sprintf("%d of %d", got.finished, n), fmt.Sprintf("%d of 2", browsers.finished), seconds(got.last), fmt.Sprintf("%.3f", got.last.Seconds()/c.bound()),
		fmt.Sprint(most), fmt.Sprintf("%.0f", allowed), fmt.Sprintf("%.3f", float64(most)/allowed), fmt.Sprint(all), fmt.Sprintf("%.0f %%", 100*got.load), note)
	return f, nil
}

// sampler looks at a count of bytes.
type sampler struct {
	stop, done chan struct{}
	sent       []sample // about every step: a busy machine is late
	err        error
}

// sample is a count that was taken between two moments: on a busy machine they
// are apart.
type sample struct {
	before, after time.Time
	bytes         int64
}

const step = 100 * time.Millisecond

func watch(count func() (int64, error)) *sampler {
	w := &sampler{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		t := time.NewTicker(step)
		defer t.Stop()
		for {
			before := time.Now()
			n, err := count()
			if err != nil {
				w.err = err
				return
			}
			w.sent = append(w.sent, sample{before, time.Now(), n})
			select {
			case <-t.C:
			case <-w.stop:
				return
			}
		}
	}()
	return w
}

// most ends the watch and returns the most bytes between two samples that are
// certainly no longer apart than the window.
func (w *sampler) most(window time.Duration) (int64, error) {
	close(w.stop)
	<-w.done
	most, from := int64(0), 0
	for _, s := range w.sent {
		for s.after.Sub(w.sent[from].before) > window {
			from++
		}
		most = max(most, s.bytes-w.sent[from].bytes)
	}
	return most, w.err
}

// browsers are curls that fetch a URL and nothing else.
type browsers struct {
	cmds     []*exec.Cmd
	ended    chan error
	finished int
}

func startBrowsers(ctx context.Context, star *real.Star, url string, n int) (*browsers, error) {
	b := &browsers{ended: make(chan error, n)}
	for range n {
		h, err := star.Add(ctx, real.Link{Up: 5e6, Down: 20e6, Apart: true})
		if err != nil {
			return nil, err
		}
		cmd := h.Command(ctx, "curl", "-sS", "--fail", "-o", "/dev/null", url)
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		b.cmds = append(b.cmds, cmd)
		go func() { b.ended <- cmd.Wait() }()
	}
	return b, nil
}

// wait returns the first error of them.
func (b *browsers) wait(limit time.Duration) (failed error) {
	timeout := time.After(limit)
	for range b.cmds {
		select {
		case err := <-b.ended:
			if err == nil {
				b.finished++
			} else if failed == nil {
				failed = err
			}
		case <-timeout:
			return fmt.Errorf("not finished after %s more", limit)
		}
	}
	return failed
}
