// Package peers runs real BitTorrent clients, tandem among them, as black boxes
// on the hosts of a star: Debian's aria2, transmission and libtorrent.
package peers

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tandem/internal/lab/real"
)

// Kind is a client program.
type Kind string

// The clients.
const (
	Tandem       Kind = "tandem"
	Aria2        Kind = "aria2"
	Transmission Kind = "transmission"
	Libtorrent   Kind = "libtorrent"
)

// Encrypt is a client's policy for the BitTorrent handshake.
type Encrypt string

// The policies; the zero value is the client's default.
const (
	EncryptRequire Encrypt = "require"
	EncryptForbid  Encrypt = "forbid"
)

// Job is what a client is to do. Exactly one of Torrent and Magnet is set.
type Job struct {
	Host     *real.Host `json:"-"`
	Addr     string     // filled in
	Port     int        // 0: 6881
	Torrent  string     // path
	Magnet   string     // or, for tandem, a ticket
	Dir      string     // where the content is or goes
	State    string     // an empty folder of its own
	Encrypt  Encrypt
	DHT      bool
	LAN      bool     // tandem only
	DHTNodes []string // host:port
	Peers    []string // host:port, for those that take them
	Seed     bool     // the content is already in Dir
	Bin      string   `json:"-"` // path of tandem
	Args     []string `json:"-"` // more arguments, tandem only
	Trace    bool
}

// Proc is a running client.
type Proc struct {
	Kind Kind
	Job  Job

	cmd      *exec.Cmd
	started  time.Time
	mu       sync.Mutex
	complete time.Time
	done     chan struct{} // closed when complete
	exited   chan struct{}
	err      error
}

//go:embed libtorrent.py
var libtorrentScript string

// Start runs a client.
func Start(ctx context.Context, kind Kind, job Job) (*Proc, error) {
	if job.Port == 0 {
		job.Port = 6881
	}
	job.Addr = job.Host.Addr.String()
	if err := os.MkdirAll(job.State, 0o755); err != nil {
		return nil, err
	}
	p := &Proc{Kind: kind, Job: job, done: make(chan struct{}), exited: make(chan struct{})}
	name, args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	p.cmd = job.Host.Command(ctx, name, args...)
	p.cmd.Env = append(os.Environ(), "HOME="+job.State, "TANDEM_STATE_DIR="+job.State, "TANDEM_CONFIG_DIR="+job.State, "TR_CURL_VERBOSE=0")
	log, err := os.Create(p.LogPath())
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind, err)
	}
	go p.watch(ctx, out, log)
	return p, nil
}

// Started returns when the process was started.
func (p *Proc) Started() time.Time { return p.started }

// LogPath is where the client's output goes.
func (p *Proc) LogPath() string { return filepath.Join(p.Job.State, "log") }

// Done is closed when the client has the whole content, verified.
func (p *Proc) Done() <-chan struct{} { return p.done }

// Completed returns when that was; zero before.
func (p *Proc) Completed() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.complete
}

// Wait waits for completion, the client's end or ctx.
func (p *Proc) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-p.exited:
		select {
		case <-p.done:
			return nil
		default:
		}
		return fmt.Errorf("%s on %s ended before it was complete: %v; %s", p.Kind, p.Job.Host.Name, p.err, p.tail())
	case <-ctx.Done():
		return fmt.Errorf("%s on %s is not complete: %w; %s", p.Kind, p.Job.Host.Name, ctx.Err(), p.tail())
	}
}

// Kill ends the client at once and waits for it.
func (p *Proc) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Stop asks the client to end, then insists.
func (p *Proc) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.exited:
	case <-time.After(3 * time.Second):
		p.Kill()
	}
}

// Usage returns CPU time and peak memory in bytes of a client that has ended.
func (p *Proc) Usage() (cpu time.Duration, rss int64) {
	<-p.exited
	st := p.cmd.ProcessState
	if ru, ok := st.SysUsage().(*syscall.Rusage); ok {
		rss = ru.Maxrss << 10
	}
	return st.UserTime() + st.SystemTime(), rss
}

func (p *Proc) tail() string {
	b, _ := os.ReadFile(p.LogPath())
	if len(b) > 2000 {
		b = b[len(b)-2000:]
	}
	return string(b)
}

func (p *Proc) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.complete.IsZero() {
		p.complete = time.Now()
		close(p.done)
	}
}

// watch reads the client's output until it ends.
func (p *Proc) watch(ctx context.Context, out io.Reader, log *os.File) {
	defer log.Close()
	stop := make(chan struct{})
	go p.poll(stop)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := s.Text()
		fmt.Fprintln(log, line)
		if p.Kind == Libtorrent && line == "complete" || p.Kind == Tandem && isComplete(line) {
			p.finish()
		}
	}
	_, _ = io.Copy(io.Discard, out)
	p.err = p.cmd.Wait()
	close(stop)
	close(p.exited)
}

// poll watches for the file that a client's completion hook makes.
func (p *Proc) poll(stop chan struct{}) {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			if _, err := os.Stat(p.hookFile()); err == nil {
				p.finish()
				return
			}
		}
	}
}

