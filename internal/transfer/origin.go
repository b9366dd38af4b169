package transfer

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/swarm"
)

// Patience with origins.
const (
	originSoon    = 500 * time.Millisecond // after a first failure, doubling up to originLate
	originLate    = 15 * time.Second
	originSilence = 3 * time.Second  // of an origin until the swarm is used as well
	originTimeout = 75 * time.Second // without a byte: a server with a budget may let wait for a minute
)

// What Status says of an origin.
const (
	originOK       = "ok"
	originWait     = "asked to wait"
	originAway     = "unreachable"
	originRefused  = "refused"
	originReplaced = "changed"
)

// origin is one server as a source: a connection of the swarm whose requests are
// joined into stretches. It belongs to the owner.
type origin struct {
	src Origin
	key peer.Key
	id  swarm.ConnID // 0: the swarm does not know it now

	pending    []swarm.Block // asked for and part of no stretch
	since      time.Time     // when pending ceased to be empty
	runs       []*stretch    // under way
	sequential bool          // it gives whole files only
	atOnce     int           // requests that it takes at a time; 0: as many as we like
	rtt        time.Duration // the shortest time to an answer

	state    string
	err      error // why state is not ok
	parted   bool  // for good
	fails    int   // in a row
	next     time.Time
	diverted int // answers in a row that pointed elsewhere
	accepted int64

	asking time.Time // since when Torrent is under way; zero: it is not
	told   bool      // it has answered that
}

// setOrigins makes src the origins.
func (t *Transfer) setOrigins(src []Origin) {
	if t.via() == ViaPeers {
		return
	}
	old := t.origins
	t.origins = nil
	for _, s := range src {
		i := slices.IndexFunc(old, func(o *origin) bool { return o.src == s })
		if i < 0 {
			t.originSeq++
			t.origins = append(t.origins, &origin{src: s, key: originKey(t.originSeq), state: originOK})
			continue
		}
		o := old[i]
		old = slices.Delete(old, i, i+1)
		if o.parted {
			o.parted, o.state, o.err, o.fails, o.next, o.told = false, originOK, nil, 0, time.Time{}, false
		}
		t.origins = append(t.origins, o)
	}
	for _, o := range old {
		t.disconnect(o)
	}
	if len(t.origins) == 0 {
		t.missOrigin()
	}
	t.tickOrigins()
}

// originKey is whom the swarm takes an origin for.
func originKey(n int) peer.Key {
	var k peer.Key
	copy(k.BT[:], "origin")
	binary.BigEndian.PutUint32(k.BT[16:], uint32(n))
	return k
}

// originOf returns the origin with that number, nil if there is none.
func (t *Transfer) originOf(id swarm.ConnID) *origin {
	for _, o := range t.origins {
		if o.id == id && id != 0 {
			return o
		}
	}
	return nil
}

// tickOrigins does what time asks for: metadata, connections, patience.
func (t *Transfer) tickOrigins() {
	for _, o := range t.origins {
		if o.parted {
			continue
		}
		t.askTorrent(o)
		switch {
		case t.sw == nil:
		case t.isComplete() && t.done():
			t.disconnect(o)
		case o.id == 0 && !t.done() && !t.now.Before(o.next):
			t.connectOrigin(o)
		}
		t.watchOrigin(o)
	}
}

// connectOrigin makes the swarm know an origin.
func (t *Transfer) connectOrigin(o *origin) {
	t.nextID++
	o.id = t.nextID
	o.sequential, o.atOnce = false, 0 // the way there may be another by now
	t.sw.Connect(t.now, o.id, swarm.Caps{Key: o.key, Fast: true, Outgoing: true, Origin: true, Near: o.src.Near()})
	if o.rtt > 0 {
		t.sw.RTT(o.id, o.rtt)
	}
	if t.sparing {
		t.sw.Costly(t.now, o.id, true)
	}
}

// disconnect ends an origin's connection, if there is one.
func (t *Transfer) disconnect(o *origin) {
	t.abandon(o)
	if o.id != 0 {
		id := o.id
		o.id = 0
		t.sw.Disconnect(t.now, id)
	}
}

// abandon ends what is under way at an origin. Nobody waits for it but Run.
func (t *Transfer) abandon(o *origin) {
	for _, s := range o.runs {
		s.abandon()
	}
	o.runs, o.pending = nil, nil
}

