package real

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tandem/internal/lab"
)

// course is what happens in a run: who starts, goes and comes back when, what has come of
// it, and when it is over. It is told what the processes say and says what to do with
// them; it starts and waits for nothing itself. Times are since the run's zero.
type course struct {
	size     int64
	model    lab.Model
	stay     lab.Stay
	sessions lab.Sessions
	kills    []lab.Kill // to come
	rand     *rand.Rand

	list     []receiver
	origin   bool            // it lives
	killed   []time.Duration // when kills took place
	moved    time.Duration   // when something last came on, or somebody
	gained   time.Duration   // when something last came, or somebody for the first time
	lacking  int64           // pieces that somebody said nobody has; 0: none said so
	complete int             // receivers that have everything
	slain    int             // receivers that were killed before
}

// phase is where a receiver is in its run.
type phase uint8

const (
	waiting phase = iota // it has not started, or is away
	running
	left // for good: complete and gone, killed, or ended by itself
)

// receiver is one of those who want the file.
type receiver struct {
	phase   phase
	due     time.Duration // when it starts, or comes back; running: when its session ends
	start   time.Duration // of its first session
	begun   bool
	first   time.Duration // when its first byte came
	done    time.Duration // when it was complete; 0: it is not
	node    string        // its name in the sources of others
	bytes   int64         // verified
	heard   time.Duration // of its last event
	trail   []point       // of its last events, the last last
	now     flows         // of this session
	past    flows         // of those before
	sources map[string]int64
	ending  string // what it said when it ended by itself, incomplete
}

// point is how much was verified when.
type point struct {
	at    time.Duration
	bytes int64
}

// trails is how many events a receiver's rate is taken from: over two seconds, since
// those who are served in turns get much at one time and nothing at another.
const trails = 5

// pass notes how far the receiver is.
func (r *receiver) pass(now time.Duration) {
	if len(r.trail) == trails {
		r.trail = append(r.trail[:0], r.trail[1:]...)
	}
	r.trail = append(r.trail, point{now, r.bytes})
}

// rate is in bytes per second, of late.
func (r *receiver) rate() float64 {
	if len(r.trail) == 0 {
		return 0
	}
	from, to := r.trail[0], r.trail[len(r.trail)-1]
	if to.at <= from.at {
		return 0
	}
	return float64(to.bytes-from.bytes) / (to.at - from.at).Seconds()
}

// flows is where bytes came from.
type flows struct{ peers, origin, wasted int64 }

func (f flows) plus(o flows) flows {
	return flows{f.peers + o.peers, f.origin + o.origin, f.wasted + o.wasted}
}

// deed is what to do with a process.
type deed struct {
	what verb
	who  int // receiver
}

type verb uint8

const (
	startIt verb = iota
	killIt
	killOrigin
)

const forever = time.Duration(math.MaxInt64)

// newCourse plans a run of n receivers. All randomness comes from the seed, in a fixed order.
func newCourse(s *lab.Scenario, m lab.Model, seed uint64) *course {
	c := &course{
		size: int64(s.Size), model: m, stay: s.Stay, sessions: s.Sessions, kills: slices.Clone(s.Kills),
		rand: rand.New(rand.NewPCG(seed, 0x7265616c)), list: make([]receiver, s.N()), origin: true,
	}
	if s.Arrivals.Kind == "poisson" && s.Arrivals.Rate > 0 {
		at := 0.0
		for k, i := range c.rand.Perm(len(c.list)) {
			if k > 0 {
				at += c.rand.ExpFloat64() / s.Arrivals.Rate
			}
			c.list[i].due = seconds(at)
		}
	}
	return c
}

// seconds is a span of time, bounded.
func seconds(s float64) time.Duration {
	if s >= forever.Seconds()/2 {
		return forever / 2
	}
	return time.Duration(s * float64(time.Second))
}

// due returns what is to be done now.
func (c *course) due(now time.Duration) (deeds []deed) {
	for len(c.kills) > 0 && c.share(now) >= c.kills[0].At {
		k := c.kills[0]
		c.kills = c.kills[1:]
		c.killed = append(c.killed, now)
		deeds = append(deeds, c.kill(k)...)
	}
	for i := range c.list {
		switch r := &c.list[i]; {
		case r.phase == waiting && r.due <= now:
			r.phase, r.due = running, c.session(now)
			if !r.begun {
				r.begun, r.start, c.gained = true, now, now
			}
			r.heard, c.moved = now, max(c.moved, now)
			r.pass(now)
			deeds = append(deeds, deed{startIt, i})
		case r.phase == running && r.done == 0 && r.due <= now:
			c.part(i, now)
			deeds = append(deeds, deed{killIt, i})
		}
	}
	return deeds
}

// startedAt corrects when a receiver's first session began: its process was made then.
func (c *course) startedAt(i int, at time.Duration) {
	r := &c.list[i]
	if r.now == (flows{}) && r.past == (flows{}) && r.bytes == 0 {
		r.start, r.heard = max(at, r.start), max(at, r.heard)
	}
}

// session draws when a session that begins now ends (Weibull).
func (c *course) session(now time.Duration) time.Duration {
	if c.sessions.Mean <= 0 {
		return forever
	}
	shape := c.sessions.Shape
	if shape <= 0 {
		shape = 0.6
	}
	scale := time.Duration(c.sessions.Mean).Seconds() / math.Gamma(1+1/shape)
	return now + seconds(scale*math.Pow(c.rand.ExpFloat64(), 1/shape))
}

