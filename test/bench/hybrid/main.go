// Command hybrid measures one link that is both networks at once beside its two
// halves, its bounds, curl, and BitTorrent clients with a web seed, on shaped
// links and in the same run, and writes the figures to docs/benchmarks.md. It
// needs root; make bench-hybrid runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"tandem/internal/lab/real"
	"tandem/test/bench/page"
	"tandem/test/peers"
)

var (
	bin   = flag.String("tandem", "bin/tandem", "the binary to measure")
	only  = flag.String("only", ".", "cases whose name matches")
	who   = flag.String("clients", "", "of the crowds, only those: tandem,aria2,libtorrent")
	out   = flag.String("out", "", "write the figures here as well, after each case")
	tmp   = flag.String("tmp", "/dev/shm", "memory-backed folder")
	runs  = flag.Int("runs", 5, "runs of each short case, the programs in turn; the median counts")
	keep  = flag.Bool("keep", false, "keep the folders")
	serve = flag.String("serve", "", "more arguments for tandem serve")
	get   = flag.String("get", "", "more arguments for tandem get")
	link  = flag.String("link", "", "more arguments for tandem link")
)

// bench is one run of a case.
type bench struct {
	dir string // in memory, removed at the end
	n   int    // folders made
}

// folder makes a new folder.
func (b *bench) folder(name string) (string, error) {
	b.n++
	dir := filepath.Join(b.dir, fmt.Sprintf("%02d-%s", b.n, name))
	return dir, os.MkdirAll(dir, 0o755)
}

type benchCase struct {
	name, title, target string
	run                 func(context.Context, *bench) (*page.Figures, error)
}

func cases() []benchCase {
	of := func(c crowd) func(context.Context, *bench) (*page.Figures, error) {
		return func(ctx context.Context, b *bench) (*page.Figures, error) { return b.compare(ctx, c) }
	}
	equal := real.Link{Up: 20e6, Down: 100e6, Apart: true}
	ten := crowd{origin: 40e6, links: repeat(equal, 10), bytes: 64 << 20, clients: all}
	twentyfour, copies := ten, ten
	twentyfour.links = repeat(equal, 24)
	copies.clients, copies.copies = []peers.Kind{peers.Tandem}, 1.2
	return []benchCase{
		{"hybrid-single", "One receiver, one server: 10 kB, 10 MB, 1 GB", "at 200 Mbit/s 10 kB and 10 MB within 50 ms of curl, 1 GB <= 1.05 x curl; unshaped: figures only (curl does not hash)", single},
		{"hybrid-ten", "10 receivers at once, server 40 Mbit/s, receivers 20 up / 100 down, 64 MiB", "last <= 1.12 x B2", of(ten)},
		{"hybrid-twentyfour", "The same with 24 receivers", "last <= 1.15 x B2", of(twentyfour)},
		{"hybrid-copies", "10 receivers, the server told to spend at most 1.2 copies", "sends <= 1.25 copies, last <= 1.13 x max{F/u_s, (N-1.2) F / sum u_i}", of(copies)},
		{"hybrid-lans", "Two LANs of 5 behind one uplink each, the server outside both", "payload entering each LAN <= 1.2 copies, leaving <= 1.2", lans},
		{"hybrid-flash", "Flash crowd: 50 receivers 5 up / 20 down, 16 MiB, server budget 5 Mbit/s", "payload over any 10 s <= 1.02 x budget + 256 KiB, all finish, no errors", flash},
		{"hybrid-revoked", "How long after a revocation nodes still serve each other", "seconds while connected", revoked},
	}
}

var all = []peers.Kind{peers.Tandem, peers.Aria2, peers.Libtorrent}

func repeat(l real.Link, n int) []real.Link {
	links := make([]real.Link, n)
	for i := range links {
		links[i] = l
	}
	return links
}

func main() {
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
	dir, err := os.MkdirTemp(*tmp, "tandem-bench-")
	if err != nil {
		return nil, 0, err
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "folder:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	load := page.StartLoad()
	f, err := c.run(ctx, &bench{dir: dir})
	return f, load.Stop(), err
}
