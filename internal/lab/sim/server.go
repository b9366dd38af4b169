package sim

import (
	"context"
	"fmt"

	"tandem/internal/lab"
)

// server is a run of the client-server model: nobody but the origins gives anything, and
// what comes, comes in order. Whose origin dies turns to another; when there is none it
// waits, and gives up after lab.Idle.
type server struct {
	s       *lab.Scenario
	p       *people
	m       *measures
	pulse   *pulse
	size    float64
	piece   int64
	setup   int64
	t       int64
	origins []*pool // nil: dead

	clients []client
	come    int     // receivers that have come, in the order of people
	left    int     // receivers that may still finish, of those that count
	timers  dues    // by nanoseconds
	base    float64 // bytes that came while in pools that are no more, less what was lost again
	kills   []lab.Kill
	killed  int   // of them, that have taken place
	moved   int64 // when an origin gave something last
}

// client is a receiver in the client-server model.
type client struct {
	state   clientState
	origin  int16
	session int32
	lacks   float64 // bytes, while it is in no pool
}

type clientState uint8

const (
	unseen  clientState = iota // it has not come
	taking                     // in its origin's pool
	dialing                    // on its way to another origin, or to none
	offline                    // until a timer brings it back, if one does
	over                       // finished, or gone for good
)

// What a timer is for.
const (
	goesAway = iota
	comesBack
	dials
	timerKinds
)

// runServer makes a run of the client-server model.
func runServer(ctx context.Context, r lab.Run) (*lab.Result, error) {
	v := newServer(ctx, r)
	for v.left > 0 {
		if err := v.pulse.beat(v.share()); err != nil {
			return nil, err
		}
		t := v.next()
		if t == forever {
			break
		}
		v.step(t)
	}
	v.settle()
	why := ""
	if v.left > 0 {
		v.t = v.givesUp()
	}
	if v.m.finished < v.p.honest {
		why = v.why()
	}
	return v.m.result(v.t+int64(serverTail), why), nil
}

func newServer(ctx context.Context, r lab.Run) *server {
	s := &r.Scenario
	p := newPeople(s, r.Seed)
	piece, merged := merge(s)
	v := &server{
		s: s, p: p, size: float64(s.Size), piece: piece, setup: setupTime(s), kills: inOrder(s.Kills),
		pulse: &pulse{ctx: ctx, tell: r.Progress, what: "client-server"},
		m:     newMeasures(r, p, int((int64(s.Size)+piece-1)/piece)), clients: make([]client, p.len()), left: p.honest,
	}
	if merged {
		v.m.note("pieces are merged to %d of %d bytes in the simulator", v.m.pieces, piece)
	}
	want := noWants(p.len())
	for range max(s.Origin.Count, 1) {
		v.origins = append(v.origins, newPool(float64(usable(float64(s.Origin.Up), s.Payload)*overhead(s)), want))
	}
	for i := range v.clients {
		v.clients[i].lacks = v.size
	}
	v.m.sample.every = v.span() / maxCopies
	v.m.sample.next = v.m.sample.every
	return v
}

// span estimates how long the run will take.
func (v *server) span() int64 {
	up := 0.0
	for _, o := range v.origins {
		up += o.up
	}
	t := later(v.setup, float64(v.size*float64(v.p.len()))/up)
	_, last := v.p.at(v.p.len() - 1)
	return max(min(max(t, last), forever/2), 1000*maxCopies)
}

// next returns when something happens next, or forever.
func (v *server) next() int64 {
	t := int64(forever)
	rate := 0.0
	for _, o := range v.origins {
		if o != nil {
			rate += o.rate()
			t = min(t, o.next())
		}
	}
	if v.killed < len(v.kills) && rate > 0 {
		t = min(t, later(v.t, max(v.killAt()-v.bytes(), 0)/rate))
	}
	if v.come < v.p.len() {
		_, start := v.p.at(v.come)
		t = min(t, start+v.setup)
	}
	if !v.served() && v.come == v.p.len() { // whoever goes and comes changes nothing any more
		return forever
	}
	if len(v.timers) > 0 {
		t = min(t, int64(v.timers[0].at))
	}
	if t < forever && rate > 0 {
		t = min(t, max(v.m.sample.next, v.t))
	}
	return t
}

// served reports whether an origin is there.
func (v *server) served() bool {
	for _, o := range v.origins {
		if o != nil && o.up > 0 {
			return true
		}
	}
	return false
}

