// Package crash kills the real binary with SIGKILL at random points and holds
// that every transfer still ends with the right bytes.
package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tandem/test/peers"
)

var (
	kills = flag.Int("kills", 15, "how many random points to kill at")
	seed  = flag.Uint64("seed", 0, "of the random points; 0: from the clock")
)

type event struct {
	Event string
	Addr  string
	Link  string
	Bytes int64
	Total int64
	Text  string
}

// process is one run of tandem whose events arrive on a channel.
type process struct {
	cmd    *exec.Cmd
	events chan event
}

func start(t *testing.T, bin, state string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "TANDEM_STATE_DIR="+state, "TANDEM_CONFIG_DIR="+state)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(state), filepath.Base(state)+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, make(chan event, 1024)}
	go func() {
		defer log.Close()
		defer close(p.events)
		for s := bufio.NewScanner(out); s.Scan(); {
			var ev event
			if json.Unmarshal(s.Bytes(), &ev) == nil {
				ev.Text = s.Text()
				p.events <- ev
			}
		}
	}()
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	for range p.events {
	}
	_ = p.cmd.Wait()
}

// await returns the first event of that name, or fails.
func (p *process) await(ctx context.Context, t *testing.T, name string) event {
	t.Helper()
	return p.awaitPast(ctx, t, name, "")
}

// awaitPast is await that passes over events of another name.
func (p *process) awaitPast(ctx context.Context, t *testing.T, name, past string) event {
	t.Helper()
	for {
		select {
		case ev, ok := <-p.events:
			if !ok {
				t.Fatalf("tandem ended before %q", name)
			}
			if ev.Event == "error" && past != "error" {
				t.Fatalf("waiting for %q: %s", name, ev.Text)
			}
			if ev.Event == name {
				return ev
			}
		case <-ctx.Done():
			t.Fatalf("no %q event: %v", name, ctx.Err())
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("TANDEM_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "tandem")
	cmd := exec.Command("go", "build", "-o", bin, "tandem/cmd/tandem")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

func TestKilledAtRandomPoints(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	bin, dir := build(t), t.TempDir()
	for round, left := 0, *kills; left > 0; round++ {
		n := min(left, 5)
		left -= n
		t.Run(fmt.Sprintf("round %d", round), func(t *testing.T) {
			killRound(t, rng, bin, filepath.Join(dir, fmt.Sprint(round)), n)
		})
	}
}

// killRound carries one folder over while n kills hit either side.
func killRound(t *testing.T, rng *rand.Rand, bin, dir string, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	src := filepath.Join(dir, "src", "data")
	for i, size := range []int64{8 << 20, 5_000_001, 0, 17} {
		if err := peers.WriteRandom(filepath.Join(src, fmt.Sprintf("f%d", i)), size, rng.Uint64()); err != nil {
			t.Fatal(err)
		}
	}
	listen := "127.0.0.1:0"
	quiet := []string{"--json", "--no-dht", "--no-lan", "--no-portmap"}
	share := func() (*process, string) {
		p := start(t, bin, filepath.Join(dir, "a"), append([]string{"share", src, "--listen", listen, "--up-limit", "6MiB"}, quiet...)...)
		listen = p.await(ctx, t, "listening").Addr
		return p, p.await(ctx, t, "ready").Link
	}
	get := func(link string) *process {
		return start(t, bin, filepath.Join(dir, "b"), append([]string{"get", link, "--dir", filepath.Join(dir, "dst"), "--peer", listen}, quiet...)...)
	}
	for _, d := range []string{"a", "b", "dst"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sharer, link := share()
	getter := get(link)
	defer func() { sharer.kill(); getter.kill() }()
	for range n {
		wait := time.After(time.Duration(rng.Int64N(int64(700 * time.Millisecond))))
		select {
		case <-wait:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
		if rng.IntN(3) == 0 {
			sharer.kill()
			var again string
			if sharer, again = share(); again != link {
				t.Fatalf("the link changed over a restart: %s, then %s", link, again)
			}
			continue
		}
		getter.kill()
		getter = get(link)
	}
	getter.await(ctx, t, "complete")
	want, err := peers.TreeSum(filepath.Dir(src))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := peers.TreeSum(filepath.Join(dir, "dst")); err != nil || got != want {
		t.Fatalf("what arrived differs from what was shared (%v)", err)
	}
}
