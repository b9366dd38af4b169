package swarm_test

import (
	"math"
	"time"

	"tandem/internal/swarm"
)

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
	other := f.end.other
	w.push(w.latency, event{kind: evBlock, to: other, node: other.node, sw: other.node.sw, action: swarm.Action{Block: p.block}, bad: p.bad})
	if len(f.queue) > 0 {
		f.left += float64(f.queue[0].block.Length)
	} else {
		w.stop(f)
	}
	if f.told > 0 {
		f.told--
	} else {
		n.sw.Sent(w.clock(), f.end.id, p.block.Length)
		n.pump()
	}
	w.tell(f)
}

// share works out the max-min fair rates: first as if only uplinks mattered,
// which is mostly so, otherwise by filling the narrowest link first.
func (w *world) share() {
	for _, n := range w.nodes {
		n.upFlow, n.dnFlow, n.dnRate = 0, 0, 0
	}
	for _, f := range w.flows {
		f.end.node.upFlow++
		f.end.other.node.dnFlow++
	}
	fits := true
	for _, f := range w.flows {
		n, to := f.end.node, f.end.other.node
		f.rate = n.up / float64(n.upFlow)
		to.dnRate += f.rate
		fits = fits && to.dnRate <= to.down*1.0000001
	}
	if !fits {
		w.fillNarrowest()
	}
}

func (w *world) fillNarrowest() {
	for _, n := range w.nodes {
		n.upRate, n.dnRate = n.up, n.down
	}
	for _, f := range w.flows {
		f.frozen = false
	}
	for left := len(w.flows); left > 0; {
		least := math.Inf(1)
		var narrow *node
		var isUp bool
		for _, n := range w.nodes {
			if n.upFlow > 0 && n.upRate/float64(n.upFlow) < least {
				least, narrow, isUp = n.upRate/float64(n.upFlow), n, true
			}
			if n.dnFlow > 0 && n.dnRate/float64(n.dnFlow) < least {
				least, narrow, isUp = n.dnRate/float64(n.dnFlow), n, false
			}
		}
		for _, f := range w.flows {
			from, to := f.end.node, f.end.other.node
			if f.frozen || isUp && from != narrow || !isUp && to != narrow {
				continue
			}
			f.frozen, f.rate = true, max(least, 1)
			from.upRate, to.dnRate = from.upRate-least, to.dnRate-least
			from.upFlow--
			to.dnFlow--
			left--
		}
	}
}
