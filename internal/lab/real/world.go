package real

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// The ways to make links, as Prepare and Use.Shaping name them.
const (
	Namespaces = "network namespaces" // Linux, as root: shaped Ethernet
	UserSpace  = "user space"         // loopback, and every program limits itself
)

// World makes real runs: processes of the built binary, killed as a crash kills them. The
// zero value lacks Bin.
type World struct {
	Bin     string    // path of the tandem binary
	Dir     string    // where a run's folder is made; "": the system's place for temporary files
	Shaping string    // Namespaces or UserSpace; "": Namespaces where they can be had
	Log     io.Writer // gets the commands that are run, and what failed programs said; may be nil
}

var _ lab.World = World{}

// Prepare says which shaping Run will use, after clearing away what crashed runs left
// behind. Its error is fault.Full when the disk has no room for the copies: it says how
// much is needed where, and how to choose another place; fault.NotFound when there is no
// such binary.
func (w World) Prepare(ctx context.Context, s lab.Scenario) (how string, err error) {
	if err := w.check(); err != nil {
		return "", err
	}
	sweepFolders(w.place())
	if err := w.room(&s); err != nil {
		return "", err
	}
	g, err := w.ground(ctx, s.Payload)
	if err != nil {
		return "", err
	}
	return g.how(), g.close()
}

// place is where folders are made.
func (w World) place() string {
	if w.Dir != "" {
		return w.Dir
	}
	return os.TempDir()
}

func (w World) check() error {
	if w.Bin == "" {
		return fault.Errorf(fault.Invalid, "real runs need the path of the tandem binary")
	}
	if _, err := exec.LookPath(w.Bin); err != nil {
		return fault.Wrap(fault.NotFound, fmt.Errorf("the binary to be measured: %w", err))
	}
	return nil
}

// ground makes the best ground there is.
func (w World) ground(ctx context.Context, payload float64) (ground, error) {
	if payload <= 0 || payload > 1 {
		payload = 1
	}
	if w.Shaping == UserSpace {
		return loopback{payload}, nil
	}
	g, err := newField(ctx)
	switch {
	case err == nil:
		return g, nil
	case w.Shaping == Namespaces || ctx.Err() != nil:
		return nil, err
	}
	(&journal{w: w.Log}).printf("shaping in user space: %v", err)
	return loopback{payload}, nil
}

// Run implements lab.World. It leaves no processes, namespaces or files behind, whatever
// comes of it.
func (w World) Run(ctx context.Context, r lab.Run) (res *lab.Result, err error) {
	s := &r.Scenario
	if s.Origin.Count > 1 {
		return &lab.Result{Run: r, N: s.N(), Void: fmt.Sprintf("real runs have one origin, not %d", s.Origin.Count)}, nil
	}
	if s.N() == 0 || s.Size <= 0 {
		return nil, fault.Errorf(fault.Invalid, "a real run of %d receivers and %d bytes", s.N(), s.Size)
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	sweepFolders(w.place())
	if err := w.room(s); err != nil {
		return nil, err
	}
	dir, err := makeFolder(w.place())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := w.ground(ctx, s.Payload)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	x := &stage{
		run: r, bin: w.Bin, dir: dir, ground: g, log: &journal{w: w.Log},
		course: newCourse(s, r.Model, r.Seed), news: make(chan news, 256), quit: make(chan struct{}),
	}
	if abs, err := filepath.Abs(w.Bin); err == nil && filepath.Base(w.Bin) != w.Bin {
		x.bin = abs
	}
	defer x.clear()
	return x.play(ctx)
}

// play makes the run, up to its result.
func (x *stage) play(ctx context.Context) (*lab.Result, error) {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"making links", x.seat},
		{"writing the content", x.write},
		{"starting the origin", x.begin},
		{"calibrating", x.calibrate},
		{"", x.follow},
	} {
		if step.what != "" {
			x.tell(0, step.what)
		}
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("real run %s: %w", x.run, err)
		}
	}
	x.tell(1, "checking what was received")
	return x.result(ctx)
}

func (x *stage) tell(done float64, what string) {
	if x.run.Progress != nil {
		x.run.Progress(done, what)
	}
}

// machine names what a figure that is not known is not known on.
func machine() string { return runtime.GOOS }

// ready bounds how long a program may take to get ready, beside what its work takes.
const ready = 60 * time.Second
