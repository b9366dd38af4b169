// Command swarm measures tandem beside Debian's BitTorrent clients on shaped
// links, on the same content and in the same run, and writes the figures to
// docs/benchmarks.md. It needs root; make bench-swarm runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tandem/test/peers"
)

var (
	bin     = flag.String("tandem", "bin/tandem", "the binary to measure")
	only    = flag.String("run", ".", "scenarios whose name matches")
	clients = flag.String("clients", "tandem,libtorrent,aria2,transmission", "clients to compare")
	repeats = flag.Int("repeats", 1, "runs of each")
	out     = flag.String("out", "", "write the report here as well")
	tmp     = flag.String("tmp", "/dev/shm", "memory-backed folder for content")
	disk    = flag.String("disk", os.TempDir(), "disk-backed folder, for the 10 GiB resume")
	args    = flag.String("args", "", "more arguments for tandem")
	keep    = flag.Bool("keep", false, "keep logs")
	trace   = flag.Bool("trace", false, "clients log their progress")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func bench(ctx context.Context) error {
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if m := peers.Missing(); len(m) > 0 {
		return fmt.Errorf("missing clients: apt-get install %s", strings.Join(m, " "))
	}
	abs, err := filepath.Abs(*bin)
	if err != nil {
		return err
	}
	*bin = abs
	work, err := os.MkdirTemp(*tmp, "tandem-bench-")
	if err != nil {
		return err
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "logs:", work)
	} else {
		defer os.RemoveAll(work)
	}
	r := &report{started: time.Now()}
	for _, s := range scenarios() {
		if !match.MatchString(s.name) {
			continue
		}
		for _, kind := range strings.Split(*clients, ",") {
			if !s.has(peers.Kind(kind)) {
				continue
			}
			for i := range max(*repeats, s.repeats) {
				if err := ctx.Err(); err != nil {
					return err
				}
				dir := filepath.Join(work, fmt.Sprintf("%s-%s-%d", s.name, kind, i))
				rows, err := s.run(ctx, s, peers.Kind(kind), dir)
				if err != nil {
					rows = append(rows, row{scenario: s.name, client: kind, note: "failed: " + firstLine(err)})
					fmt.Fprintln(os.Stderr, err)
				}
				for _, row := range rows {
					r.add(row)
					fmt.Println(row)
				}
				if !*keep {
					os.RemoveAll(dir)
				}
			}
		}
	}
	if *out == "" {
		return nil
	}
	return r.write(*out)
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}
