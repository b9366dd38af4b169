// Package engines starts the real engines that tandem's server stands on in
// tests: PostgreSQL, an S3 server (versitygw) and nginx, each on loopback or a Unix
// socket, with its data in a temporary folder.
//
// A missing program fails the test and says what to install; nothing is skipped.
// Every process is ended by its own ID, and with the test process should that die first.
package engines

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTime bounds how long an engine may take until it answers.
const startTime = 60 * time.Second

// process is one engine at work.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
	out  *tail
}

// start runs cmd; stop ends it. Its output is kept for the error message.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{}), out: &tail{}}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop sends sig and waits; a process that does not listen is killed.
func (p *process) stop(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	t := time.NewTimer(20 * time.Second)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// await asks ready until it agrees, the process ends or time is up.
func (p *process) await(ready func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %v\n%s", filepath.Base(p.cmd.Path), p.err, p.out)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", filepath.Base(p.cmd.Path), err, p.out)
		case <-every.C:
		}
	}
}

func dialable(network, addr string) func() error {
	return func() error {
		c, err := net.DialTimeout(network, addr, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// tail keeps the last of what a program said.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// find returns the path of a program, or an error that says what to install.
func find(program, install string, places ...string) (string, error) {
	for _, pattern := range places {
		if hits, _ := filepath.Glob(pattern); len(hits) > 0 {
			return hits[len(hits)-1], nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is missing; install it with: %s", program, install)
	}
	return path, nil
}

// freePort returns a TCP port of 127.0.0.1 that nobody listens on. Another program may take it
// before the engine does; the engine then fails to start and says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// folder makes a temporary folder with a short name (Unix sockets live in it) that
// its owner alone enters.
func folder(pattern string, owner *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil || owner == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func waitPort(p *process, port int) error {
	return p.await(dialable("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))))
}
