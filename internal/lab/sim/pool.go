package sim

import "slices"

// pool is one server's link as its receivers share it: everyone gets the same, and what
// a slow receiver leaves the others share (max-min fairness, which is what TCP comes to
// where all are equally far). Receivers with the same downlink always get the same, so
// they are told apart only by what each is to have got when it is done: a class has one
// clock of bytes, and one order of who is next.
//
// That is processor sharing, exact, at the cost of one look at the classes for each
// receiver that comes or goes.
type pool struct {
	up      float64 // bytes per second
	at      int64   // of the clocks
	want    []float64
	classes []class // by downlink, ascending
	active  int
	moved   float64 // bytes in all
	stale   bool    // who takes part has changed since rates were set
}

// class is receivers with one downlink.
type class struct {
	down float64
	rate float64 // of each, now
	got  float64 // what one who was there since the class was last empty has got
	n    int
	due  dues // among them such as have left: an entry counts while want says the same
}

// unwanted is the want of a receiver that is in no pool.
const unwanted = -1

// due is a receiver, and at how many bytes of its class it is to be looked at.
type due struct {
	at float64
	i  int32
}

// dues is a heap, the first due on top.
type dues []due

func (a due) before(b due) bool { return a.at < b.at || a.at == b.at && a.i < b.i }

func (q *dues) push(d due) {
	h := append(*q, d)
	k := len(h) - 1
	for k > 0 {
		up := (k - 1) / 2
		if !d.before(h[up]) {
			break
		}
		h[k] = h[up]
		k = up
	}
	h[k] = d
	*q = h
}

func (q *dues) pop() due {
	h := *q
	top, last := h[0], h[len(h)-1]
	*q = h[:len(h)-1]
	if len(h) > 1 {
		(*q).sink(0, last)
	}
	return top
}

// sink puts d where k was, and further down as far as it belongs.
func (q dues) sink(k int, d due) {
	for {
		c := 2*k + 1
		if c >= len(q) {
			break
		}
		if c+1 < len(q) && q[c+1].before(q[c]) {
			c++
		}
		if !q[c].before(d) {
			break
		}
		q[k] = q[c]
		k = c
	}
	q[k] = d
}

// newPool returns a link with so many bytes per second. want is what receivers are to
// have by their class's clock; pools of the same receivers share it.
func newPool(up float64, want []float64) *pool { return &pool{up: up, want: want} }

// noWants returns what newPool takes, for n receivers that are in no pool.
func noWants(n int) []float64 {
	want := make([]float64, n)
	for i := range want {
		want[i] = unwanted
	}
	return want
}

// class returns the class of a downlink, which may be new.
func (p *pool) class(down float64) *class {
	k, ok := slices.BinarySearchFunc(p.classes, down, func(c class, d float64) int {
		switch {
		case c.down < d:
			return -1
		case c.down > d:
			return 1
		}
		return 0
	})
	if !ok {
		p.classes = slices.Insert(p.classes, k, class{down: down})
	}
	return &p.classes[k]
}

// advance lets time pass until t.
func (p *pool) advance(t int64) {
	passed := float64(t-p.at) / 1e9
	p.at = t
	if passed <= 0 || p.active == 0 {
		return
	}
	for k := range p.classes {
		c := &p.classes[k]
		more := float64(c.rate * passed)
		c.got += more
		p.moved += float64(more * float64(c.n))
	}
}

// join has receiver i take part at time t, for so many bytes.
func (p *pool) join(i int32, down, bytes float64, t int64) {
	p.advance(t)
	c := p.class(down)
	if c.n == 0 {
		c.got, c.due = 0, c.due[:0]
	}
	p.want[i] = c.got + bytes
	c.due.push(due{p.want[i], i})
	c.n++
	p.active++
	p.stale = true
}

// lacks returns how many bytes receiver i still is to get.
func (p *pool) lacks(i int32, down float64) float64 { return max(p.want[i]-p.class(down).got, 0) }

// leave takes receiver i out at time t and returns how many bytes it still lacked.
func (p *pool) leave(i int32, down float64, t int64) float64 {
	p.advance(t)
	lacked := p.lacks(i, down)
	p.want[i] = unwanted
	p.class(down).n--
	p.active--
	p.stale = true
	return lacked
}

// share sets the rates: the slowest classes get their downlinks as long as an equal
// share is more than that, the others equal shares of what is left.
func (p *pool) share() {
	p.stale = false
	left, n := p.up, p.active
	for k := range p.classes {
		c := &p.classes[k]
		if c.n == 0 {
			c.rate = 0
			continue
		}
		c.rate = min(c.down, left/float64(n))
		left -= float64(c.rate * float64(c.n))
		n -= c.n
		for p.want[c.due[0].i] != c.due[0].at {
			c.due.pop()
		}
	}
}

// rate returns the bytes per second that leave.
func (p *pool) rate() float64 {
	if p.stale {
		p.share()
	}
	sum := 0.0
	for k := range p.classes {
		sum += float64(p.classes[k].rate * float64(p.classes[k].n))
	}
	return sum
}

// next returns when somebody is due, or forever.
func (p *pool) next() int64 {
	if p.stale {
		p.share()
	}
	first := int64(forever)
	for k := range p.classes {
		c := &p.classes[k]
		if c.n > 0 && c.rate > 0 {
			first = min(first, later(p.at, max(c.due[0].at-c.got, 0)/c.rate))
		}
	}
	return first
}

// later returns the first nanosecond that is so many seconds after t or more.
func later(t int64, seconds float64) int64 {
	d := nanoseconds(float64(seconds * 1e9))
	if d > forever-t {
		return forever
	}
	return t + d
}

// nearly is how many bytes somebody may lack who is due: times are whole nanoseconds.
const nearly = 0.5

// take returns a receiver that is due by time t, which leaves the pool, or false.
func (p *pool) take(t int64) (int32, bool) {
	p.advance(t)
	for k := range p.classes {
		c := &p.classes[k]
		for len(c.due) > 0 && p.want[c.due[0].i] != c.due[0].at {
			c.due.pop()
		}
		if c.n > 0 && c.due[0].at-c.got < nearly+float64(c.rate*2e-9) {
			i := c.due.pop().i
			p.want[i] = unwanted
			c.n--
			p.active--
			p.stale = true
			return i, true
		}
	}
	return 0, false
}
