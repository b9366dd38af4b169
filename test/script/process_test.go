package script

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prompt is how soon an interrupt ends the program.
const prompt = 2 * time.Second

// program returns the command under test: TANDEM_BIN, or the one inside this test.
func program(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("TANDEM_BIN")
	if bin == "" {
		var err error
		if bin, err = exec.LookPath("tandem"); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func command(ctx context.Context, bin, state string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, bin, args...)
	c.Env = append(os.Environ(), "TANDEM_STATE_DIR="+state, "TANDEM_CONFIG_DIR="+state, "HOME="+state,
		"TANDEM_DHT=false", "TANDEM_LAN=false", "TANDEM_PORT_MAP=false", "TANDEM_LISTEN=127.0.0.1:0")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// running is a process whose output is read up to the line that was awaited.
type running struct {
	*exec.Cmd
	out *bufio.Scanner
}

func run(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	c := command(ctx, program(t), t.TempDir(), append(args, "--json")...)
	out, err := c.StdoutPipe()
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { // its folders go only after it
		cancel()
		_ = c.Wait()
	})
	return &running{Cmd: c, out: bufio.NewScanner(out)}
}

// await returns the first group of the first line that matches.
func (r *running) await(t *testing.T, line string) string {
	t.Helper()
	re := regexp.MustCompile(line)
	for r.out.Scan() {
		if m := re.FindStringSubmatch(r.out.Text()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("%v ended before a line like %s", r.Args[1:], line)
	return ""
}

// interrupt sends the signal of Ctrl-C and returns the exit code and how long it
// took.
func (r *running) interrupt(t *testing.T) (int, time.Duration) {
	t.Helper()
	sent := time.Now()
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for r.out.Scan() {
	}
	err := r.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r.ProcessState.ExitCode(), time.Since(sent)
}

// sparse makes a file that takes minutes to hash and no room.
func sparse(t *testing.T) string {
	t.Helper()
	return sized(t, 1<<40)
}

func sized(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnInterruptEndsEveryPhase(t *testing.T) {
	const served, interrupted = 0, 130
	serving := func(t *testing.T, more ...string) (*running, string) {
		r := run(t, append([]string{"share", sized(t, 8<<20)}, more...)...)
		return r, r.await(t, `"link":"([^"]+)"`)
	}
	for _, c := range []struct {
		name  string
		begin func(t *testing.T) *running
		code  int
	}{
		{"hashing for a share", func(t *testing.T) *running {
			r := run(t, "share", sparse(t))
			r.await(t, `"hashing"`)
			return r
		}, interrupted},
		{"serving with nobody there", func(t *testing.T) *running {
			r, _ := serving(t)
			r.await(t, `"seeding"`)
			return r
		}, served},
		{"serving a receiver", func(t *testing.T) *running {
			r, link := serving(t, "--up-limit", "256KiB")
			run(t, "get", link, "--dir", t.TempDir()).await(t, `"progress","bytes":[1-9]`)
			return r
		}, served},
		{"fetching", func(t *testing.T) *running {
			_, link := serving(t, "--up-limit", "256KiB")
			r := run(t, "get", link, "--dir", t.TempDir())
			r.await(t, `"progress","bytes":[1-9]`)
			return r
		}, interrupted},
		{"serving on what was fetched", func(t *testing.T) *running {
			_, link := serving(t)
			r := run(t, "get", link, "--dir", t.TempDir(), "--keep-seeding", "forever")
			r.await(t, `"seeding"`)
			return r
		}, served},
		{"waiting for the metadata", func(t *testing.T) *running {
			r := run(t, "get", "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567", "--dir", t.TempDir(),
				"--tracker", "http://"+silent(t)+"/announce", "--peer", silent(t))
			r.await(t, `"progress"`)
			return r
		}, interrupted},
		{"a node with nothing to do", func(t *testing.T) *running {
			r := run(t, "node")
			r.await(t, `"listening"`)
			return r
		}, served},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, took := c.begin(t).interrupt(t)
			if code != c.code || took > prompt {
				t.Errorf("exit code %d after %s, want %d within %s", code, took, c.code, prompt)
			}
		})
	}
}

// silent returns the address of somebody who accepts and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}

// TestWhatTheSystemForbids runs as a user who may do little, since nothing is
// forbidden to root.
func TestWhatTheSystemForbids(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "tandem")
	copyFile(t, program(t), bin)
	state, closed, secret := filepath.Join(dir, "state"), filepath.Join(dir, "closed"), filepath.Join(dir, "secret.txt")
	for path, mode := range map[string]os.FileMode{state: 0o777, closed: 0o555} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(secret, []byte("content"), 0); err != nil {
		t.Fatal(err)
	}
	for _, above := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		name  string
		state string
		args  []string
		want  string
	}{
		{"a file that cannot be read", state, []string{"share", secret}, secret},
		{"a torrent that cannot be read", state, []string{"inspect", secret}, secret},
		{"a folder that cannot be written", state, []string{"get", link, "--dir", closed}, closed},
		{"a folder that cannot be made", state, []string{"get", link, "--dir", closed + "/new"}, closed},
		{"a state folder that cannot be made", closed + "/state", []string{"node"}, closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			p := command(ctx, bin, c.state, c.args...)
			p.Dir = dir
			if os.Geteuid() == 0 {
				p.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
			}
			var errs strings.Builder
			p.Stderr = &errs
			err := p.Run()
			if p.ProcessState == nil || p.ProcessState.ExitCode() != 1 {
				t.Fatalf("%v: %s", err, errs.String())
			}
			if s := errs.String(); !strings.Contains(s, "permission denied") || !strings.Contains(s, c.want) || !strings.Contains(s, "hint: look who may use it") {
				t.Errorf("it says %s", s)
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