// part ends a session; the receiver comes back after a while, or never.
func (c *course) part(i int, now time.Duration) {
	r := &c.list[i]
	c.close(r)
	if c.sessions.Away <= 0 {
		r.phase = left
		return
	}
	r.phase, r.due = waiting, now+seconds(c.rand.ExpFloat64()*time.Duration(c.sessions.Away).Seconds())
}

// close books what a session brought.
func (c *course) close(r *receiver) {
	r.past, r.now, r.trail = r.past.plus(r.now), flows{}, nil
}

// kill carries out a kill.
func (c *course) kill(k lab.Kill) (deeds []deed) {
	share := k.Share
	if share <= 0 {
		share = 1
	}
	if k.Who == "origin" {
		if !c.origin {
			return nil
		}
		c.origin = false
		return []deed{{what: killOrigin}}
	}
	var living []int
	for i := range c.list {
		if r := &c.list[i]; r.phase == running || r.phase == waiting && r.begun {
			living = append(living, i)
		}
	}
	c.rand.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
	for _, i := range living[:min(int(math.Round(share*float64(len(living)))), len(living))] {
		r := &c.list[i]
		if r.phase == running {
			deeds = append(deeds, deed{killIt, i})
		}
		c.close(r)
		r.phase = left
		if r.done == 0 {
			c.slain++
		}
	}
	return deeds
}

// staleAfter is how long a receiver is believed to go on as it did.
const staleAfter = time.Second

// share is the share of the receivers' total bytes that they have verified. Between their
// events, which come twice a second, it goes on as it did.
func (c *course) share(now time.Duration) float64 {
	sum := 0.0
	for i := range c.list {
		r := &c.list[i]
		got := float64(r.bytes)
		if r.phase == running && r.done == 0 {
			got = min(got+r.rate()*min(now-r.heard, staleAfter).Seconds(), float64(c.size))
		}
		sum += got
	}
	return sum / (float64(c.size) * float64(len(c.list)))
}

// heardFrom takes what a receiver's process said.
func (c *course) heardFrom(i int, e event, now time.Duration) {
	r := &c.list[i]
	if r.phase != running {
		return // of a process that was killed
	}
	switch e.Event {
	case "listening":
		r.node = e.Node
	case "progress", "complete":
		c.progress(r, &e, now)
	case "missing":
		if n := e.lacking(); c.lacking == 0 || n < c.lacking {
			c.lacking = n
		}
	}
}

func (c *course) progress(r *receiver, e *event, now time.Duration) {
	if e.fetched() > 0 && r.first == 0 {
		r.first = now
		if e.Rate > 0 {
			r.first -= seconds(float64(e.fetched()) / e.Rate)
		}
		r.first = max(r.first, r.heard, r.start+1)
	}
	flow := flows{e.FromPeers, e.FromOrigin, max(e.Wasted, r.now.wasted)}
	if e.Bytes > r.bytes || flow.peers > r.now.peers || flow.origin > r.now.origin {
		c.moved, c.gained, c.lacking = now, now, 0
	}
	r.bytes, r.now, r.heard = min(max(e.Bytes, r.bytes), c.size), flow, now
	r.pass(now)
	if e.Event != "complete" {
		return
	}
	if r.done == 0 {
		r.done = max(now, r.start+1)
		c.complete++
	}
	r.bytes, r.sources = c.size, e.Sources
}

// ended takes that a receiver's process is no more. said is the last it had to say.
func (c *course) ended(i int, said string) {
	r := &c.list[i]
	if r.phase != running {
		return
	}
	c.close(r)
	r.phase = left
	if r.done == 0 {
		r.ending = said
	}
}

// restless is how often what depends on shares is looked at.
const restless = 20 * time.Millisecond

// next returns how long nothing is to be done, if nobody says anything before.
func (c *course) next(now time.Duration) time.Duration {
	at := forever
	if len(c.kills) > 0 {
		at = now + restless
	}
	for i := range c.list {
		if r := &c.list[i]; r.phase == waiting || r.phase == running && r.done == 0 {
			at = min(at, r.due)
		}
	}
	if end, ok := c.end(); ok {
		at = min(at, end)
	}
	return max(at-now, 0)
}

// barren reports whether nothing can come from anybody any more.
func (c *course) barren() bool { return c.model == lab.ClientServer && !c.origin }

// lastWords is how long what an origin had sent before its death may take to be read, where
// nobody else can give anything; vain is how long receivers come back for nothing.
const (
	lastWords = time.Second
	vain      = 6 * lab.Idle
)

// end is when the run ends if nothing more is heard; false: not before somebody comes.
func (c *course) end() (time.Duration, bool) {
	arriving, returning, going := false, false, false
	for i := range c.list {
		switch r := &c.list[i]; {
		case r.phase == waiting:
			arriving, returning = arriving || !r.begun, true
		case r.phase == running && r.done == 0:
			going = true
		}
	}
	switch {
	case c.barren():
		return c.moved + lastWords, going || returning
	case arriving:
		return 0, false
	case returning:
		return c.gained + vain, true
	}
	return c.moved + lab.Idle, going
}

// over reports whether the run has ended.
func (c *course) over(now time.Duration) bool {
	if end, ok := c.end(); ok {
		return now >= end
	}
	return !slices.ContainsFunc(c.list, func(r receiver) bool {
		return r.phase == waiting || r.phase == running && r.done == 0
	})
}
