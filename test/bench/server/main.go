// Command server measures tandem as a central server beside Debian's nginx and
// rclone to versitygw, on the same files and in the same run, and writes the
// figures to docs/benchmarks.md. The shaped case needs root; make bench-server runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"tandem/test/bench/page"
)

var (
	bin  = flag.String("tandem", "bin/tandem", "the binary to measure")
	only = flag.String("run", ".", "cases whose name matches")
	out  = flag.String("out", "", "write the figures here as well")
	mem  = flag.String("tmp", "/dev/shm", "memory-backed folder")
	disk = flag.String("disk", os.TempDir(), "disk-backed folder")
	runs = flag.Int("runs", 5, "runs of each short case, the two programs in turn; the median counts")
	keep = flag.Bool("keep", false, "keep the folders")
)

// bench is one run of the command.
type bench struct {
	dir  string // on disk, removed at the end
	mem  string // in memory, removed at the end
	load page.LoadMeter
}

type benchCase struct {
	name, title, target string
	run                 func(context.Context, *bench) (*page.Figures, error)
}

func cases() []benchCase {
	return []benchCase{
		{"server-one", "One client, 1 GiB over loopback HTTP", ">= 0.9 x nginx", oneClient},
		{"server-64", "64 clients, 10 MiB each", ">= 0.8 x nginx with 2 workers", sixtyFour},
		{"server-500", "500 clients, 100 KiB, keep-alive, 20 requests each", ">= 0.6 x nginx with 2 workers, p99 <= 2 x", fiveHundred},
		{"server-shaped", "10 receivers from one 40 Mbit/s uplink, 16 MiB", "last finisher <= 1.06 x bound B1", shaped},
		{"server-upload", "Upload of 1 GiB, hashed and durable", ">= 0.8 x the slower of disk and SHA-256", upload},
		{"server-small", "10,000 files of 4 KiB: put, list, get", "put >= 0.5 x rclone to versitygw on disk (which does not sync), not slower on tmpfs", small},
		{"server-list", "A page of 200 in a folder of 100,000 files", "< 50 ms", listing},
		{"server-slow", "2,000 slow clients at 10 kB/s", "all served, resident memory <= 300 MB", slow},
		{"server-two", "Two instances instead of one, PostgreSQL and S3", "both figures, nothing lost when one is killed under load", two},
	}
}

func main() {
	if setting := os.Getenv(floorEnv); setting != "" {
		fmt.Fprintln(os.Stderr, "bench:", beFloor(setting))
		os.Exit(1)
	}
	flag.Parse()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	var list []page.Case
	for _, c := range cases() {
		list = append(list, page.Case{Name: c.name, Title: c.title, Target: c.target, Run: c.measure})
	}
	page.Main(*only, *out, list)
}

// prepare names the binary for what starts it.
func prepare() (err error) {
	if *bin, err = filepath.Abs(*bin); err != nil {
		return err
	}
	return os.Setenv("TANDEM_BIN", *bin)
}

func (c benchCase) measure(ctx context.Context) (*page.Figures, float64, error) {
	b := &bench{load: page.StartLoad()}
	for dir, parent := range map[*string]string{&b.dir: *disk, &b.mem: *mem} {
		made, err := os.MkdirTemp(parent, "tandem-bench-")
		if err != nil {
			return nil, 0, err
		}
		*dir = made
		if *keep {
			fmt.Fprintln(os.Stderr, "folder:", made)
		} else {
			defer os.RemoveAll(made)
		}
	}
	f, err := c.run(ctx, b)
	return f, b.load.Stop(), err
}
