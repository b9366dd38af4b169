package sim

import (
	"fmt"
	"slices"

	"tandem/internal/lab"
)

// arrivals has those of people enter whose time has come.
func (e *engine) arrivals() {
	first := e.come
	for ; e.come < e.people.len(); e.come++ {
		k, at := e.people.at(e.come)
		if at+e.setup > e.now {
			break
		}
		e.appear(k + e.origins)
	}
	for n := first; n < e.come; n++ {
		k, _ := e.people.at(n)
		e.greet(k + e.origins)
	}
	e.nextComes()
}

// nextComes files when the next receiver comes.
func (e *engine) nextComes() {
	if e.come < e.people.len() {
		_, at := e.people.at(e.come)
		e.queue.push(event{max(at+e.setup, e.now), comes, none})
	}
}

// enter has a receiver come, or come back.
func (e *engine) enter(i int32) {
	e.appear(i)
	e.greet(i)
}

// appear has a receiver be there.
func (e *engine) appear(i int32) {
	v := &e.nodes[i]
	v.state = isHere
	e.place[i] = int32(len(e.here))
	e.here = append(e.here, i)
	e.hold(i, 1)
	if t := e.people.session(i-e.origins, int(v.sessions)); t < forever-e.now && v.got < e.pieces {
		e.queue.push(event{e.now + t, goesOff, i})
	}
	v.sessions++
}

// greet has a receiver that is there connect to others.
func (e *engine) greet(i int32) {
	e.dial(i)
	e.poke(i)
	if e.hook != nil {
		e.hook.joined(i)
	}
	if e.hook == nil {
		for o := range e.origins {
			e.poke(o)
		}
	}
}

// hold counts the pieces of a node that comes (1) or goes (-1).
func (e *engine) hold(i, sign int32) {
	if e.nodes[i].got == 0 {
		return
	}
	for p := range e.pieces {
		if bit(e.row(e.have, i), p) {
			if e.live[p] += sign; sign < 0 && e.live[p] == 0 {
				e.guard.free(e, p)
			}
		}
	}
}

// part has a receiver go.
func (e *engine) part(i int32, to nodeState) {
	v := &e.nodes[i]
	if v.state != isHere {
		return
	}
	v.state = to
	for v.firstOut != none {
		e.cut(v.firstOut)
	}
	for v.firstIn != none {
		e.cut(v.firstIn)
	}
	for v.rest != none { // what is not verified is not kept
		r := e.rest[v.rest]
		e.m.wasted += e.bytes(r.piece) - r.left
		e.resume(i, r.piece)
	}
	copy(e.row(e.taken, i), e.row(e.have, i))
	e.hold(i, -1)
	e.absent(i)
	line := &e.lines.of[i]
	for len(line.All()) > 0 {
		j := line.All()[len(line.All())-1]
		e.disconnect(i, j)
		e.redial(j)
	}
	if e.hook != nil {
		e.hook.left(i)
	}
	for o := int32(0); o < e.origins && e.hook == nil; o++ { // it has room for another
		if e.lines.room(o, e.origins) == 1 && len(e.here) > 0 {
			if k := e.here[e.rand.IntN(len(e.here))]; e.connect(k, o) {
				e.poke(o)
			}
		}
	}
}

// absent takes a node out of those that are here.
func (e *engine) absent(i int32) {
	last := len(e.here) - 1
	k, j := e.place[i], e.here[last]
	e.here[k], e.place[j] = j, k
	e.here = e.here[:last]
}

// finished is called when a receiver has everything.
func (e *engine) finished(i int32) {
	e.m.finish(i-e.origins, e.now+int64(peerTail))
	switch e.s.Stay.Kind {
	case "end":
	case "for":
		e.queue.push(event{e.now + int64(e.s.Stay.For), leaves, i})
	default:
		e.part(i, isGone)
	}
}

// goOff is called when a session ends.
func (e *engine) goOff(i int32) {
	v := &e.nodes[i]
	if v.state != isHere || v.got == e.pieces {
		return
	}
	away := e.people.gone(i-e.origins, int(v.sessions)-1)
	if away >= forever-e.now {
		e.m.left(i-e.origins, e.now)
		e.part(i, isGone)
		return
	}
	e.off++
	e.part(i, isAway)
	e.queue.push(event{e.now + away, comesAgain, i})
}

// killDue carries out the kills that are due.
func (e *engine) killDue() {
	for len(e.kills) > 0 && e.m.share() >= e.kills[0].At {
		k := e.kills[0]
		e.kills = e.kills[1:]
		if k.Who == "origin" {
			e.killOrigins(k.Share)
		} else {
			e.killPeers(k.Share)
		}
		e.m.killed(e.now, func(yield func(int32) bool) {
			for _, i := range e.here {
				if e.nodes[i].got < e.pieces && !yield(i-e.origins) {
					return
				}
			}
		})
	}
}

func (e *engine) killOrigins(share float64) {
	n := part(share, int(e.alive))
	for o := int32(0); o < e.origins && n > 0; o++ {
		v := &e.nodes[o]
		if v.state != isHere {
			continue
		}
		n--
		e.alive--
		v.state = isGone
		for v.firstOut != none {
			e.cut(v.firstOut)
		}
		for line := &e.lines.of[o]; len(line.All()) > 0; {
			e.disconnect(o, line.All()[0])
		}
		if e.hook != nil {
			e.hook.killed(o)
		}
	}
}

func (e *engine) killPeers(share float64) {
	victims := slices.Clone(e.here)
	e.rand.Shuffle(len(victims), func(a, b int) { victims[a], victims[b] = victims[b], victims[a] })
	victims = victims[:part(share, len(victims))]
	for _, i := range victims {
		for p := range e.pieces {
			if bit(e.row(e.have, i), p) {
				e.m.lost(int(p))
			}
		}
		if e.nodes[i].got < e.pieces {
			e.m.left(i-e.origins, e.now)
		}
		e.part(i, isGone)
	}
}

// why says why not all have finished.
func (e *engine) why() string {
	bare := 0
	for _, n := range e.live {
		if n == 0 {
			bare++
		}
	}
	lack := e.people.honest - e.m.finished
	switch {
	case e.alive == 0 && bare > 0 && len(e.here) > 0:
		return fmt.Sprintf("the origin died with %d of %d pieces not out", bare, e.pieces)
	case len(e.here) == 0:
		return fmt.Sprintf("%d receivers left before they had everything", lack)
	case e.m.finished > 0 || e.alive == 0:
		return fmt.Sprintf("%d receivers left, or found nobody who has what they lack", lack)
	}
	return fmt.Sprintf("nobody could give anything to %d receivers", lack)
}

// maxPieces is into how many pieces content is merged above manyReceivers, and
// maxTransfers how many pieces all receivers together fetch at most.
const (
	manyReceivers = 100_000
	mergedPieces  = 64
	maxTransfers  = 1 << 26
)

// merge returns the size of a piece in the simulator, and whether it is another than
// the product's.
func merge(s *lab.Scenario) (int64, bool) {
	size, piece, n := int64(s.Size), int64(s.Piece), int64(s.N())
	most := int64(maxTransfers) / max(n, 1)
	if n > manyReceivers {
		most = mergedPieces
	}
	if most = max(most, mergedPieces); (size+piece-1)/piece <= most {
		return piece, false
	}
	return (size + most - 1) / most, true
}
