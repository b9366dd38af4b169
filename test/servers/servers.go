// Package servers runs the real binary as a central server, for tests and
// benchmarks: a data folder of its own, loopback, a free port, an admin called
// "admin" who is signed in.
package servers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Password is the admin's.
const Password = "correct horse battery"

// Options say how to run a Server.
type Options struct {
	Bin      string   // the tandem binary; "": TANDEM_BIN
	Dir      string   // for data, credentials and logs; made if absent
	Data     string   // data folder; "": Dir/data
	Listen   string   // "": 127.0.0.1:0
	Database string   // "": SQLite in Data
	Blobs    string   // "": a folder in Data
	Args     []string // more for serve
	Env      []string
	// Command makes the command; nil: exec.Command. A network namespace's goes here.
	Command func(name string, args ...string) *exec.Cmd
}

// Server is a running tandem serve.
type Server struct {
	URL  string // http://127.0.0.1:PORT
	Opts Options

	cmd  *exec.Cmd
	done chan struct{}
	err  error
	log  *os.File
}

// Binary returns the path of the binary under test.
func Binary() (string, error) {
	bin := os.Getenv("TANDEM_BIN")
	if bin == "" {
		return "", errors.New("TANDEM_BIN names no binary: make build, then TANDEM_BIN=$PWD/bin/tandem")
	}
	return filepath.Abs(bin)
}

// Init makes the admin in the data folder or database.
func Init(ctx context.Context, o *Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	args := append([]string{"admin", "init", "--user", "admin", "--password-file", o.PasswordFile()}, o.place()...)
	_, err := o.Run(ctx, args...)
	return err
}

func (o *Options) complete() (err error) {
	if o.Bin == "" {
		if o.Bin, err = Binary(); err != nil {
			return err
		}
	}
	if o.Data == "" {
		o.Data = filepath.Join(o.Dir, "data")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(o.PasswordFile(), []byte(Password+"\n"), 0o600)
}

// PasswordFile holds Password.
func (o *Options) PasswordFile() string { return filepath.Join(o.Dir, "password") }

func (o *Options) place() []string {
	args := []string{"--data", o.Data}
	if o.Database != "" {
		args = append(args, "--database", o.Database)
	}
	if o.Blobs != "" {
		args = append(args, "--blobs", o.Blobs)
	}
	return args
}

// Environ is the environment in which commands find the credentials.
func (o *Options) Environ() []string {
	env := append(os.Environ(), "TANDEM_CONFIG_DIR="+filepath.Join(o.Dir, "config"), "TANDEM_STATE_DIR="+filepath.Join(o.Dir, "state"), "NO_COLOR=1")
	return append(env, o.Env...)
}

func (o *Options) command(args ...string) *exec.Cmd {
	make := o.Command
	if make == nil {
		make = exec.Command
	}
	cmd := make(o.Bin, args...)
	cmd.Env = o.Environ()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return cmd
}

// Run runs a tandem command and returns what it printed; the error has what it said.
func (o *Options) Run(ctx context.Context, args ...string) (string, error) {
	cmd := o.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		return out.String(), fmt.Errorf("tandem %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// Start runs tandem serve and waits until it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(o.Dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--json", "--listen", o.Listen}, o.place()...)
	cmd := o.command(append(args, o.Args...)...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{Opts: o, cmd: cmd, done: make(chan struct{}), log: log}
	ready := make(chan string, 1)
	var lines sync.WaitGroup
	lines.Go(func() { s.follow(out, ready) })
	go func() {
		lines.Wait()
		s.err = cmd.Wait()
		close(s.done)
	}()
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	select {
	case s.URL = <-ready:
		return s, s.await(ctx)
	case <-s.done:
		return nil, fmt.Errorf("tandem serve ended: %w\n%s", s.err, s.Log())
	case <-limit.C:
		s.Kill()
		return nil, fmt.Errorf("tandem serve is not ready\n%s", s.Log())
	case <-ctx.Done():
		s.Kill()
		return nil, ctx.Err()
	}
}

// follow keeps the events that serve prints, and reports the address in the first that has one.
func (s *Server) follow(out io.Reader, ready chan<- string) {
	in := bufio.NewScanner(out)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		fmt.Fprintln(s.log, in.Text())
		var e struct {
			URL string `json:"url"`
		}
		if json.Unmarshal(in.Bytes(), &e) == nil && e.URL != "" {
			select {
			case ready <- strings.TrimRight(e.URL, "/"):
			default:
			}
		}
	}
}

// await asks /readyz, unless the server is in a namespace of its own.
func (s *Server) await(ctx context.Context) error {
	if s.Opts.Command != nil {
		return nil
	}
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		r, err := http.Get(s.URL + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-every.C:
		case <-s.done:
			return fmt.Errorf("tandem serve ended: %w\n%s", s.err, s.Log())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Login signs the admin in.
func (s *Server) Login(ctx context.Context) error {
	_, err := s.Opts.Run(ctx, "login", s.URL, "--user", "admin", "--password-file", s.Opts.PasswordFile())
	return err
}

// New makes the admin, starts a server and signs in.
func New(ctx context.Context, o Options) (*Server, error) {
	if err := Init(ctx, &o); err != nil {
		return nil, err
	}
	s, err := Start(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.Login(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// PID is the server process's.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the server as kill -9 does and waits.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
	_ = s.log.Close()
}

// Stop asks the server to end and waits; it is killed after a minute.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case <-s.done:
	case <-limit.C:
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	_ = s.log.Close()
	return s.err
}

// Log returns what the server said, the end of it.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.log.Name())
	return string(b[max(0, len(b)-16<<10):])
}