// originFailed parts from an origin because of err: for a time, or for good when
// asking again would be answered alike.
func (t *Transfer) originFailed(o *origin, err error) {
	t.disconnect(o)
	o.err = err
	switch k := fault.KindOf(err); k {
	case fault.Changed, fault.Precondition, fault.NotFound:
		o.state, o.parted = originReplaced, true
	case fault.Gone, fault.Permission, fault.Unauthenticated, fault.Refused, fault.Corrupt:
		o.state, o.parted = originRefused, true
	default:
		o.state = originAway
		o.next = t.now.Add(min(originSoon<<min(o.fails, 10), originLate))
		o.fails++
	}
	t.log.Info("parted from the server", "server", o.src.Name(), "for good", o.parted, "why", err)
	t.missOrigin()
}

// watchOrigin applies the limits of patience.
func (t *Transfer) watchOrigin(o *origin) {
	silent := len(o.runs) > 0
	for _, s := range o.runs {
		d := s.waited(t.now)
		silent = silent && d > originSilence
		if d > originTimeout {
			t.originFailed(o, fault.Errorf(fault.Timeout, "%s: no answer in %v", o.src.Name(), originTimeout))
			return
		}
		if s.tape != nil {
			t.watchTape(s)
		}
	}
	if silent || (!o.asking.IsZero() && t.now.Sub(o.asking) > originSilence) {
		t.missOrigin()
	}
	t.ask(o)
}

// carryOutOrigin does one thing the swarm decided about an origin.
func (t *Transfer) carryOutOrigin(a *swarm.Action) {
	o := t.originOf(a.Conn)
	if o == nil {
		return
	}
	switch a.Kind {
	case swarm.SendRequest:
		if len(o.pending) == 0 {
			o.since = t.now
		}
		o.pending = append(o.pending, a.Block)
	case swarm.SendCancel:
		t.cancelAtOrigin(o, a.Block)
	case swarm.Drop:
		t.originFailed(o, fault.Errorf(fault.Protocol, "%s: %s", o.src.Name(), a.Text))
	case swarm.Ban:
		t.log.Warn("server banned from this transfer", "server", o.src.Name(), "why", a.Text)
		t.originFailed(o, fault.Errorf(fault.Corrupt, "%s: %s", o.src.Name(), a.Text))
	}
}

// cancelAtOrigin takes a request back. One that is on its way comes all the same,
// unless nothing else of its stretch is wanted.
func (t *Transfer) cancelAtOrigin(o *origin, b swarm.Block) {
	if i := slices.Index(o.pending, b); i >= 0 {
		o.pending = slices.Delete(o.pending, i, i+1)
		return
	}
	for _, s := range o.runs {
		if !s.drop(b) {
			continue
		}
		// A stretch that waits in the server's queue keeps its place there: what
		// the swarm has given up comes late, and is as good as any.
		if s.left == 0 && s.waited(t.now) < originSilence {
			t.endStretch(s)
		}
		return
	}
}

// endStretch gives up a stretch of which nothing is wanted any more.
func (t *Transfer) endStretch(s *stretch) {
	s.abandon()
	s.o.runs = slices.DeleteFunc(s.o.runs, func(r *stretch) bool { return r == s })
}

// streamed takes a block of a stretch.
func (t *Transfer) streamed(s *stretch, k *block) {
	o := s.o
	if s.over || t.paused { // no room: as if it had not come
		if b := k.place(); !s.over && s.came(b) {
			t.sw.PeerReject(t.now, o.id, b)
		}
		t.budget.put(k)
		return
	}
	b := k.place()
	s.came(b)
	if s.first > 0 && (o.rtt == 0 || s.first < o.rtt) {
		o.rtt = s.first
		t.sw.RTT(o.id, o.rtt)
	}
	o.state, o.err, o.fails, o.diverted = originOK, nil, 0, 0
	if !t.keep(o.id, b, k) {
		if s.tape == nil && s.left == 0 {
			t.endStretch(s)
		}
		return
	}
	o.accepted += int64(b.Length)
	t.fromOrigin += int64(b.Length)
}

