package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandem/test/bench/page"
	"tandem/test/engines"
	"tandem/test/peers"
	"tandem/test/servers"
)

const (
	smallFiles = 10_000
	smallSize  = 4 << 10
)

func hashFile(path string) (time.Duration, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	start := time.Now()
	_, err = io.CopyBuffer(sha256.New(), f, make([]byte, 1<<20))
	return time.Since(start), err
}

// smallTree makes the files, 100 in a folder, once for all.
func smallTree(dir string, n int) error {
	one := filepath.Join(dir, ".all")
	if err := peers.WriteRandom(one, int64(n)*smallSize, 3); err != nil {
		return err
	}
	all, err := os.ReadFile(one)
	if err != nil {
		return err
	}
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("d%03d", i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%05d", i)), all[i*smallSize:(i+1)*smallSize], 0o644); err != nil {
			return err
		}
	}
	return os.Remove(one)
}

// small puts, lists and gets a tree of small files; the trees themselves are in memory.
func small(ctx context.Context, b *bench) (*page.Figures, error) {
	src := filepath.Join(b.mem, "src")
	if err := smallTree(src, smallFiles); err != nil {
		return nil, err
	}
	f := &page.Figures{Head: []string{"program", "on", "put (s)", "list (s)", "get (s)", "put x rclone", "list x", "get x"}, Note: "Medians of 3, in turn, each put into an empty server. rclone: --transfers 16 --checkers 16, no modification times; tandem: one command each."}
	for _, place := range []struct{ name, dir string }{{"disk", b.dir}, {"tmpfs", b.mem}} {
		var rclone, tandem [3][]float64
		for i := range 3 {
			dir := filepath.Join(place.dir, fmt.Sprintf("small-%d", i))
			r, err := smallRclone(ctx, src, dir, filepath.Join(b.mem, "got"))
			if err != nil {
				return nil, err
			}
			t, err := smallTandem(ctx, src, dir, filepath.Join(b.mem, "got"))
			if err != nil {
				return nil, err
			}
			for j := range r {
				rclone[j], tandem[j] = append(rclone[j], r[j]), append(tandem[j], t[j])
			}
		}
		sec := func(v []float64) string { return fmt.Sprintf("%.2f", median(v)) }
		times := func(j int) string { return fmt.Sprintf("%.2f", median(rclone[j])/median(tandem[j])) }
		f.Add("rclone to versitygw (no sync)", place.name, sec(rclone[0]), sec(rclone[1]), sec(rclone[2]), "1", "1", "1")
		f.Add("tandem (synced)", place.name, sec(tandem[0]), sec(tandem[1]), sec(tandem[2]), times(0), times(1), times(2))
	}
	return f, nil
}

// timed runs the steps and returns the seconds each took.
func timed(steps ...func() error) (out [3]float64, err error) {
	for i, step := range steps {
		start := time.Now()
		if err := step(); err != nil {
			return out, err
		}
		out[i] = time.Since(start).Seconds()
	}
	return out, nil
}

func smallRclone(ctx context.Context, src, dir, got string) ([3]float64, error) {
	defer os.RemoveAll(got)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return [3]float64{}, err
	}
	s3, err := engines.NewS3(dir)
	if err != nil {
		return [3]float64{}, err
	}
	defer s3.Remove()
	rclone := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "rclone", append([]string{"--config", "/dev/null", "--transfers", "16", "--checkers", "16", "--s3-disable-checksum=false"}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_CA_BUNDLE=", "RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENDPOINT=http://"+s3.Endpoint, "RCLONE_S3_REGION=us-east-1",
			"RCLONE_S3_ACCESS_KEY_ID="+s3.Key, "RCLONE_S3_SECRET_ACCESS_KEY="+s3.Secret)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("rclone %s: %w\n%s", strings.Join(args, " "), err, text)
		}
		return nil
	}
	remote := ":s3:" + s3.Bucket + "/tree"
	return timed(
		func() error {
			return rclone("copy", "--no-check-dest", "--s3-no-check-bucket", "--no-traverse", src, remote)
		},
		func() error { return rclone("lsf", "-R", "--format", "ps", remote) },
		func() error { return rclone("copy", remote, got) },
	)
}

