// Package interop holds tandem against Debian's real BitTorrent clients, each on
// a host of its own in network namespaces.
//
// go test runs every client, role and source once; with -matrix the whole
// product of encryption, version and shape of content.
package interop

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/lab/real"
	"tandem/internal/metainfo"
	"tandem/test/peers"
)

var (
	matrix = flag.Bool("matrix", false, "run every combination")
	keep   = flag.Bool("keep", false, "keep the clients' logs and say where")
	bin    string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if missing := peers.Missing(); len(missing) > 0 || os.Geteuid() != 0 {
		fmt.Fprintf(os.Stderr, "interop tests need root and the real clients: apt-get install %s\n", strings.Join(missing, " "))
		return 1
	}
	dir, err := os.MkdirTemp("", "tandem-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if !*keep {
		defer os.RemoveAll(dir)
	}
	bin = os.Getenv("TANDEM_BIN")
	if bin == "" {
		bin = filepath.Join(dir, "tandem")
		cmd := exec.Command("go", "build", "-o", bin, "tandem/cmd/tandem")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

type combination struct {
	client  peers.Kind
	seeds   bool // the real client seeds and tandem fetches
	magnet  bool
	encrypt peers.Encrypt
	version peers.Versions
	folder  bool
}

func (c combination) String() string {
	role, source, enc, version, shape := "leeches", "torrent", "default", "v1", "file"
	if c.seeds {
		role = "seeds"
	}
	if c.magnet {
		source = "magnet"
	}
	if c.encrypt != "" {
		enc = string(c.encrypt)
	}
	switch c.version {
	case peers.Hybrid:
		version = "hybrid"
	case peers.V2:
		version = "v2"
	}
	if c.folder {
		shape = "folder"
	}
	return strings.Join([]string{string(c.client), role, source, enc, version, shape}, "/")
}

// combinations lists the whole matrix, or, for everyday runs, every client,
// role and source once, the other dimensions taking turns.
func combinations(all bool) []combination {
	encs := []peers.Encrypt{"", peers.EncryptRequire, peers.EncryptForbid}
	var out []combination
	turn := 0
	for _, client := range []peers.Kind{peers.Transmission, peers.Aria2, peers.Libtorrent} {
		versions := []peers.Versions{peers.V1} // see TestOldClientsCannotReadHybrids
		if client == peers.Libtorrent {
			versions = []peers.Versions{peers.V1, peers.Hybrid, peers.V2}
		}
		for _, seeds := range []bool{true, false} {
			for _, magnet := range []bool{false, true} {
				turn++
				for e, enc := range encs {
					for v, version := range versions {
						for f, folder := range []bool{false, true} {
							always := version == peers.V2 && !magnet && e == 0 && f == 0 // libtorrent asks behind a file's end
							if all || always || e == turn%3 && v == (turn+1)%len(versions) && f == turn/2%2 {
								out = append(out, combination{client, seeds, magnet, enc, version, folder})
							}
						}
					}
				}
			}
		}
	}
	return out
}

// arena is a star with a tracker on it.
type arena struct {
	*real.Star
	t       *testing.T
	tracker *peers.Tracker
	dir     string
	salt    uint64 // makes content differ
}

func newArena(t *testing.T) *arena {
	t.Helper()
	star, err := real.NewStar(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := &arena{Star: star, t: t}
	if *keep {
		a.dir, _ = os.MkdirTemp("", "interop-")
		t.Log("logs:", a.dir)
	} else {
		a.dir = t.TempDir()
	}
	t.Cleanup(func() {
		if a.tracker != nil {
			a.tracker.Close()
		}
		if err := star.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *arena) host() *real.Host {
	a.t.Helper()
	h, err := a.Add(a.t.Context(), real.Link{})
	if err != nil {
		a.t.Fatal(err)
	}
	return h
}

func (a *arena) track() string {
	a.t.Helper()
	tr, err := peers.StartTracker(a.host())
	if err != nil {
		a.t.Fatal(err)
	}
	a.tracker = tr
	return tr.URL
}

// content makes a file of about 3 MiB, or a folder of 200 files.
func (a *arena) content(folder bool, v peers.Versions, trackers ...string) (dir string, tor *metainfo.Torrent, path string) {
	a.t.Helper()
	dir = filepath.Join(a.dir, "seed")
	name := filepath.Join(dir, "content.bin")
	var err error
	if folder {
		name = filepath.Join(dir, "folder")
		for i := 0; i < 200 && err == nil; i++ {
			size := int64(i*i*7%50000 + i%3 + 1) // up to several pieces; transmission leaves out empty files
			err = peers.WriteRandom(filepath.Join(name, fmt.Sprintf("d%d", i%7), fmt.Sprintf("file %03d.bin", i)), size, a.salt+uint64(i))
		}
	} else {
		err = peers.WriteRandom(name, 3<<20+12345, a.salt+1)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	path = filepath.Join(a.dir, "content.torrent")
	tor, err = peers.MakeTorrent(a.t.Context(), name, path, v, trackers...)
	if err != nil {
		a.t.Fatal(err)
	}
	return dir, tor, path
}

// fill completes a job.
func (a *arena) fill(job peers.Job) peers.Job {
	a.t.Helper()
	job.Args = append(job.Args, "-v") // a failure prints the end of the log
	job.Bin, job.State = bin, filepath.Join(a.dir, "state-"+job.Host.Name)
	if job.Dir == "" {
		job.Dir = filepath.Join(a.dir, "got-"+job.Host.Name)
		if err := os.MkdirAll(job.Dir, 0o755); err != nil {
			a.t.Fatal(err)
		}
	}
	return job
}

func (a *arena) start(kind peers.Kind, job peers.Job) *peers.Proc {
	a.t.Helper()
	p, err := peers.Start(a.t.Context(), kind, a.fill(job))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(p.Kill)
	return p
}

// seed starts a seeder and waits for its announcement.
func (a *arena) seed(kind peers.Kind, job peers.Job) {
	a.t.Helper()
	p, err := a.tracker.StartSeed(a.t.Context(), kind, a.fill(job), time.Minute)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(p.Kill)
}

// same fails the test when what arrived is not what was shared.
func (a *arena) same(seedDir string, procs ...*peers.Proc) {
	a.t.Helper()
	want, err := peers.TreeSum(seedDir)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, p := range procs {
		if got, err := peers.TreeSum(p.Job.Dir); err != nil || got != want {
			a.t.Errorf("%s on %s has something else than was shared: %v", p.Kind, p.Job.Host.Name, err)
		}
	}
}

func magnetOf(t *metainfo.Torrent, trackers ...string) string {
	m := metainfo.Magnet{Name: t.Manifest.Name, InfoHash1: t.Manifest.InfoHash1, InfoHash2: t.Manifest.InfoHash2, Trackers: trackers}
	return m.String()
}

func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestClients(t *testing.T) {
	for _, c := range combinations(*matrix) {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			pair(t, c)
		})
	}
}

// pair moves content between tandem and one real client.
func pair(t *testing.T, c combination) {
	a := newArena(t)
	url := a.track()
	dir, tor, path := a.content(c.folder, c.version, url)
	from, to := peers.Tandem, c.client
	if c.seeds {
		from, to = c.client, peers.Tandem
	}
	a.seed(from, peers.Job{Host: a.host(), Torrent: path, Dir: dir, Seed: true, Encrypt: c.encrypt, Trace: *keep})
	job := peers.Job{Host: a.host(), Torrent: path, Encrypt: c.encrypt, Trace: *keep}
	if c.magnet {
		job.Torrent, job.Magnet = "", magnetOf(tor, url)
	}
	leech := a.start(to, job)
	if err := leech.Wait(deadline(t, 90*time.Second)); err != nil {
		t.Fatal(err)
	}
	a.same(dir, leech)
}

func TestMixedSwarm(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	url := a.track()
	dir, tor, path := a.content(false, peers.V1, url) // see TestOldClientsCannotReadHybrids
	a.seed(peers.Tandem, peers.Job{Host: a.host(), Torrent: path, Dir: dir, Seed: true})
	var procs []*peers.Proc
	for i, kind := range []peers.Kind{peers.Tandem, peers.Aria2, peers.Libtorrent, peers.Transmission, peers.Tandem, peers.Libtorrent} {
		job := peers.Job{Host: a.host(), Torrent: path}
		if i == 4 {
			job.Torrent, job.Magnet = "", magnetOf(tor, url)
		}
		procs = append(procs, a.start(kind, job))
	}
	ctx := deadline(t, 120*time.Second)
	for _, p := range procs {
		if err := p.Wait(ctx); err != nil {
			t.Error(err)
		}
	}
	if !t.Failed() {
		a.same(dir, procs...)
	}
}
