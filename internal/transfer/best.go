package transfer

import "time"

// The time over which a rate counts as sustained: longer for long transfers, in
// which a second shows a burst rather than what a limit lets through.
const (
	paceWindow = time.Second
	paceLong   = 5 * time.Second
)

// longTransfer is from when on paceLong is meant.
const longTransfer = 3 * paceLong

// bestLeast is how long a transfer must have taken for Best to be told.
const bestLeast = 2 * time.Second

// pace measures what a transfer could have taken at best: the highest rate at which
// payload was accepted over any window, whoever sent it. Whatever limit bound the
// transfer let that much through.
type pace struct {
	window time.Duration // 0: paceWindow
	marks  []mark        // of the last window, and one before it
	peak   float64
}

func (p *pace) over() time.Duration {
	if p.window == 0 {
		return paceWindow
	}
	return p.window
}

// mark is how much payload had been accepted at a time.
type mark struct {
	at    time.Time
	bytes int64
}

// sample notes that bytes have been accepted in all. It is called every tick.
func (p *pace) sample(now time.Time, bytes int64) {
	if n := len(p.marks); n > 0 && now.Sub(p.marks[n-1].at) < p.over()/20 {
		return
	}
	if len(p.marks) == 0 && bytes == 0 {
		p.marks = append(p.marks, mark{now, 0})
		return
	}
	if len(p.marks) == 1 && bytes == 0 { // nothing came yet
		p.marks[0].at = now
		return
	}
	p.marks = append(p.marks, mark{now, bytes})
	for len(p.marks) > 2 && now.Sub(p.marks[1].at) >= p.over() {
		p.marks = p.marks[1:]
	}
	p.peak = p.top(now, bytes)
}

// top returns the peak, the window that ends now included. What came in less than
// a window came in a window: nothing was before it.
func (p *pace) top(now time.Time, bytes int64) float64 {
	if len(p.marks) == 0 {
		return p.peak
	}
	from := p.marks[0]
	for _, m := range p.marks {
		if now.Sub(m.at) >= p.over() {
			from = m
		}
	}
	d := max(now.Sub(from.at), p.over())
	return max(p.peak, float64(bytes-from.bytes)/d.Seconds())
}

// best returns the part of the best possible rate at which bytes came from began
// to now: of limit, in bytes per second, if that bound the transfer, otherwise of
// the peak. 0: not known.
func (p *pace) best(began, now time.Time, bytes int64, limit float64) float64 {
	d, top := now.Sub(began), p.top(now, bytes)
	if limit > 0 {
		top = limit
	}
	if d < bestLeast || top <= 0 || bytes <= 0 {
		return 0
	}
	return min(float64(bytes)/d.Seconds()/top, 1)
}

// best is Best of Status: the rate from the start of the transfer to its end, or
// until now, as a part of what the limit that bound it let through at best.
func (t *Transfer) best() float64 {
	end := t.now
	if t.isComplete() {
		end = t.complete
	}
	limit := 0.0
	if t.limits.say(t) == limitDown {
		limit = strictest(t.cfg.Down)
	}
	p := &t.paces[0]
	if end.Sub(t.started) >= longTransfer {
		p = &t.paces[1]
	}
	return p.best(t.started, end, t.fromPeers+t.fromOrigin, limit)
}
