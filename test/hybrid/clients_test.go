package hybrid

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/peers"
	"tandem/test/servers"
)

// TestBitTorrentClientsKeepAPublicShareAlive: Debian's clients download through the
// server's .torrent, from its tracker and web seed, and when it is dead serve a
// tandem node that has only the link.
func TestBitTorrentClientsKeepAPublicShareAlive(t *testing.T) {
	for _, c := range []struct {
		name    string
		flags   []string
		clients []peers.Kind
	}{
		{"version 1, for every client", []string{"--v1"}, []peers.Kind{peers.Transmission, peers.Aria2, peers.Libtorrent}},
		{"hybrid, for libtorrent", nil, []peers.Kind{peers.Libtorrent}}, // the others cannot read it: decision record 0004
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			outlive(t, c.flags, c.clients)
		})
	}
}

func outlive(t *testing.T, flags []string, clients []peers.Kind) {
	if m := peers.Missing(); len(m) > 0 {
		t.Fatalf("missing clients: apt-get install %s", strings.Join(m, " "))
	}
	s := newStage(t)
	server, file, l := s.serve(real.Link{Apart: true}, size, append([]string{"--audience", "public"}, flags...)...)
	torrent := filepath.Join(s.dir, "share.torrent")
	if out, err := s.host(real.Link{Apart: true}).Command(t.Context(), "curl", "-sS", "--fail", "-o", torrent, l.URL+".torrent").CombinedOutput(); err != nil {
		t.Fatalf("fetch the .torrent: %v: %s", err, out)
	}
	// A DHT node that is there anyway, busy with other content.
	other := filepath.Join(s.dir, "other", "content.bin")
	if err := peers.WriteRandom(other, 300_000, 31); err != nil {
		t.Fatal(err)
	}
	if _, err := peers.MakeTorrent(t.Context(), other, filepath.Join(s.dir, "other.torrent"), peers.V1); err != nil {
		t.Fatal(err)
	}
	router := s.start(peers.Libtorrent, peers.Job{Host: s.host(real.Link{Apart: true}), Torrent: filepath.Join(s.dir, "other.torrent"), Dir: filepath.Dir(other), Seed: true, DHT: true})
	dht := []string{router.Job.Host.Addr.String() + ":6881"}
	var procs []*peers.Proc
	for _, kind := range clients {
		procs = append(procs, s.start(kind, peers.Job{Host: s.host(real.Link{Apart: true}), Torrent: torrent, DHT: true, DHTNodes: dht}))
	}
	s.wait(file, procs...)
	server.Kill()
	late := s.start(peers.Tandem, peers.Job{Host: s.host(real.Link{Apart: true}), Magnet: l.Link, DHT: true, DHTNodes: dht})
	s.wait(file, late)
}

// stage is hosts in network namespaces.
type stage struct {
	*real.Star
	t      *testing.T
	dir    string
	origin *real.Host // the server's
}

func newStage(t *testing.T) *stage {
	t.Helper()
	star, err := real.NewStar(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := star.Close(); err != nil {
			t.Error(err)
		}
	})
	return &stage{Star: star, t: t, dir: t.TempDir()}
}

func (s *stage) host(link real.Link) *real.Host {
	s.t.Helper()
	h, err := s.Add(s.t.Context(), link)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// serve runs a server on a host of its own and links to a file on it.
func (s *stage) serve(link real.Link, size int64, args ...string) (*servers.Server, string, servers.Link) {
	s.t.Helper()
	h, ctx := s.host(link), s.t.Context()
	s.origin = h
	server, err := servers.New(ctx, servers.Options{
		Dir: filepath.Join(s.dir, "server"), Listen: h.Addr.String() + ":7780",
		Command: func(name string, args ...string) *exec.Cmd {
			return h.Command(context.WithoutCancel(ctx), name, args...)
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(server.Kill)
	file := filepath.Join(s.dir, "content", "file.bin")
	if err := peers.WriteRandom(file, size, 30); err != nil {
		s.t.Fatal(err)
	}
	if err := server.Publish(ctx, "c", file); err != nil {
		s.t.Fatal(err)
	}
	l, err := server.MakeLink(ctx, append([]string{"c/file.bin"}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return server, file, l
}

// until waits until what crossed a host's link is enough.
func (s *stage) until(what string, h *real.Host, enough func(real.Traffic) bool) {
	s.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for over := time.After(patience); ; {
		seen, err := h.Traffic()
		if err != nil {
			s.t.Fatal(err)
		}
		if enough(seen) {
			return
		}
		select {
		case <-look.C:
		case <-over:
			s.t.Fatalf("not after %s: %s: %+v", patience, what, seen)
		}
	}
}

func (s *stage) start(kind peers.Kind, job peers.Job) *peers.Proc {
	s.t.Helper()
	job.Bin, job.State = os.Getenv("TANDEM_BIN"), filepath.Join(s.dir, "state-"+job.Host.Name)
	if job.Dir == "" {
		job.Dir = filepath.Join(s.dir, "got-"+job.Host.Name)
		if err := os.MkdirAll(job.Dir, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	p, err := peers.Start(s.t.Context(), kind, job)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Kill)
	return p
}

// wait waits until all have the file.
func (s *stage) wait(file string, procs ...*peers.Proc) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 75*time.Second)
	defer cancel()
	want, err := peers.TreeSum(filepath.Dir(file))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range slices.Clone(procs) {
		if err := p.Wait(ctx); err != nil {
			s.t.Fatal(err)
		}
		if got, err := peers.TreeSum(p.Job.Dir); err != nil || got != want {
			s.t.Errorf("%s on %s has something else than was shared: %v", p.Kind, p.Job.Host.Name, err)
		}
	}
}
