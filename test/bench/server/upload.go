package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/test/bench/page"
	"tandem/test/peers"
	"tandem/test/servers"
)

// upload measures the whole way of a PUT to the answer, beside its two bounds.
func upload(ctx context.Context, b *bench) (*page.Figures, error) {
	const size = 1 << 30
	s, err := servers.New(ctx, servers.Options{Dir: filepath.Join(b.dir, "tandem")})
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	if _, err := s.Opts.Run(ctx, "collection", "create", collection); err != nil {
		return nil, err
	}
	login, err := bearer(ctx, s.URL)
	if err != nil {
		return nil, err
	}
	var diskT, hashT, bothT, putT, tusT, cpus []float64
	for i := range max(3, *runs/2) {
		src := filepath.Join(b.mem, "src") // in memory: reading it costs no disk
		if err := peers.WriteRandom(src, size, uint64(100+i)); err != nil {
			return nil, err
		}
		d, err := writeAndSync(src, filepath.Join(b.dir, "plain"))
		if err != nil {
			return nil, err
		}
		h, err := hashFile(src)
		if err != nil {
			return nil, err
		}
		both, err := hashBoth(src, filepath.Join(b.dir, "plain"))
		if err != nil {
			return nil, err
		}
		used, start := cpuOf(s.PID()), time.Now()
		cmd := exec.CommandContext(ctx, "curl", "-sS", "--fail", "-o", "/dev/null", "-T", src, "-H", strings.TrimSpace(login), "-H", "Expect:",
			s.URL+"/api/v1/collections/"+collection+"/content/put")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("curl -T: %w: %s", err, text)
		}
		p := time.Since(start)
		cpus = append(cpus, (cpuOf(s.PID()) - used).Seconds())
		// Other content, so that nothing is there already.
		if err := peers.WriteRandom(src, size, uint64(200+i)); err != nil {
			return nil, err
		}
		start = time.Now()
		if _, err := s.Opts.Run(ctx, "put", src, collection+"/tus"); err != nil {
			return nil, err
		}
		t := time.Since(start)
		diskT, hashT, bothT = append(diskT, d.Seconds()), append(hashT, h.Seconds()), append(bothT, both.Seconds())
		putT, tusT = append(putT, p.Seconds()), append(tusT, t.Seconds())
	}
	bound := max(median(diskT), median(hashT))
	f := &page.Figures{Head: []string{"what", "MB/s (median)", "x the slower bound"}, Note: "Disk: the same bytes written from memory and fsynced on the same device. SHA-256: one core, once (the server hashes twice: flat and Merkle). " +
		"Both hashes and two copies: the same bytes read, hashed twice and written to the page cache by one process on all cores, without a network, a client and a sync: what is left for them is above it. " +
		fmt.Sprintf("The server used %.2f CPU-seconds for a PUT.", median(cpus))}
	for _, r := range []struct {
		name string
		t    []float64
	}{{"disk", diskT}, {"SHA-256, one core", hashT}, {"both hashes and two copies, all cores", bothT}, {"tandem, PUT by curl", putT}, {"tandem put (tus, hashed by the client too)", tusT}} {
		f.Add(r.name, fmt.Sprintf("%.0f", size/1e6/median(r.t)), fmt.Sprintf("%.2f", bound/median(r.t)))
	}
	return f, nil
}

func writeAndSync(src, dst string) (time.Duration, error) {
	in, err := os.Open(src)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	defer os.Remove(dst)
	start := time.Now()
	out, err := os.Create(dst)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 1<<20)); err != nil {
		return 0, err
	}
	err = out.Sync()
	return time.Since(start), err
}

// hashBoth does what an upload cannot do without: bytes are read, hashed flat and as a tree side by side, and
// written, a chunk read ahead.
func hashBoth(src, dst string) (time.Duration, error) {
	in, err := os.Open(src)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.Create(dst)
	if err != nil {
		return 0, err
	}
	defer os.Remove(dst)
	defer out.Close()
	start := time.Now()
	free, full := make(chan []byte, 3), make(chan []byte, 3)
	for range cap(free) {
		free <- make([]byte, 1<<20)
	}
	var readErr error
	go func() {
		defer close(full)
		for buf := range free {
			n, err := io.ReadFull(in, buf[:cap(buf)])
			if n > 0 {
				full <- buf[:n]
			}
			if err != nil {
				readErr = err
				return
			}
		}
	}()
	sum := content.NewStream()
	for buf := range full {
		hashed := make(chan struct{})
		go func() {
			defer close(hashed)
			sum.Write(buf)
		}()
		_, werr := out.Write(buf)
		<-hashed
		err = errors.Join(err, werr)
		free <- buf
	}
	took := time.Since(start)
	if !errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
		err = errors.Join(err, readErr)
	}
	return took, err
}