// stretchEnded goes on after a stretch.
func (t *Transfer) stretchEnded(s *stretch, err error) {
	if s.over {
		return
	}
	o := s.o
	t.endStretch(s)
	rest := s.rest()
	var e *Elsewhere
	switch {
	case errors.As(err, &e):
		t.pointedElsewhere(o, rest, e)
	case errors.Is(err, errSequential):
		t.log.Info("the server, or something before it, gives whole files only", "server", o.src.Name())
		t.readForwards(o, rest)
	case errors.Is(err, fault.Busy) && len(o.runs) > 0: // too many at once
		o.atOnce = len(o.runs)
		t.putBack(o, rest)
	case err != nil:
		t.originFailed(o, err)
	default:
		if s.ranged {
			o.sequential = false
			t.sw.InOrder(t.now, o.id, -1)
		}
		t.putBack(o, rest)
	}
}

// readForwards goes on with an origin that gives whole files only, from the first
// missing piece on. What it was asked for before is given back.
func (t *Transfer) readForwards(o *origin, rest []swarm.Block) {
	o.sequential = true
	for _, r := range o.runs {
		r.abandon()
		rest = append(rest, r.rest()...)
	}
	rest = append(rest, o.pending...)
	o.runs, o.pending = nil, nil
	first := 0
	for first < t.manifest.NumPieces()-1 && (t.have.Has(first) || (t.wanted != nil && !t.wanted.Has(first))) {
		first++
	}
	t.sw.InOrder(t.now, o.id, first)
	t.sw.Elsewhere(t.now, o.id, rest, nil, 0)
}

// putBack makes blocks pending again, before the others.
func (t *Transfer) putBack(o *origin, rest []swarm.Block) {
	if len(rest) > 0 {
		o.pending = append(rest, o.pending...)
		o.since = t.now
	}
}

// Answers that point elsewhere.
const (
	maxPointed  = 64                     // addresses taken from one
	leastAfter  = 250 * time.Millisecond // nothing is asked again sooner
	mostAfter   = 30 * time.Second
	stormAnswer = 6  // in a row that name no pieces, after which the origin is left alone
	stormNamed  = 32 // in a row that do
)

// pointedElsewhere takes the answer that peers should be asked for rest, or that
// the origin is to be asked later. A server that answers everything so is left
// alone for longer and longer.
func (t *Transfer) pointedElsewhere(o *origin, rest []swarm.Block, e *Elsewhere) {
	for _, a := range e.Peers[:min(len(e.Peers), maxPointed)] {
		if n := t.book.add(a, "server", false); n != nil {
			n.asked = true
			if n.fails == 0 {
				n.next = t.now
			}
		}
	}
	taken, after := e.Taken, min(max(e.After, leastAfter), mostAfter)
	refused, free := t.partTaken(rest, taken)
	storm := stormNamed
	if len(refused) == 0 { // it does not say what is the matter
		taken, refused, free, storm = nil, rest, nil, stormAnswer
	}
	if o.diverted++; o.diverted >= storm {
		taken = content.FullBitfield(t.manifest.NumPieces())
		after = max(after, min(leastAfter<<min((o.diverted-storm)/maxStretches, 8), originLate))
	}
	if taken != nil && taken.Full() {
		refused = slices.Concat(refused, free, o.pending)
		o.pending, free = nil, nil
	}
	o.state, o.err = originWait, e
	t.putBack(o, free)
	t.sw.Elsewhere(t.now, o.id, refused, taken, after)
}

// partTaken parts blocks into those of pieces that were taken and the others: one
// such piece is enough for a whole stretch to be refused.
func (t *Transfer) partTaken(blocks []swarm.Block, taken *content.Bitfield) (refused, free []swarm.Block) {
	if taken == nil || taken.Len() != t.manifest.NumPieces() {
		return nil, blocks
	}
	for _, b := range blocks {
		if taken.Has(b.Piece) {
			refused = append(refused, b)
		} else {
			free = append(free, b)
		}
	}
	return refused, free
}

// answering reports whether an origin is there that gives.
func (t *Transfer) answering() bool {
	return slices.ContainsFunc(t.origins, func(o *origin) bool { return o.state == originOK || o.state == originWait })
}

// diverted reports whether an origin asked us to wait just now.
func (t *Transfer) diverted() bool {
	return slices.ContainsFunc(t.origins, func(o *origin) bool { return o.state == originWait })
}

// originStatuses are the origins as people see them.
func (t *Transfer) originStatuses() []OriginStatus {
	var all []OriginStatus
	for _, o := range t.origins {
		all = append(all, OriginStatus{Name: o.src.Name(), Bytes: o.accepted, State: o.state, Err: o.err})
	}
	return all
}
