package swarm

import (
	"time"

	"tandem/internal/peer"
	"tandem/internal/pick"
	"tandem/internal/request"
)

// ask is a block we asked a connection for.
type ask struct {
	piece, block int32
	at           time.Duration
}

// conn is one connection. It may outlive its place in Swarm.conns only within
// one event; gone says so.
type conn struct {
	id      ConnID
	gone    bool
	origin  bool       // as in caps; these two are looked at for every block
	distant bool       // what is fetched from it crosses a link that others share: they are told
	peer    *pick.Peer // what it announced

	fetching
	serving
	guarded
	spared
	caps  Caps
	fouls fouls
}

// fetching is our side of a connection as a requester.
type fetching struct {
	chokesUs     bool
	weInterested bool
	allowed      []int // pieces we may ask for while choked (BEP 6)
	reqq         int   // requests the peer will queue

	out    fifo[ask]
	own    *partial // the piece this connection started, while it has unrequested blocks
	rate   request.Rate
	pulse  request.Pulse
	rtt    time.Duration
	steady float64 // rate at the last block
	down   int64

	waiting time.Duration // when the answer waited for began to be due: last block, or first request after none
	snubbed bool          // got nothing for too long: one request until it delivers
	late    int           // requests taken back whose block or reject may still come
	refused int           // rejects since the last block
	rest    time.Duration // no requests until then: it rejects everything
	parole  bool          // had a part in a bad piece: whole pieces only
}

// serving is our side of a connection as a sender.
type serving struct {
	choked     bool // we choke the peer
	since      time.Duration
	interested bool

	in      fifo[Block] // requests not yet handed to the driver
	unsent  int         // bytes handed over and not Sent
	up      int64
	upRate  request.Rate
	queued  bool // has requests and no turn
	active  bool // has a turn
	limited bool // takes less than its share, does not count towards K

	served    time.Duration // end of the last turn
	turnAt    time.Duration // start of this turn
	turnPiece int
	turnBytes int
	turnFair  float64 // Swarm.fair when it began
}

// sender is who delivered blocks of a piece. It is kept beyond the connection,
// for blame.
type sender struct {
	id  ConnID
	key peer.Key
}

// defaultReqQ is assumed of a peer that does not say how many requests it
// queues.
const defaultReqQ = 250

// maxAllowed is how many allowed-fast pieces are remembered.
const maxAllowed = 64

// mayAsk reports whether requests can be sent on c at all.
func (s *Swarm) mayAsk(c *conn) bool {
	return !s.paused && c.weInterested && c.rest <= s.now && (!c.chokesUs || len(c.allowed) > 0)
}

// updateInterest tells the peer when our interest in it begins or ends.
func (s *Swarm) updateInterest(c *conn) {
	want := s.picker.Needs(c.peer) > 0
	if want == c.weInterested {
		return
	}
	c.weInterested = want
	if c.origin {
		return
	}
	if want {
		s.emit(Action{Kind: SendInterest, Conn: c.id})
	} else {
		s.emit(Action{Kind: SendNoInterest, Conn: c.id})
	}
}

// keySet is a bounded set of peers; the oldest member makes room.
type keySet struct {
	m     map[peer.Key]struct{}
	order []peer.Key
}

// maxKeys bounds each keySet.
const maxKeys = 4096

func (k *keySet) has(key peer.Key) bool {
	_, ok := k.m[key]
	return ok
}

func (k *keySet) add(key peer.Key) {
	if k.has(key) {
		return
	}
	if k.m == nil {
		k.m = make(map[peer.Key]struct{})
	}
	if len(k.order) == maxKeys {
		delete(k.m, k.order[0])
		k.order = append(k.order[:0], k.order[1:]...)
	}
	k.m[key] = struct{}{}
	k.order = append(k.order, key)
}

func (k *keySet) remove(key peer.Key) {
	if !k.has(key) {
		return
	}
	delete(k.m, key)
	for i, o := range k.order {
		if o == key {
			k.order = append(k.order[:i], k.order[i+1:]...)
			return
		}
	}
}
