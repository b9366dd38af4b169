package real

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tandem/internal/fault"
)

// maxLine bounds a line of a program's output, maxSaid what is kept of its complaints.
const (
	maxLine = 1 << 20
	maxSaid = 4 << 10
)

// program says what to run, where and as whom.
type program struct {
	name string // for the log
	bin  string
	args []string
	home string // an empty folder of its own: state, configuration, complaints
	seat seat
	log  *journal
	tell func(event, time.Time) // what it prints, as it comes, from one goroutine; may be nil
	over func()                 // called last, when it has ended; may be nil
}

// process is a program that runs, or has run.
type process struct {
	program
	cmd     *exec.Cmd
	started time.Time
	said    *tail         // standard error
	done    chan struct{} // closed when it has ended
	err     error         // how; after done
	killed  atomic.Bool   // by us
	peak    int64         // most memory seen, in bytes; the owner's
	before  time.Duration // CPU time it had used when the run began; the owner's
}

// start starts a program.
func (p program) start() (*process, error) {
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		return nil, err
	}
	r := &process{program: p, said: &tail{}, done: make(chan struct{})}
	r.cmd = exec.Command(p.bin, p.args...)
	r.cmd.Env = environ(p.home)
	r.cmd.Stderr = r.said
	own(r.cmd)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.log.command(p)
	r.started = time.Now()
	if err := p.seat.start(r.cmd); err != nil {
		return nil, fault.Wrap(fault.NotFound, fmt.Errorf("start %s: %w", p.name, err))
	}
	go r.follow(out)
	return r, nil
}

// follow reads what the process prints until it has ended.
func (r *process) follow(out io.Reader) {
	defer close(r.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		now := time.Now()
		if e, ok := parseEvent(lines.Bytes()); ok && r.tell != nil {
			r.tell(e, now)
		}
	}
	_, _ = io.Copy(io.Discard, out)
	r.err = r.cmd.Wait()
	if r.err != nil && !r.killed.Load() {
		r.log.printf("[%s] %v: %s", r.name, r.err, r.said.String())
	}
	if r.over != nil {
		r.over()
	}
}

// kill ends the process at once, as kill -9 does, and waits for it.
func (r *process) kill() {
	r.killed.Store(true)
	_ = r.cmd.Process.Kill()
	<-r.done
}

// ended reports whether it has.
func (r *process) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// look notes how much memory it has used at most. It asks the system for the process's
// own peak: that of its resource usage counts what its parent had when it was started.
func (r *process) look() {
	r.peak = max(r.peak, peakMemory(r.cmd.Process.Pid))
}

// usage returns its CPU time since the run began and its peak memory in bytes, once it
// has ended.
func (r *process) usage() (cpu time.Duration, memory int64) {
	<-r.done
	st := r.cmd.ProcessState
	if r.peak == 0 {
		r.peak = childMemory(st)
	}
	return max(st.UserTime()+st.SystemTime()-r.before, 0), r.peak
}

// run runs a program to its end and returns what it printed.
func (p program) run(ctx context.Context) (string, error) {
	cmd := exec.Command(p.bin, p.args...)
	cmd.Env = environ(p.home)
	own(cmd)
	var out bytes.Buffer
	said := &tail{}
	cmd.Stdout, cmd.Stderr = &out, said
	p.log.command(p)
	if err := p.seat.start(cmd); err != nil {
		return "", fault.Wrap(fault.NotFound, fmt.Errorf("start %s: %w", p.name, err))
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("tandem %s: %w: %s", strings.Join(p.args, " "), err, said)
	}
	return out.String(), nil
}

// environ is the environment of measured programs: that of this process without what
// would change what is measured.
func environ(home string) []string {
	var env []string
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(kv, "=")
		key = strings.ToUpper(key)
		if strings.HasPrefix(key, "TANDEM_") || strings.HasSuffix(key, "_PROXY") {
			continue
		}
		env = append(env, kv)
	}
	return append(env, "HOME="+home, "TANDEM_STATE_DIR="+home, "TANDEM_CONFIG_DIR="+home, "NO_COLOR=1")
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - maxSaid; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// last is the last line, the one that says what it ended of.
func (t *tail) last() string {
	s := t.String()
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// journal is the log of a run; nil is none.
type journal struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (j *journal) printf(format string, args ...any) {
	if j == nil || j.w == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.w, format+"\n", args...)
}

func (j *journal) command(p program) {
	j.printf("[%s] %s %s", p.name, p.bin, strings.Join(p.args, " "))
}
