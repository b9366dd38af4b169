package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

// single fetches three files with curl and with tandem get, in turn. Every
// tandem get starts from an empty state folder.
func single(ctx context.Context, b *bench) (*page.Figures, error) {
	f := &page.Figures{
		Head: []string{"link", "size", "runs", "curl (s)", "tandem get LINK (s)", "difference (ms)", "x curl", "machine busy", ""},
		Note: "From the start of the process to its end, medians. curl from the same tandem server, content in memory for both.",
	}
	for _, l := range []struct {
		name string
		link real.Link
	}{{"200 Mbit/s", real.Link{Up: 200e6, Apart: true}}, {"unshaped", real.Link{Offload: true, Apart: true}}} {
		for _, size := range []struct {
			name  string
			bytes int64
			runs  int
		}{{"10 kB", 10e3, 2**runs + 1}, {"10 MB", 10e6, *runs}, {"1 GB", 1e9, max(1, *runs/5)}} {
			load := page.StartLoad()
			curl, tandem, err := b.pair(ctx, l.link, size.bytes, size.runs)
			if err != nil {
				return f, fmt.Errorf("%s at %s: %w", size.name, l.name, err)
			}
			busy, note := load.Stop(), ""
			if busy > 0.7 && l.link.Up > 0 {
				note = "void: the machine was busy"
			}
			f.Add(l.name, size.name, fmt.Sprint(size.runs), fmt.Sprintf("%.3f", curl), fmt.Sprintf("%.3f", tandem),
				fmt.Sprintf("%+.0f", 1000*(tandem-curl)), fmt.Sprintf("%.3f", tandem/curl), fmt.Sprintf("%.0f %%", 100*busy), note)
		}
	}
	return f, nil
}

// pair returns the median seconds of curl and tandem get.
func (b *bench) pair(ctx context.Context, link real.Link, size int64, n int) (curl, tandem float64, err error) {
	dir, err := b.folder("single")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	star, err := real.NewStar(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer star.Close()
	host, err := star.Add(ctx, link)
	if err != nil {
		return 0, 0, err
	}
	receiver, err := star.Add(ctx, real.Link{Offload: link.Offload, Apart: true})
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(dir, "content", "content.bin")
	if err := peers.WriteRandom(file, size, 4); err != nil {
		return 0, 0, err
	}
	o, err := startOrigin(ctx, host, filepath.Join(dir, "server"), file)
	if err != nil {
		return 0, 0, err
	}
	defer o.Kill()
	var times [2][]float64
	for i := range n {
		for k := range times {
			to := filepath.Join(dir, fmt.Sprintf("got-%d-%d", k, i))
			cmd := receiver.Command(ctx, "curl", "-sS", "--fail", "--create-dirs", "-o", filepath.Join(to, "content.bin"), o.link.URL+"/download")
			if k == 1 {
				cmd = receiver.Command(ctx, *bin, "get", o.link.Link, "--dir", to)
				cmd.Env = append(os.Environ(), "TANDEM_STATE_DIR="+to+"-state", "TANDEM_CONFIG_DIR="+to+"-state")
			}
			took, err := timed(cmd)
			if err != nil {
				return 0, 0, err
			}
			times[k] = append(times[k], took)
			same, err := peers.TreeSum(to)
			want, err2 := peers.TreeSum(filepath.Dir(file))
			if err != nil || err2 != nil || same != want {
				return 0, 0, fmt.Errorf("%s: content differs: %v %v", cmd.Args[4], err, err2)
			}
			_ = os.RemoveAll(to)
			_ = os.RemoveAll(to + "-state")
		}
	}
	return median(times[0]), median(times[1]), nil
}

func timed(cmd *exec.Cmd) (float64, error) {
	start := time.Now()
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%v: %w: %s", cmd.Args[4:], err, text)
	}
	return time.Since(start).Seconds(), nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
