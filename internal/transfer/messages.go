package transfer

import (
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/swarm"
	"tandem/internal/wire"
)

// message takes one message of a peer.
func (t *Transfer) message(e *event) {
	c, m := e.c, &e.msg
	if c.gone {
		t.budget.put(e.block)
		return
	}
	if err := t.dispatch(c, m, e.block); err != nil {
		t.drop(c, fault.KindOf(err), err.Error())
	}
}

// dispatch routes a message. It takes over block.
func (t *Transfer) dispatch(c *conn, m *wire.Message, block *block) error {
	switch m.ID {
	case wire.Piece:
		return t.payload(c, m, block)
	case wire.HaveAll, wire.HaveNone, wire.Reject, wire.Suggest, wire.AllowedFast:
		if !c.fast() {
			return fault.Errorf(fault.Protocol, "%s without the Fast extension", m.ID)
		}
	case wire.Extended:
		return t.extended(c, m)
	case wire.Port:
		return t.port(c, m)
	case wire.HashRequest:
		return t.hashRequest(c, m.Range)
	case wire.Hashes:
		return t.hashes(c, m)
	case wire.HashReject:
		return t.hashReject(c, m.Range)
	case wire.KeepAlive:
		return t.strike(c)
	}
	if !m.ID.Known() {
		return t.strike(c)
	}
	if t.sw == nil {
		return c.early.note(t, c, m)
	}
	return t.steer(c, m)
}

// maxStrikes is how many messages of no use a peer may send in a minute.
const maxStrikes = 600

// strike counts a message that brings nothing.
func (t *Transfer) strike(c *conn) error {
	if t.now.Sub(c.minute) > time.Minute {
		c.minute, c.strikes = t.now, 0
	}
	if c.strikes++; c.strikes > maxStrikes {
		return fault.Errorf(fault.Protocol, "floods us with messages of no use")
	}
	return nil
}

// steer passes a message on to the swarm.
func (t *Transfer) steer(c *conn, m *wire.Message) error {
	b := swarm.Block{Piece: int(m.Index), Begin: int(m.Begin), Length: int(m.Length)}
	switch m.ID {
	case wire.Have, wire.Suggest, wire.AllowedFast, wire.Reject:
		if b.Piece >= t.manifest.NumPieces() {
			return fault.Errorf(fault.Protocol, "%s of piece %d, there are %d", m.ID, b.Piece, t.manifest.NumPieces())
		}
	}
	switch m.ID {
	case wire.Choke:
		t.sw.PeerChoke(t.now, c.id, true)
	case wire.Unchoke:
		t.sw.PeerChoke(t.now, c.id, false)
	case wire.Interested:
		t.sw.PeerInterest(t.now, c.id, true)
	case wire.NotInterested:
		t.sw.PeerInterest(t.now, c.id, false)
	case wire.Have:
		t.peerHas(c, b.Piece)
	case wire.Bitfield, wire.HaveAll, wire.HaveNone:
		return t.bitfield(c, m)
	case wire.Request:
		t.sw.PeerRequest(t.now, c.id, b)
	case wire.Cancel:
		t.sw.PeerCancel(t.now, c.id, b)
	case wire.Reject:
		t.sw.PeerReject(t.now, c.id, b)
	case wire.AllowedFast:
		t.sw.PeerAllowed(t.now, c.id, b.Piece)
		return t.strike(c)
	case wire.Suggest:
		t.sw.PeerSuggest(t.now, c.id, b.Piece)
		return t.strike(c)
	}
	return nil
}

// bitfield takes the set a peer announces. BEP 3 has it once, at the start;
// aria2 sends another whenever that is shorter than many haves, so a later one
// stands for the haves in it. It takes nothing back.
func (t *Transfer) bitfield(c *conn, m *wire.Message) error {
	if c.mapped && m.ID != wire.Bitfield {
		return fault.Errorf(fault.Protocol, "%s after an earlier set of pieces", m.ID)
	}
	n := t.manifest.NumPieces()
	var set *content.Bitfield
	switch m.ID {
	case wire.HaveAll:
		set = content.FullBitfield(n)
	case wire.HaveNone:
		set = content.NewBitfield(n)
	default:
		var ok bool
		if set, ok = content.ParseBitfield(m.Payload, n); !ok {
			return fault.Errorf(fault.Protocol, "bitfield of %d bytes does not fit %d pieces", len(m.Payload), n)
		}
	}
	c.seed = c.seed || n > 0 && set.Full()
	if c.mapped {
		for i := set.Next(0); i >= 0; i = set.Next(i + 1) {
			t.sw.PeerHave(t.now, c.id, i)
		}
		c.strikes += n / 10_000 // it costs us more than the peer
		return t.strike(c)
	}
	c.mapped = true
	t.sw.PeerBitfield(t.now, c.id, set)
	return nil
}

// payload takes a block.
func (t *Transfer) payload(c *conn, m *wire.Message, k *block) error {
	b := swarm.Block{Piece: int(m.Index), Begin: int(m.Begin), Length: k.n}
	if t.sw == nil || b.Piece >= t.manifest.NumPieces() {
		t.budget.put(k)
		return fault.Errorf(fault.Protocol, "data of piece %d, which was not asked for", b.Piece)
	}
	if t.paused { // no room: as if it had not come
		t.budget.put(k)
		t.sw.PeerReject(t.now, c.id, b)
		return nil
	}
	if t.keep(c.id, b, k) {
		c.accepted += int64(b.Length)
		t.fromPeers += int64(b.Length)
		if c.near {
			t.fromLAN += int64(b.Length)
		}
	}
	return nil
}

