// Package faults breaks a real central server: kills it, fills its disk, takes
// its database and its object store away, all under concurrent uploads. What was
// acknowledged must be there afterwards and hash right, nothing half may be visible, and
// quotas, catalog and audit log must agree with the content.
package faults

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/test/engines"
	"tandem/test/servers"
)

var (
	kills = flag.Int("kills", 15, "how often to kill the server on SQLite and a folder")
	pairs = flag.Int("pairs", 4, "how often to kill one of two instances on PostgreSQL and S3")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments of killing")
)

func start(t *testing.T, o servers.Options) *servers.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := servers.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	run(t, s, "collection", "create", collection)
	return s
}

func again(t *testing.T, o servers.Options) *servers.Server {
	t.Helper()
	s, err := servers.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func run(t *testing.T, s *servers.Server, args ...string) string {
	t.Helper()
	out, err := s.Opts.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// place is where the server's data is, as the administrator's commands take it.
func place(o servers.Options) []string {
	args := []string{"--data", o.Data}
	if o.Database != "" {
		args = append(args, "--database", o.Database, "--blobs", o.Blobs)
	}
	return args
}

// whole asks the administrator's own commands, which look at everything.
func whole(t *testing.T, s *servers.Server) {
	t.Helper()
	for _, command := range []string{"doctor", "scrub"} {
		if out, err := s.Opts.Run(t.Context(), append([]string{command}, place(s.Opts)...)...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func moment(r *rand.Rand) time.Duration {
	return 30*time.Millisecond + time.Duration(r.Int64N(int64(700*time.Millisecond)))
}

func TestKilledUnderUploadsNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", *seed)
	rnd := rand.New(rand.NewPCG(*seed, 1))
	s := start(t, servers.Options{})
	c := newCrowd(t, s)
	seen := map[string]bool{}
	for range *kills {
		dead := make(chan struct{})
		timer := time.AfterFunc(moment(rnd), func() { s.Kill(); close(dead) })
		c.during(t, time.Minute, 8, dead, s.URL)
		<-dead
		timer.Stop()
		s = again(t, s.Opts)
		c.check(t, s.URL, seen)
		if t.Failed() {
			t.Fatal(s.Log())
		}
	}
	t.Logf("%d kills, %d files acknowledged, refusals %v", *kills, c.count(), c.bad)
	if c.count() < *kills {
		t.Errorf("only %d files were acknowledged: the server was never loaded", c.count())
	}
	whole(t, s)
}

func TestOneOfTwoInstancesKilledNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", *seed)
	rnd := rand.New(rand.NewPCG(*seed, 2))
	o := servers.Options{Database: engines.Cluster(t).Database(t), Blobs: engines.S3(t).URL}
	first := start(t, o)
	second := again(t, servers.Options{Dir: t.TempDir(), Database: o.Database, Blobs: o.Blobs})
	c := newCrowd(t, first)
	seen := map[string]bool{}
	for range *pairs {
		dead := make(chan struct{})
		timer := time.AfterFunc(time.Second+moment(rnd), func() {
			second.Kill()
			time.AfterFunc(500*time.Millisecond, func() { close(dead) }) // the first goes on alone
		})
		c.during(t, time.Minute, 8, dead, first.URL, second.URL)
		<-dead
		timer.Stop()
		c.check(t, first.URL, seen)
		second = again(t, second.Opts)
		if t.Failed() {
			t.Fatal(first.Log())
		}
	}
	c.check(t, second.URL, map[string]bool{}) // the newcomer gives the same, every byte
	t.Logf("%d kills, %d files acknowledged, refusals %v", *pairs, c.count(), c.bad)
	whole(t, first)
}

func TestDatabaseRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	pg := engines.Cluster(t)
	s := start(t, servers.Options{Database: pg.Database(t)})
	c := newCrowd(t, s)
	c.outlives(t, s.URL, pg.Stop, func() { pg.Start(t) })
	refusedOnlyWith(t, c, http.StatusServiceUnavailable)
	whole(t, s)
}

func TestObjectStoreGoneUnderLoad(t *testing.T) {
	t.Parallel()
	s3 := engines.S3(t)
	s := start(t, servers.Options{Database: engines.Cluster(t).Database(t), Blobs: s3.URL})
	c := newCrowd(t, s)
	c.outlives(t, s.URL, s3.Stop, func() { s3.Start(t) })
	refusedOnlyWith(t, c, http.StatusServiceUnavailable)
	whole(t, s)
}

// refusedOnlyWith says that nobody was refused with another status.
func refusedOnlyWith(t *testing.T, c *crowd, want int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d acknowledged, refusals %v", len(c.acked), c.bad)
	for status, n := range c.bad {
		if status != want {
			t.Errorf("%d answers with status %d, the first: %s", n, status, c.said[status])
		}
	}
}

func TestDiskFullLosesNothing(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tandem-full", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	s := start(t, servers.Options{Dir: t.TempDir(), Data: filepath.Join(dir, "data")})
	c := newCrowd(t, s)
	full := make(chan struct{})
	watch, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer close(full)
		every := time.NewTicker(50 * time.Millisecond)
		defer every.Stop()
		for {
			c.mu.Lock()
			n := c.bad[http.StatusInsufficientStorage]
			c.mu.Unlock()
			if n > 20 {
				return
			}
			select {
			case <-every.C:
			case <-watch.Done():
				return
			}
		}
	}()
	c.during(t, time.Minute, 8, full, s.URL)
	cancel()
	<-full
	refusedOnlyWith(t, c, http.StatusInsufficientStorage)
	c.check(t, s.URL, map[string]bool{})
	s.Kill()
	s = again(t, s.Opts)
	c.check(t, s.URL, map[string]bool{})
	if out, err := s.Opts.Run(t.Context(), append([]string{"scrub"}, place(s.Opts)...)...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestBackupUnderLoadRestoresWhole(t *testing.T) {
	t.Parallel()
	s := start(t, servers.Options{})
	c := newCrowd(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.run(ctx, 6, s.URL) }()
	defer func() { cancel(); <-ended }()
	folder := filepath.Join(t.TempDir(), "backup")
	for i := range 2 { // the second adds to the first
		waitFor(t, func() bool { return c.count() > 30*(i+1) })
		run(t, s, append([]string{"backup", "--to", folder}, place(s.Opts)...)...)
	}
	atBackup := c.count()
	waitFor(t, func() bool { return c.count() > atBackup+10 })
	cancel()
	<-ended
	o := servers.Options{Dir: t.TempDir()}
	o.Data = filepath.Join(o.Dir, "restored")
	o.Bin, _ = servers.Binary()
	if out, err := o.Run(t.Context(), "restore", "--from", folder, "--data", o.Data); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := again(t, o)
	whole(t, r)
	was := c.acked
	c.acked = map[string]bool{} // what came after the backup is not in it
	c.login = signIn(t, r.URL)
	c.check(t, r.URL, map[string]bool{})
	if n := len(c.files(t, r.URL)); n < 60 || n > len(was) {
		t.Errorf("%d files restored, %d were acknowledged in all", n, len(was))
	}
}

// waitFor asks ok until it agrees, for a minute; then say has the last word.
func waitFor(t *testing.T, ok func() bool, say ...func()) {
	t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for !ok() {
		select {
		case <-every.C:
		case <-limit.C:
			for _, f := range say {
				f()
			}
			t.Fatal("it did not come about in a minute")
		}
	}
}

func TestServeRefusesASecondServerOnTheSameData(t *testing.T) {
	t.Parallel()
	s := start(t, servers.Options{})
	_, err := servers.Start(t.Context(), s.Opts)
	if err == nil || !strings.Contains(err.Error(), "tandem serve ended") {
		t.Fatalf("a second server runs on the same data: %v", err)
	}
}
