package transfer

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

// Turns of near nodes at a piece that has just appeared far away.
const (
	turnWait = 150 * time.Millisecond // for the notice of the node whose turn it is
	maxHeld  = 4096                   // announcements held back
)

// held is the announcement of a far peer, told to the swarm when it is due.
type held struct {
	c     *conn
	piece int
	due   time.Time
}

// peerHas tells the swarm that c has piece. Hungry nodes of one local network
// would all ask a far peer for a piece in the same moment, and it would cross their
// line as often, since notices come too late to keep them from it. So one begins,
// and the others hear of the piece when there was time for its notice.
func (t *Transfer) peerHas(c *conn, piece int) {
	if c.near || t.have.Has(piece) || len(t.heldBack) >= maxHeld || t.ourTurn(piece) {
		t.sw.PeerHave(t.now, c.id, piece)
		return
	}
	t.heldBack = append(t.heldBack, held{c, piece, t.now.Add(turnWait)})
}

// tellHeld tells the swarm what is due.
func (t *Transfer) tellHeld() {
	n := 0
	for n < len(t.heldBack) && !t.now.Before(t.heldBack[n].due) {
		if h := t.heldBack[n]; !h.c.gone {
			t.sw.PeerHave(t.now, h.c.id, h.piece)
		}
		n++
	}
	t.heldBack = append(t.heldBack[:0], t.heldBack[n:]...)
}

// ourTurn reports whether no near node that fetches stands before us at piece. All
// come to the same answer.
func (t *Transfer) ourTurn(piece int) bool {
	ours := turn(piece, t.cfg.PeerID)
	for _, c := range t.conns {
		if c.near && c.noticed() && c.mapped && !c.seed && !c.uploads && turn(piece, c.hs.PeerID) < ours {
			return false
		}
	}
	return true
}

// turn is where the node with a BitTorrent peer ID stands at a piece: a hash of both
// (rendezvous hashing), so that pieces are spread over the nodes.
func turn(piece int, id [20]byte) uint64 {
	h := fnv.New64a()
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(piece))
	h.Write(id[:])
	h.Write(b[:])
	return h.Sum64()
}
