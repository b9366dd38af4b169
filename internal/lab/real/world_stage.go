package real

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"tandem/internal/lab"
)

// stage is one run: its processes, and what they are given. One goroutine owns it.
type stage struct {
	run    lab.Run
	bin    string
	dir    string
	ground ground
	log    *journal
	file   string // the content
	sum    [sha256.Size]byte
	book   []byte // what receivers know of the server
	origin origin
	nodes  []node
	course *course

	news   chan news
	quit   chan struct{} // closed when nobody reads news any more
	zero   time.Time     // when the first receiver started
	took   time.Duration
	busy   float64 // share of the machine's CPU, -1: not known
	ratio  float64 // of the calibration that was furthest off; 0: there was none
	notes  []string
	hinted bool    // somebody was told of others
	shown  float64 // share of the run that was told to be done
}

// origin is the server or first seeder.
type origin struct {
	*process
	seat seat
	link string // what receivers are given
	url  string // of a server: the page of the link
	node string // of a seeder: its name in the sources of others
}

// node is a receiver.
type node struct {
	seat  seat
	home  string
	got   string // where the file goes
	addr  string // where it listens
	proc  *process
	stop  chan struct{} // closed when what the process says does not count any more
	old   []*process    // of earlier sessions
	round int
}

// news is what a receiver's process said, or that it has ended.
type news struct {
	who   int
	round int // of its sessions
	event event
	at    time.Time
	ended bool
}

// seat makes the links.
func (x *stage) seat(ctx context.Context) (err error) {
	s := &x.run.Scenario
	if x.origin.seat, err = x.ground.origin(ctx, s.Origin.Up); err != nil {
		return err
	}
	n := s.N()
	riders, hidden := x.marked(s.Hostile.FreeRiders), x.marked(s.Hostile.Unreachable)
	for _, g := range s.Receivers {
		for range g.Count {
			i := len(x.nodes)
			seat, err := x.ground.receiver(ctx, g.Up, g.Down, hidden[i])
			if err != nil {
				return err
			}
			if riders[i] || g.Up == 0 {
				seat = trickle(seat)
			}
			name := fmt.Sprintf("receiver%0*d", len(strconv.Itoa(n)), i+1)
			x.nodes = append(x.nodes, node{seat: seat, home: filepath.Join(x.dir, name), got: filepath.Join(x.dir, name, "got")})
		}
	}
	x.notes = append(x.notes, shortfalls(s, x.ground.how())...)
	return nil
}

// marked chooses a share of the receivers.
func (x *stage) marked(share float64) []bool {
	list := make([]bool, x.run.Scenario.N())
	if share <= 0 {
		return list
	}
	k := int(share*float64(len(list)) + 0.5)
	for _, i := range x.course.rand.Perm(len(list))[:min(k, len(list))] {
		list[i] = true
	}
	return list
}

// looks is how often the processes' memory is looked at, and progress told.
const looks = 250 * time.Millisecond

