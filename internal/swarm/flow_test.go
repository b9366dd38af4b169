package swarm_test

import (
	"math"
	"slices"
	"time"

	"tandem/internal/swarm"
)

// link is one direction of a line, shared by what goes through it.
type link struct {
	cap   float64 // bytes per second
	bytes int64   // gone through

	flows int     // of those not settled yet
	left  float64 // of cap
}

// lan is a network of nodes behind one line.
type lan struct{ up, down link }

func (w *world) addLAN(up, down float64) *lan {
	l := &lan{up: link{cap: up * mbit}, down: link{cap: down * mbit}}
	w.lans = append(w.lans, l)
	return l
}

// path returns what bytes go through from one node to another.
func (w *world) path(from, to *node) []*link {
	path := []*link{&from.up}
	if from.lan != to.lan {
		if from.lan != nil {
			path = append(path, &from.lan.up)
		}
		if to.lan != nil {
			path = append(path, &to.lan.down)
		}
	}
	return append(path, &to.down)
}

// send puts a block into the socket of an end.
func (w *world) send(e *end, p parcel) {
	f := &e.flow
	f.queue = append(f.queue, p)
	f.bytes += p.block.Length
	if f.index < 0 {
		w.advance()
		f.left = float64(p.block.Length)
		f.index = len(w.flows)
		w.flows = append(w.flows, f)
		w.stale = true
	}
	w.tell(f)
}

// tell calls Sent for what fits into the kernel's part of the socket.
func (w *world) tell(f *flow) {
	ahead := 0
	for i, p := range f.queue {
		ahead += p.block.Length
		if ahead > w.kernel {
			return
		}
		if i >= f.told {
			f.told++
			w.push(0, event{kind: evSent, to: f.end, node: f.end.node, sw: f.end.node.sw, action: swarm.Action{Block: p.block}})
		}
	}
}

// stop takes a flow out.
func (w *world) stop(f *flow) {
	if f.index < 0 {
		return
	}
	w.advance()
	last := len(w.flows) - 1
	w.flows[f.index] = w.flows[last]
	w.flows[f.index].index = f.index
	w.flows = w.flows[:last]
	f.index = -1
	w.stale = true
}

// advance moves all flows to now.
func (w *world) advance() {
	d := (w.now - w.moved).Seconds()
	w.moved = w.now
	if d <= 0 {
		return
	}
	for _, f := range w.flows {
		f.left -= f.rate * d
	}
}

// firstDone returns the flow that is first through with a block, and when.
func (w *world) firstDone() (*flow, time.Duration) {
	if w.stale {
		w.share()
		w.stale = false
	}
	var first *flow
	best := math.Inf(1)
	for _, f := range w.flows {
		if t := f.left / f.rate; t < best {
			best, first = t, f
		}
	}
	if first == nil {
		return nil, 0
	}
	return first, w.moved + time.Duration(math.Ceil(max(best, 0)*1e9))
}

// finish delivers the first block of a flow.
func (w *world) finish(f *flow) {
	w.advance()
	p := f.queue[0]
	f.queue = f.queue[1:]
	f.bytes -= p.block.Length
	n := f.end.node
	n.sent += int64(p.block.Length)
	for _, l := range f.path {
		l.bytes += int64(p.block.Length)
	}
	other := f.end.other
	w.push(w.latency, event{kind: evBlock, to: other, node: other.node, sw: other.node.sw, action: swarm.Action{Block: p.block}, bad: p.bad})
	if len(f.queue) > 0 {
		f.left += float64(f.queue[0].block.Length)
	} else {
		w.stop(f)
	}
	if f.told > 0 {
		f.told--
	} else if n.srv != nil {
		n.srv.gone(f.end, p.block)
	} else {
		n.sw.Sent(w.clock(), f.end.id, p.block.Length)
		n.pump()
	}
	w.tell(f)
}

// share works out the max-min fair rates: first as if only uplinks mattered,
// which is mostly so, otherwise by filling the narrowest link first.
func (w *world) share() {
	for _, f := range w.flows {
		for _, l := range f.path {
			l.flows, l.left = 0, l.cap*1.0000001
		}
	}
	for _, f := range w.flows {
		for _, l := range f.path {
			l.flows++
		}
	}
	fits := true
	for _, f := range w.flows {
		f.rate = f.path[0].cap / float64(f.path[0].flows)
		for _, l := range f.path[1:] {
			l.left -= f.rate
			fits = fits && l.left >= 0
		}
	}
	if !fits {
		w.fillNarrowest()
	}
}

func (w *world) fillNarrowest() {
	for _, f := range w.flows {
		f.frozen = false
		for _, l := range f.path {
			l.left = l.cap
		}
	}
	for left := len(w.flows); left > 0; {
		narrow := w.narrowest()
		least := narrow.left / float64(narrow.flows)
		for _, f := range w.flows {
			if f.frozen || !slices.Contains(f.path, narrow) {
				continue
			}
			f.frozen, f.rate = true, max(least, 1)
			for _, l := range f.path {
				l.left -= least
				l.flows--
			}
			left--
		}
	}
}

// narrowest returns the link that gives least to each of its flows.
func (w *world) narrowest() *link {
	var narrow *link
	least := math.Inf(1)
	for _, f := range w.flows {
		if f.frozen {
			continue
		}
		for _, l := range f.path {
			if r := l.left / float64(l.flows); r < least {
				least, narrow = r, l
			}
		}
	}
	return narrow
}