// keep stores a block that came over a connection if the swarm wants it. It takes
// over k.
func (t *Transfer) keep(id swarm.ConnID, b swarm.Block, k *block) bool {
	if !t.sw.PeerBlock(t.now, id, b) {
		t.budget.put(k)
		return false
	}
	t.figures.downloaded.Add(int64(k.n))
	if t.manifest.HasV2 {
		t.leavesOf(b.Piece)[b.Begin/content.BlockSize] = k.leaf
	}
	k.piece, k.begin = b.Piece, b.Begin
	if !t.manifest.HasV2 {
		a := t.arrivals[b.Piece]
		if a == nil {
			a = new(arrival)
			t.arrivals[b.Piece] = a
		}
		a.note(k)
	}
	t.disk.put(write{block: k})
	return true
}

// arrived returns the order to verify a piece, with what is known of it.
func (t *Transfer) arrived(piece int) write {
	return write{piece: piece, leaves: t.leaves[piece], sum: t.arrivals[piece].whole1(t.manifest.NumBlocks(piece))}
}

// leavesOf returns the place for the leaf hashes of a piece.
func (t *Transfer) leavesOf(piece int) []content.Hash {
	l := t.leaves[piece]
	if l == nil {
		n := t.manifest.NumBlocks(piece)
		if k := len(t.spare); k > 0 && cap(t.spare[k-1]) >= n {
			l = t.spare[k-1][:n]
			t.spare = t.spare[:k-1]
		} else {
			l = make([]content.Hash, n)
		}
		t.leaves[piece] = l
	}
	return l
}

// forgetLeaves releases the leaf hashes of a piece.
func (t *Transfer) forgetLeaves(piece int) {
	if l, ok := t.leaves[piece]; ok {
		delete(t.leaves, piece)
		if len(t.spare) < 64 {
			t.spare = append(t.spare, l)
		}
	}
}

// port takes the port of a peer's DHT node.
func (t *Transfer) port(c *conn, m *wire.Message) error {
	if t.cfg.OnDHTNode != nil && t.cfg.Audience == peer.Public && !t.private() && m.Port != 0 {
		t.cfg.OnDHTNode(netip.AddrPortFrom(c.nc.Remote().Addr().Unmap(), m.Port))
	}
	return t.strike(c)
}

// early is what a peer said before the metadata was known. It is bounded by
// maxEarly for one peer and maxEarlyBytes for all.
type early struct {
	set        wire.Message // its bitfield, have-all or have-none
	haves      []uint32
	unchoked   bool
	interested bool
}

// Limits on what is kept until the metadata is known.
const (
	maxEarly      = 1 << 16  // have messages of one peer
	maxEarlyBytes = 16 << 20 // of all peers
)

// size is what y takes in memory.
func (y *early) size() int { return len(y.set.Payload) + 4*len(y.haves) }

// note keeps what m says.
func (y *early) note(t *Transfer, c *conn, m *wire.Message) error {
	t.earlyBytes -= y.size()
	defer func() { t.earlyBytes += y.size() }()
	if t.earlyBytes > maxEarlyBytes {
		return fault.Errorf(fault.Full, "too much to remember until the metadata is known")
	}
	switch m.ID {
	case wire.Choke, wire.Unchoke:
		y.unchoked = m.ID == wire.Unchoke
	case wire.Interested, wire.NotInterested:
		y.interested = m.ID == wire.Interested
	case wire.Have:
		if len(y.haves) >= maxEarly {
			return fault.Errorf(fault.Protocol, "announces more than %d pieces one by one", maxEarly)
		}
		y.haves = append(y.haves, m.Index)
	case wire.Bitfield, wire.HaveAll, wire.HaveNone:
		if c.mapped && m.ID != wire.Bitfield {
			return fault.Errorf(fault.Protocol, "%s after an earlier set of pieces", m.ID)
		}
		c.mapped = true
		if !c.seed {
			c.seed = m.ID == wire.HaveAll
			y.set = *m
		}
	case wire.Request:
		if c.fast() {
			t.reject(c, swarm.Block{Piece: int(m.Index), Begin: int(m.Begin), Length: int(m.Length)})
		}
		return t.strike(c)
	default:
		return t.strike(c)
	}
	return nil
}

// replay tells the swarm what c said before there was one.
func (t *Transfer) replay(c *conn) error {
	y := c.early
	c.early = early{}
	t.earlyBytes -= y.size()
	if c.mapped {
		c.mapped = false
		if err := t.bitfield(c, &y.set); err != nil {
			return err
		}
	}
	for _, i := range y.haves {
		if err := t.steer(c, &wire.Message{ID: wire.Have, Index: i}); err != nil {
			return err
		}
	}
	if y.interested {
		t.sw.PeerInterest(t.now, c.id, true)
	}
	if y.unchoked {
		t.sw.PeerChoke(t.now, c.id, false)
	}
	return nil
}