// follow carries the course out, from its zero to its end.
func (x *stage) follow(ctx context.Context) error {
	for i := range x.nodes {
		if err := x.settle(&x.nodes[i]); err != nil {
			return err
		}
	}
	forgetPeak(x.origin.cmd.Process.Pid)
	x.origin.before = cpuTime(x.origin.cmd.Process.Pid)
	load := startMeter()
	look := time.NewTicker(looks)
	defer look.Stop()
	wake := time.NewTimer(0)
	defer wake.Stop()
	x.zero = time.Now()
	for {
		now := time.Since(x.zero)
		if err := x.carryOut(x.course.due(now)); err != nil {
			return err
		}
		if x.course.over(now) {
			x.took, x.busy = now, -1
			if share, ok := load.stop(); ok {
				x.busy = share
			}
			return nil
		}
		wake.Reset(x.course.next(now))
		select {
		case n := <-x.news:
			x.take(n)
		case <-wake.C:
		case <-look.C:
			x.look(now)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle makes a receiver's folders.
func (x *stage) settle(n *node) error {
	if err := os.MkdirAll(n.got, 0o700); err != nil {
		return err
	}
	if x.book == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(n.home, bookName), x.book, 0o600)
}

// look notes what the processes use, and tells how far the run is.
func (x *stage) look(now time.Duration) {
	if x.course.origin {
		x.origin.look()
	}
	for i := range x.nodes {
		if p := x.nodes[i].proc; p != nil && !p.ended() {
			p.look()
		}
	}
	x.shown = max(x.shown, x.course.share(now))
	x.tell(x.shown, fmt.Sprintf("%d of %d have it", x.course.complete, len(x.nodes)))
}

// take hands news to the course.
func (x *stage) take(n news) {
	node, at := &x.nodes[n.who], n.at.Sub(x.zero)
	switch {
	case n.round != node.round: // of a session that was ended
	case n.ended:
		x.course.ended(n.who, node.proc.said.last())
	default:
		if n.event.Event == "listening" {
			node.addr = n.event.Addr
		}
		x.course.heardFrom(n.who, n.event, at)
	}
}

// carryOut does what the course says. Those that start at the same moment start side by
// side.
func (x *stage) carryOut(deeds []deed) error {
	var starting sync.WaitGroup
	errs := make([]error, len(deeds))
	for k, d := range deeds {
		switch d.what {
		case killOrigin:
			x.log.printf("[%s] kill -9", x.origin.name)
			x.origin.kill()
		case killIt:
			x.end(d.who)
		case startIt:
			x.prepare(d.who)
			starting.Go(func() { errs[k] = x.launch(d.who) })
		}
	}
	starting.Wait()
	for k, d := range deeds {
		if d.what == startIt && errs[k] == nil {
			n := &x.nodes[d.who]
			x.course.startedAt(d.who, n.proc.started.Sub(x.zero))
		}
	}
	return cmp.Or(errs...)
}

// prepare gives a receiver's next session a number.
func (x *stage) prepare(i int) {
	n := &x.nodes[i]
	x.hinted = x.hinted || !x.course.origin
	if n.proc != nil {
		n.old = append(n.old, n.proc)
	}
	n.round++
	n.stop = make(chan struct{})
}

// launch starts a receiver's process. It touches nothing but its node.
func (x *stage) launch(i int) error {
	n := &x.nodes[i]
	round, stop := n.round, n.stop
	send := func(m news) {
		select {
		case x.news <- m:
		case <-stop:
		case <-x.quit:
		}
	}
	p := x.program(filepath.Base(n.home), n.seat, x.get(i), func(e event, at time.Time) {
		send(news{who: i, round: round, event: e, at: at})
	})
	p.over = func() { send(news{who: i, round: round, at: time.Now(), ended: true}) }
	proc, err := p.start()
	if err == nil {
		n.proc = proc
	}
	return err
}

// end kills a receiver's process, as a crash does.
func (x *stage) end(i int) {
	n := &x.nodes[i]
	if n.proc == nil {
		return
	}
	x.log.printf("[%s] kill -9", n.proc.name)
	n.round++ // what it said and nobody has read does not count
	close(n.stop)
	n.proc.kill()
}

// maxHints is how many addresses a receiver is given where nobody else would tell.
const maxHints = 8

// get is a receiver's command.
func (x *stage) get(i int) []string {
	n, s := &x.nodes[i], &x.run.Scenario
	args := slices.Concat([]string{"get", x.origin.link, "--json", "--dir", n.got, "--listen", n.seat.listen}, alone(), n.seat.node)
	if x.run.Model == lab.ClientServer {
		args = append(args, "--via", "server")
	}
	switch s.Stay.Kind {
	case "end":
		args = append(args, "--keep-seeding", "forever")
	case "for":
		args = append(args, "--keep-seeding", time.Duration(s.Stay.For).String())
	}
	if x.run.Model == lab.PeerToPeer && !x.course.origin {
		hints := 0
		for j, o := range x.nodes {
			if j != i && o.addr != "" && x.course.list[j].phase == running && hints < maxHints {
				args, hints = append(args, "--peer", o.addr), hints+1
			}
		}
	}
	return args
}

// clear ends all processes.
func (x *stage) clear() {
	select {
	case <-x.quit:
		return
	default:
	}
	close(x.quit)
	for i := range x.nodes {
		if p := x.nodes[i].proc; p != nil {
			p.kill()
		}
	}
	if x.origin.process != nil {
		x.origin.kill()
	}
}