func smallTandem(ctx context.Context, src, dir, got string) ([3]float64, error) {
	defer os.RemoveAll(got)
	s, err := servers.New(ctx, servers.Options{Dir: filepath.Join(dir, "tandem")})
	if err != nil {
		return [3]float64{}, err
	}
	defer func() { _ = s.Stop(); _ = os.RemoveAll(dir) }()
	do := func(args ...string) error {
		_, err := s.Opts.Run(ctx, args...)
		return err
	}
	if err := do("collection", "create", collection); err != nil {
		return [3]float64{}, err
	}
	out, err := timed(
		func() error { return do("put", src, collection+"/tree") },
		func() error { return do("ls", "-R", "--json", collection+"/tree") },
		func() error { return do("get", collection+"/tree", "--dir", got) },
	)
	if err != nil {
		return out, err
	}
	n, err := sameTree(src, filepath.Join(got, "tree"))
	if err == nil && n != smallFiles {
		err = fmt.Errorf("%d files arrived", n)
	}
	return out, err
}

// sameTree compares every file below a with b's.
func sameTree(a, b string) (n int, err error) {
	err = filepath.Walk(a, func(path string, i os.FileInfo, err error) error {
		if err != nil || i.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(a, path)
		x, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		y, err := os.ReadFile(filepath.Join(b, rel))
		if err == nil && string(x) != string(y) {
			err = fmt.Errorf("%s differs", rel)
		}
		n++
		return err
	})
	return n, err
}

// listing asks for pages of a big folder over HTTP, so that the figure has everything in it.
func listing(ctx context.Context, b *bench) (*page.Figures, error) {
	const files = 100_000
	src := filepath.Join(b.mem, "flat", "folder")
	if err := os.MkdirAll(src, 0o755); err != nil {
		return nil, err
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(src, fmt.Sprintf("file %06d.txt", i)), []byte(strconv.Itoa(i%50)), 0o644); err != nil {
			return nil, err
		}
	}
	pg, stop, err := engines.NewCluster()
	if err != nil {
		return nil, err
	}
	defer stop()
	f := &page.Figures{Head: []string{"catalog", "put of 100,000 (s)", "first page (ms)", "page in the middle (ms)", "slowest of 500 pages (ms)"}, Note: "Whole requests over loopback with a new page each, medians of 100; the server's own time is less."}
	for _, engine := range []struct{ name, url string }{{"SQLite", ""}, {"PostgreSQL", pg}} {
		row, err := listOn(ctx, filepath.Join(b.dir, engine.name), engine.url, src)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", engine.name, err)
		}
		f.Add(append([]string{engine.name}, row...)...)
	}
	return f, nil
}

func listOn(ctx context.Context, dir, database, src string) ([]string, error) {
	s, err := servers.New(ctx, servers.Options{Dir: dir, Database: database})
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	if _, err := s.Opts.Run(ctx, "collection", "create", collection); err != nil {
		return nil, err
	}
	start := time.Now()
	if _, err := s.Opts.Run(ctx, "put", src, collection+"/folder"); err != nil {
		return nil, err
	}
	put := time.Since(start)
	login, err := bearer(ctx, s.URL)
	if err != nil {
		return nil, err
	}
	page := func(after int) (float64, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/collections/"+collection+"/entries/folder?limit=200", nil)
		if err != nil {
			return 0, err
		}
		if after > 0 {
			req.URL.RawQuery += fmt.Sprintf("&after=file+%06d.txt", after)
		}
		req.Header.Set("Authorization", strings.TrimSpace(strings.TrimPrefix(login, "Authorization: ")))
		start := time.Now()
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		took := time.Since(start).Seconds() * 1e3
		if n := strings.Count(string(text), `"path"`); err == nil && n < 200 {
			err = fmt.Errorf("page of %d entries, status %d", n, r.StatusCode)
		}
		return took, err
	}
	var first, middle, all []float64
	for i := range 500 {
		after := 0
		if i >= 100 {
			after = 40_000 + i*37
		}
		t, err := page(after)
		if err != nil {
			return nil, err
		}
		switch {
		case i < 100:
			first = append(first, t)
		case i < 200:
			middle = append(middle, t)
		}
		all = append(all, t)
	}
	return []string{
		fmt.Sprintf("%.1f", put.Seconds()), fmt.Sprintf("%.1f", median(first)),
		fmt.Sprintf("%.1f", median(middle)), fmt.Sprintf("%.1f", slices.Max(all)),
	}, nil
}
