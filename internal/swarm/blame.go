package swarm

import (
	"slices"
	"time"

	"tandem/internal/fault"
	"tandem/internal/peer"
)

// judgement is a piece whose leaf hashes were asked for.
type judgement struct {
	piece int
	until time.Duration
}

// judgeTime bounds the wait for BlocksJudged.
const judgeTime = time.Minute

// keys returns who delivered the blocks of p that are here, each once.
func (p *partial) keys() []peer.Key {
	var keys []peer.Key
	for i := range p.blocks {
		if b := &p.blocks[i]; b.got && !slices.Contains(keys, p.senders[b.sender].key) {
			keys = append(keys, p.senders[b.sender].key)
		}
	}
	return keys
}

// blame deals with a piece that failed its hash. One sender is guilty; of
// several the leaf hashes tell which; without them all go on parole: each
// fetches whole pieces alone from then on, until one proves good or bad.
func (s *Swarm) blame(p *partial) {
	keys := p.keys()
	if len(keys) == 1 {
		s.corrupt += int64(s.geo.PieceSize(p.piece))
		s.restart(p)
		s.ban(keys[0], "sent a piece that does not match its hash")
		s.fillAll()
		return
	}
	judge := s.judge(p)
	if judge == nil {
		s.onParole(p, keys)
		return
	}
	p.judging = true
	s.judging = append(s.judging, judgement{p.piece, s.now + judgeTime})
	s.emit(Action{Kind: JudgeBlocks, Conn: judge.id, Block: Block{Piece: p.piece}})
}

// judge returns the connection to ask for leaf hashes first: one that has the
// piece and no part in it, if there is one.
func (s *Swarm) judge(p *partial) *conn {
	var second *conn
	for _, c := range s.list {
		if !c.caps.V2 || c.origin || !c.peer.Has(p.piece) {
			continue
		}
		if !slices.ContainsFunc(p.senders, func(o sender) bool { return o.key == c.caps.Key }) {
			return c
		}
		if second == nil {
			second = c
		}
	}
	return second
}

// BlocksJudged answers JudgeBlocks: bad lists the block numbers whose leaf hash
// is wrong. !ok means that no leaf hashes were to be had.
func (s *Swarm) BlocksJudged(now time.Time, piece int, bad []int, ok bool) {
	s.clock(now)
	p := s.byPiece[int32(piece)]
	if p == nil || !p.judging {
		return
	}
	p.judging = false
	s.judging = slices.DeleteFunc(s.judging, func(j judgement) bool { return j.piece == piece })
	if !ok || len(bad) == 0 {
		s.onParole(p, p.keys())
		return
	}
	var guilty []peer.Key
	for _, i := range bad {
		if i < 0 || i >= len(p.blocks) || !p.blocks[i].got {
			continue
		}
		b := &p.blocks[i]
		if key := p.senders[b.sender].key; !slices.Contains(guilty, key) {
			guilty = append(guilty, key)
		}
		s.corrupt += int64(s.geo.BlockLen(piece, i))
		s.unget(p, b)
	}
	p.next, p.closed, p.judged = 0, false, true
	s.enlist(p)
	s.settle(p)
	for _, key := range guilty {
		s.ban(key, "sent a block that does not match its hash")
	}
	s.fillAll()
}

// onParole starts p over, with all its senders on parole.
func (s *Swarm) onParole(p *partial, keys []peer.Key) {
	s.corrupt += int64(s.geo.PieceSize(p.piece))
	s.restart(p)
	for _, key := range keys {
		s.parole.add(key)
	}
	for _, c := range s.list {
		if slices.Contains(keys, c.caps.Key) {
			c.parole = true
			s.disown(c)
		}
	}
	s.fillAll()
}

// restart makes a closed piece unstarted.
func (s *Swarm) restart(p *partial) {
	s.discard(p)
	p.closed = false
	s.settle(p)
}

// absolve ends the parole of the one who delivered a good piece alone.
func (s *Swarm) absolve(p *partial) {
	if !p.alone || len(p.senders) != 1 {
		return
	}
	key := p.senders[0].key
	s.parole.remove(key)
	for _, c := range s.list {
		if c.caps.Key == key {
			c.parole = false
		}
	}
}

// ban parts from every connection of key, for good, and keeps nothing of it that is
// not verified: an innocent peer would share the blame.
func (s *Swarm) ban(key peer.Key, text string) {
	s.banned.add(key)
	for _, c := range slices.Clone(s.list) {
		if c.caps.Key == key && !c.gone {
			s.emit(Action{Kind: Ban, Conn: c.id, Reason: fault.Corrupt, Text: text})
			s.leave(c)
		}
	}
	for _, p := range slices.Clone(s.partials) {
		if !p.judged { // what it has left is known to be good
			s.disclaim(p, key)
		}
	}
	s.fillAll()
}

// disclaim makes the blocks of an unfinished piece that came from key missing again.
func (s *Swarm) disclaim(p *partial, key peer.Key) {
	before := p.got
	for i := range p.blocks {
		if b := &p.blocks[i]; b.got && p.senders[b.sender].key == key {
			s.unget(p, b)
			s.wasted += int64(s.geo.BlockLen(p.piece, i))
		}
	}
	if p.got < before {
		p.next = 0
		s.settle(p)
	}
}