func (p *Proc) hookFile() string { return filepath.Join(p.Job.State, "complete") }

// hook writes the script that a client runs on completion.
func (p *Proc) hook() (string, error) {
	path := filepath.Join(p.Job.State, "hook")
	return path, os.WriteFile(path, []byte("#!/bin/sh\n: > '"+p.hookFile()+"'\n"), 0o755)
}

func isComplete(line string) bool {
	var ev struct{ Event string }
	return json.Unmarshal([]byte(line), &ev) == nil && (ev.Event == "complete" || ev.Event == "seeding")
}

func (p *Proc) source() string {
	if p.Job.Torrent != "" {
		return p.Job.Torrent
	}
	return p.Job.Magnet
}

func (p *Proc) arguments() (string, []string, error) {
	switch p.Kind {
	case Tandem:
		return p.Job.Bin, p.tandemArgs(), nil
	case Aria2:
		args, err := p.aria2Args()
		return "aria2c", args, err
	case Transmission:
		args, err := p.transmissionArgs()
		return "transmission-cli", args, err
	case Libtorrent:
		j, err := json.Marshal(p.Job)
		return "/usr/bin/python3", []string{"-c", libtorrentScript, string(j)}, err
	}
	return "", nil, fmt.Errorf("no client %q", p.Kind)
}

func (p *Proc) tandemArgs() []string {
	j := p.Job
	listen := netip.AddrPortFrom(j.Host.Addr, uint16(j.Port)).String()
	var args []string
	if j.Seed {
		args = []string{"seed", j.Torrent}
	} else {
		args = []string{"get", p.source(), "--keep-seeding", "forever"}
	}
	args = append(args, "--dir", j.Dir, "--listen", listen, "--json", "--no-portmap")
	if !j.LAN {
		args = append(args, "--no-lan")
	}
	if !j.DHT {
		args = append(args, "--no-dht")
	}
	for _, n := range j.DHTNodes {
		args = append(args, "--dht-node", n)
	}
	for _, a := range j.Peers {
		args = append(args, "--peer", a)
	}
	if j.Encrypt != "" {
		args = append(args, "--encryption", string(j.Encrypt))
	}
	return append(args, j.Args...)
}

func (p *Proc) aria2Args() ([]string, error) {
	j := p.Job
	hook, err := p.hook()
	if err != nil {
		return nil, err
	}
	args := []string{
		"--dir=" + j.Dir, fmt.Sprintf("--listen-port=%d", j.Port), fmt.Sprintf("--dht-listen-port=%d", j.Port),
		"--no-conf=true", "--seed-ratio=0.0", "--bt-enable-lpd=false", "--enable-dht6=false", "--file-allocation=none",
		"--enable-color=false", "--summary-interval=0", "--console-log-level=notice", "--bt-tracker-interval=5",
		"--on-bt-download-complete=" + hook, "--allow-overwrite=true",
		fmt.Sprintf("--enable-dht=%v", j.DHT), "--dht-file-path=" + filepath.Join(j.State, "dht.dat"),
		"--log-level=info", "--log=" + filepath.Join(j.State, "aria2.log"),
	}
	for _, n := range j.DHTNodes {
		args = append(args, "--dht-entry-point="+n)
	}
	if j.Seed {
		args = append(args, "--check-integrity=true", "--bt-hash-check-seed=true")
	}
	switch j.Encrypt {
	case EncryptRequire:
		args = append(args, "--bt-require-crypto=true", "--bt-min-crypto-level=arc4")
	case EncryptForbid:
		args = append(args, "--bt-require-crypto=false", "--bt-min-crypto-level=plain")
	}
	return append(args, p.source()), nil
}

func (p *Proc) transmissionArgs() ([]string, error) {
	j := p.Job
	hook, err := p.hook()
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(map[string]any{
		"dht-enabled": false, "lpd-enabled": false, "pex-enabled": true, "utp-enabled": false,
		"port-forwarding-enabled": false, "bind-address-ipv4": j.Addr, "rpc-enabled": false,
		"peer-port-random-on-start": false, "trash-original-torrent-files": false,
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(j.State, "settings.json"), settings, 0o644); err != nil {
		return nil, err
	}
	enc := map[Encrypt]string{"": "-ep", EncryptRequire: "-er", EncryptForbid: "-et"}[j.Encrypt]
	args := []string{"-g", j.State, "-w", j.Dir, "-p", fmt.Sprint(j.Port), "-M", "-f", hook, enc, "-U", "-D", "-B"}
	if j.Seed {
		args = append(args, "-v")
	}
	return append(args, p.source()), nil
}

// Missing names the clients that are not installed, as Debian calls their
// packages.
func Missing() []string {
	var out []string
	for _, p := range []struct{ bin, pkg string }{{"aria2c", "aria2"}, {"transmission-cli", "transmission-cli"}} {
		if _, err := exec.LookPath(p.bin); err != nil {
			out = append(out, p.pkg)
		}
	}
	if b, err := exec.Command("/usr/bin/python3", "-c", "import libtorrent").CombinedOutput(); err != nil || strings.TrimSpace(string(b)) != "" {
		out = append(out, "python3-libtorrent")
	}
	return out
}
