package real_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/fault"
	"tandem/internal/lab"
	"tandem/internal/lab/real"
)

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build builds the binary unless TANDEM_BIN names one.
func build(m *testing.M) int {
	if os.Getenv(crashVar) != "" {
		return crash(os.Getenv(crashVar))
	}
	if os.Getenv("TANDEM_BIN") != "" {
		return tests(m)
	}
	dir, err := os.MkdirTemp("", "tandem-real-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "tandem")
	cmd := exec.Command("go", "build", "-o", bin, "tandem/cmd/tandem")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("TANDEM_BIN", bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return tests(m)
}

// tests runs them, and holds that no goroutine outlives them.
func tests(m *testing.M) int {
	if code := m.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// world is a real world; what it runs is in the test's log.
func world(t *testing.T, shaping string) real.World {
	t.Helper()
	return real.World{Bin: os.Getenv("TANDEM_BIN"), Dir: t.TempDir(), Shaping: shaping, Log: t.Output()}
}

// run makes a run and checks what holds for every one: bytes add up, all that finished
// have the right content, and nothing is left behind.
func run(t *testing.T, w real.World, m lab.Model, s lab.Scenario) *lab.Result {
	t.Helper()
	if err := s.Complete(); err != nil {
		t.Fatal(err)
	}
	last := -1.0
	res, err := w.Run(t.Context(), lab.Run{Place: lab.InReal, Model: m, Scenario: s, Seed: 1, Progress: func(done float64, _ string) {
		if done < last || done > 1 {
			t.Errorf("progress goes from %v to %v", last, done)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("void: %q, incomplete: %q, notes: %q, use: %+v", res.Void, res.Incomplete, res.Notes, res.Use)
	t.Logf("done %d of %d, last %v, times %v, first %v, from origin %d, peers %d, wasted %d, killed %v", res.Done, res.N, res.Last, res.Times, res.First, res.FromOrigin, res.FromPeers, res.Wasted, res.Killed)
	if res.Accepted != 0 {
		t.Errorf("%d wrong bytes in finished files", res.Accepted)
	}
	if got := res.FromOrigin + res.FromPeers; got < int64(res.Done)*int64(s.Size) || res.Done == res.N && got-res.Wasted > int64(res.N)*int64(s.Size) {
		t.Errorf("%d receivers of %d took %d bytes, %d in vain", res.Done, s.Size, got, res.Wasted)
	}
	if len(res.Times) != res.Done || len(res.Progress) != res.Done || !slices.IsSorted(res.Times) || (res.Incomplete == "") != (res.Done == res.N) {
		t.Errorf("%d of %d finished: times %v, progress %v, incomplete %q", res.Done, res.N, res.Times, res.Progress, res.Incomplete)
	}
	if u := res.Use; u.OriginCPU <= 0 || u.PeerCPU <= 0 || u.OriginRSS < 1<<20 || u.PeerRSS < 1<<20 || u.Calibrated <= 0 {
		t.Errorf("what the run cost: %+v", u)
	}
	empty(t, w)
	return res
}

// empty holds that a world's place has nothing in it.
func empty(t *testing.T, w real.World) {
	t.Helper()
	left, err := os.ReadDir(w.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// mixed is three receivers whose uplinks help.
func mixed() lab.Scenario {
	return lab.Scenario{
		Size: 1 << 20, Payload: 1, Origin: lab.Origin{Up: 1_000_000},
		Receivers: []lab.Group{{Count: 3, Up: 500_000, Down: 4_000_000}},
	}
}

// grounds are those that there are for whom runs the tests.
func grounds() []string {
	if os.Geteuid() == 0 {
		return []string{real.UserSpace, real.Namespaces}
	}
	return []string{real.UserSpace}
}

func TestThreeReceiversByEachModel(t *testing.T) {
	t.Parallel()
	for _, shaping := range grounds() {
		for _, m := range lab.Models() {
			t.Run(shaping+", "+string(m), func(t *testing.T) {
				t.Parallel()
				s := mixed()
				res := run(t, world(t, shaping), m, s)
				if res.Done != 3 || res.Use.Shaping != shaping {
					t.Fatalf("%d of 3 finished on %s", res.Done, res.Use.Shaping)
				}
				if m == lab.ClientServer && (res.FromPeers != 0 || res.FromOrigin < 3<<20) {
					t.Errorf("the server gave %d, peers %d", res.FromOrigin, res.FromPeers)
				}
				if m != lab.ClientServer && (res.FromPeers == 0 || res.FromOrigin < 1<<20) {
					t.Errorf("the origin gave %d, peers %d", res.FromOrigin, res.FromPeers)
				}
				// No model is faster than all links together. Limits begin with full buckets:
				// 82 KiB in all.
				up := 1_000_000 + 3*500_000.0
				if m == lab.ClientServer {
					up = 1_000_000
				}
				if bound := (3<<20 - 150_000) / up; res.Last.Seconds() < bound {
					t.Errorf("the last finished after %v; %.2f s is the least", res.Last, bound)
				}
				pairs := int64(0)
				for _, p := range res.Pairs {
					pairs += p.Bytes
				}
				if pairs != res.FromOrigin+res.FromPeers || res.First <= 0 || res.First > res.Median {
					t.Errorf("pairs %v, first byte after %v, median %v", res.Pairs, res.First, res.Median)
				}
			})
		}
	}
}

func TestTheOriginDies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		model lab.Model
		done  int
		why   string
	}{
		{lab.ClientServer, 0, "the origin died, and nobody else gives anything"},
		{lab.PeerToPeer, 3, ""},
		{lab.Hybrid, 3, ""},
	} {
		t.Run(string(c.model), func(t *testing.T) {
			t.Parallel()
			// The origin has given a copy when half of all is there: nobody else has much to give.
			s := mixed()
			s.Receivers[0].Up, s.Stay.Kind = 100_000, lab.StayEnd
			s.Kills = []lab.Kill{{Who: "origin", At: 0.7}}
			res := run(t, world(t, real.UserSpace), c.model, s)
			if len(res.Killed) != 1 || res.Killed[0] <= 0 {
				t.Fatalf("kills at %v", res.Killed)
			}
			if c.done > 0 && res.Done != c.done || c.done == 0 && res.Done == 3 || !strings.Contains(res.Incomplete, c.why) {
				t.Errorf("%d finished, incomplete: %q", res.Done, res.Incomplete)
			}
		})
	}
}

func TestReceiversThatComeAndGo(t *testing.T) {
	t.Parallel()
	s := mixed()
	s.Arrivals = lab.Arrivals{Kind: lab.Poisson, Rate: 4}
	s.Sessions = lab.Sessions{Mean: lab.Duration(1500 * time.Millisecond), Shape: 2, Away: lab.Duration(200 * time.Millisecond)}
	s.Hostile.FreeRiders = 0.34
	res := run(t, world(t, real.UserSpace), lab.Hybrid, s)
	if res.Done != 3 {
		t.Errorf("%d of 3 finished: %s", res.Done, res.Incomplete)
	}
	if !slices.ContainsFunc(res.Notes, func(n string) bool { return strings.Contains(n, "free-riders") }) {
		t.Errorf("notes: %q", res.Notes)
	}
}

// TestAnInterruptedRunLeavesNothing: no processes, namespaces or folders; and another run at
// the same time is not disturbed, as the tests beside this one show.
func TestAnInterruptedRunLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, shaping := range grounds() {
		t.Run(shaping, func(t *testing.T) {
			t.Parallel()
			w, s := world(t, shaping), mixed()
			s.Size = 64 << 20
			if err := s.Complete(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			folder := ""
			_, err := w.Run(ctx, lab.Run{Model: lab.PeerToPeer, Scenario: s, Seed: 1, Progress: func(done float64, _ string) {
				if done > 0 {
					if dirs, _ := filepath.Glob(filepath.Join(w.Dir, "*")); len(dirs) == 1 {
						folder = dirs[0]
					}
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) || folder == "" {
				t.Fatalf("the run in %q ended with %v", folder, err)
			}
			empty(t, w)
			if left := processesOf(t, folder); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
		})
	}
}

// crashVar has a copy of this program make a run in a folder, to be killed meanwhile.
const crashVar = "TANDEM_TEST_CRASH_IN"

func crash(dir string) int {
	s := mixed()
	s.Size = 64 << 20
	if err := s.Complete(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w := real.World{Bin: os.Getenv("TANDEM_BIN"), Dir: dir}
	_, err := w.Run(context.Background(), lab.Run{Model: lab.Hybrid, Scenario: s, Seed: 1, Progress: func(done float64, what string) {
		if done > 0 {
			fmt.Println(what)
		}
	}})
	fmt.Fprintln(os.Stderr, "the run ended:", err)
	return 1
}

// TestACrashedRunIsClearedAway: its processes die with it, the rest goes at the next start.
func TestACrashedRunIsClearedAway(t *testing.T) {
	t.Parallel()
	w := world(t, "")
	lab := exec.Command(os.Args[0], "-test.run=^$")
	lab.Env = append(os.Environ(), crashVar+"="+w.Dir)
	lab.Stderr = t.Output()
	out, err := lab.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Error("the run did not begin")
	}
	running := processesOf(t, w.Dir)
	if err := lab.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = lab.Wait()
	if len(running) < 3 {
		t.Errorf("of the run there were %q", running)
	}
	every, limit := time.NewTicker(10*time.Millisecond), time.After(20*time.Second)
	defer every.Stop()
	for left := running; len(left) > 0; left = processesOf(t, w.Dir) {
		select {
		case <-every.C:
		case <-limit:
			t.Fatalf("still running: %q", left)
		}
	}
	s := mixed()
	if err := s.Complete(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Prepare(t.Context(), s); err != nil {
		t.Error(err)
	}
	empty(t, w)
	if left, err := filepath.Glob(fmt.Sprintf("/run/netns/tdm-%d-*", lab.Process.Pid)); err != nil || len(left) > 0 {
		t.Errorf("namespaces left: %v %v", left, err)
	}
}

// processesOf returns the commands that name a folder.
func processesOf(t *testing.T, folder string) (list []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && strings.Contains(string(b), folder) {
			list = append(list, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return list
}

func TestWhatCannotBeRun(t *testing.T) {
	t.Parallel()
	good := mixed()
	if err := good.Complete(); err != nil {
		t.Fatal(err)
	}
	many, huge := good, good
	many.Origin.Count = 2
	huge.Size = 1 << 50
	for _, c := range []struct {
		name string
		s    lab.Scenario
		bin  string
		want error
		void string
	}{
		{"two origins", many, os.Getenv("TANDEM_BIN"), nil, "one origin"},
		{"more than the disk holds", huge, os.Getenv("TANDEM_BIN"), fault.Full, ""},
		{"no binary", good, "", fault.Invalid, ""},
		{"a binary that is not there", good, filepath.Join(t.TempDir(), "none"), fault.NotFound, ""},
		{"a binary that is something else", good, "true", fault.Closed, ""},
		{"nothing to be brought to anybody", lab.Scenario{}, os.Getenv("TANDEM_BIN"), fault.Invalid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t, real.UserSpace)
			w.Bin = c.bin
			res, err := w.Run(t.Context(), lab.Run{Model: lab.PeerToPeer, Scenario: c.s, Seed: 1})
			if !errors.Is(err, c.want) || err == nil && !strings.Contains(res.Void, c.void) {
				t.Errorf("%+v, %v", res, err)
			}
			empty(t, w)
		})
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	s := mixed()
	if err := s.Complete(); err != nil {
		t.Fatal(err)
	}
	want := grounds()[len(grounds())-1]
	w := world(t, "")
	if how, err := w.Prepare(t.Context(), s); err != nil || how != want {
		t.Errorf("links by %q, %v", how, err)
	}
	s.Size = 1 << 50
	if _, err := w.Prepare(t.Context(), s); !errors.Is(err, fault.Full) {
		t.Errorf("room for 5 PiB: %v", err)
	}
	empty(t, w)
}