// step has everything happen that happens at t.
func (v *server) step(t int64) {
	v.t = max(t, v.t)
	for _, o := range v.origins {
		if o == nil {
			continue
		}
		if o.rate() > 0 {
			v.moved = v.t
		}
		for i, ok := o.take(v.t); ok; i, ok = o.take(v.t) {
			v.finish(i)
		}
	}
	for v.killed < len(v.kills) && v.bytes() >= v.killAt()-1 {
		v.kill(v.kills[v.killed])
	}
	for v.come < v.p.len() {
		i, start := v.p.at(v.come)
		if start+v.setup > v.t {
			break
		}
		v.come++
		v.clients[i].origin = int16(v.come % len(v.origins))
		v.begin(i)
	}
	for len(v.timers) > 0 && v.timers[0].at <= float64(v.t) {
		d := v.timers.pop()
		v.ring(d.i/timerKinds, int(d.i%timerKinds))
	}
	if v.t >= v.m.sample.next {
		v.look()
	}
}

// after sets a timer.
func (v *server) after(d int64, i int32, kind int) {
	if d < forever-v.t {
		v.timers.push(due{float64(v.t + d), i*timerKinds + int32(kind)})
	}
}

func (v *server) ring(i int32, kind int) {
	c := &v.clients[i]
	switch {
	case kind == goesAway && (c.state == taking || c.state == dialing):
		v.goAway(i)
	case kind == comesBack && c.state == offline:
		c.session++
		v.begin(i)
	case kind == dials && c.state == dialing:
		v.dial(i)
	}
}

// begin has receiver i be there for one session.
func (v *server) begin(i int32) {
	c := &v.clients[i]
	v.after(v.p.session(i, int(c.session)), i, goesAway)
	v.dial(i)
}

// dial has receiver i take from an origin: its own, or the next one that is alive.
func (v *server) dial(i int32) {
	c := &v.clients[i]
	c.state = dialing
	for k := range v.origins {
		at := (int(c.origin) + k) % len(v.origins)
		if o := v.origins[at]; o != nil {
			c.origin, c.state = int16(at), taking
			o.join(i, v.p.down[i], c.lacks, v.t)
			v.m.began(i, v.t)
			if v.m.waiting != nil && v.m.waiting[i] {
				v.m.resumes(i, v.t)
			}
			return
		}
	}
}

// part takes receiver i out of its pool.
func (v *server) part(i int32) {
	if c := &v.clients[i]; c.state == taking {
		v.gave(i, v.origins[c.origin].leave(i, v.p.down[i], v.t))
	}
}

// gave accounts for what receiver i has got since it joined its pool: it lacks so many
// bytes now.
func (v *server) gave(i int32, lacks float64) {
	c := &v.clients[i]
	v.m.sent(int32(c.origin), int32(v.m.origins)+i, int64(v.size-lacks+0.5)-int64(v.size-c.lacks+0.5))
	c.lacks = lacks
}

// goAway ends a session. What there is of a piece that is not whole is lost.
func (v *server) goAway(i int32) {
	v.part(i)
	c := &v.clients[i]
	c.state = offline
	v.dropPart(c)
	if d := v.p.gone(i, int(c.session)); d < forever {
		v.after(d+v.setup, i, comesBack)
		return
	}
	c.state = over
	v.lose(i)
}

// dropPart forgets what a client has of a piece that is not whole.
func (v *server) dropPart(c *client) {
	have := v.size - c.lacks
	whole := float64(int64(have+nearly) / v.piece * v.piece)
	if whole < have {
		v.m.wasted += int64(have+0.5) - int64(whole)
		v.base -= have - whole
		c.lacks = v.size - whole
	}
}

// lose says that receiver i will not finish.
func (v *server) lose(i int32) {
	v.m.left(i, v.t)
	if v.m.counts(i) {
		v.left--
	}
}

func (v *server) finish(i int32) {
	c := &v.clients[i]
	v.gave(i, 0)
	c.state = over
	v.m.finish(i, v.t+int64(serverTail))
	if v.m.oneOut == 0 {
		v.m.oneOut = v.t
	}
	if v.m.counts(i) {
		v.left--
	}
}

// givesUp returns when a run ends that cannot go on.
func (v *server) givesUp() int64 {
	_, last := v.p.at(v.p.len() - 1)
	return max(v.moved, v.t, last) + int64(lab.Idle)
}

// settle counts what those got who are still at it.
func (v *server) settle() {
	for i := range v.clients {
		v.part(int32(i))
	}
}

// why says why not all have finished.
func (v *server) why() string {
	if !v.served() {
		best := v.size
		for i := range v.clients {
			best = min(best, v.clients[i].lacks)
		}
		return deathOfOrigins(v.m, int((int64(best)+v.piece-1)/v.piece))
	}
	return fmt.Sprintf("%d of %d receivers left or were killed before they had everything", v.p.honest-v.m.finished, v.p.honest)
}
