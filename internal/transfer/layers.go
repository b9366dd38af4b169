package transfer

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/swarm"
	"tandem/internal/wire"
)

// Limits on hash requests (BEP 52).
const (
	hashWindow   = 4               // of ours, to one peer
	hashTimeout  = 5 * time.Second // for an answer
	hashRetry    = 5 * time.Second // before asking a peer again that rejected
	maxAnswers   = 64              // of peers', in work
	maxAnswering = 8               // of one peer, in work
)

// hashAsk is a hash request of ours without an answer.
type hashAsk struct {
	r     content.HashRange
	at    time.Time
	piece int // whose leaves these are, for a judgement; -1: a part of a piece layer
}

// askLayers asks for the parts of piece layers that are still unknown, spread
// over the peers that speak v2.
func (t *Transfer) askLayers() {
	if t.layers == nil || t.layersDone {
		return
	}
	t.missing = t.layers.MissingRanges(t.missing[:0])
	asked := map[content.HashRange]bool{}
	for _, c := range t.conns {
		for _, a := range c.asks {
			asked[a.r] = true
		}
	}
	turn := 0
	for _, r := range t.missing {
		if asked[r] {
			continue
		}
		c := t.hashPeer(&turn)
		if c == nil {
			return
		}
		t.askHashes(c, hashAsk{r: r, piece: -1})
	}
}

// hashPeer returns the next peer to ask for hashes: those who always answered
// before those who did not, and seeds before others, who need not know every
// layer.
func (t *Transfer) hashPeer(turn *int) *conn {
	var best *conn
	n := len(t.conns)
	for i := range n {
		c := t.conns[(*turn+i)%n]
		if !c.v2 || c.gone || len(c.asks) >= hashWindow || t.now.Before(c.hashWait) {
			continue
		}
		if best == nil || c.hashFails < best.hashFails || (c.hashFails == best.hashFails && c.seed && !best.seed) {
			best = c
		}
	}
	*turn++ // spreads the requests
	return best
}

func (t *Transfer) askHashes(c *conn, a hashAsk) {
	a.at = t.now
	c.asks = append(c.asks, a)
	t.post(c, &wire.Message{ID: wire.HashRequest, Range: a.r})
}

// takeAsk removes our request for r from c.
func takeAsk(c *conn, r content.HashRange) (hashAsk, bool) {
	for i, a := range c.asks {
		if a.r == r {
			c.asks = append(c.asks[:i], c.asks[i+1:]...)
			return a, true
		}
	}
	return hashAsk{}, false
}

// hashes takes the answer to a hash request.
func (t *Transfer) hashes(c *conn, m *wire.Message) error {
	a, ok := takeAsk(c, m.Range)
	if !ok {
		return t.strike(c) // late, or not asked for
	}
	if len(m.Hashes) < a.r.Length {
		return fault.Errorf(fault.Protocol, "%d hashes instead of %d", len(m.Hashes), a.r.Length)
	}
	if a.piece >= 0 {
		return t.leavesCame(c, a.piece, m.Hashes)
	}
	file, ok := t.layers.Lookup(a.r.Root)
	if !ok {
		return nil
	}
	if err := t.layers.AddRange(file, a.r.Index, m.Hashes[:a.r.Length], m.Hashes[a.r.Length:]); err != nil {
		t.ban(c, fault.Corrupt, err.Error())
		return nil
	}
	t.layersGrew()
	t.askLayers()
	return nil
}

// hashReject takes the refusal of a hash request; another peer is asked.
func (t *Transfer) hashReject(c *conn, r content.HashRange) error {
	a, ok := takeAsk(c, r)
	if !ok {
		return t.strike(c)
	}
	c.hashWait = t.now.Add(hashRetry)
	t.hashesMissed(c, a)
	return nil
}

// hashesMissed goes on after a request that c did not answer.
func (t *Transfer) hashesMissed(c *conn, a hashAsk) {
	if a.piece >= 0 {
		t.judgeNext(a.piece)
		return
	}
	t.askLayers()
}

// forgetAsks goes on without c, which is gone.
func (t *Transfer) forgetAsks(c *conn) {
	asks := c.asks
	c.asks = nil
	for _, a := range asks {
		t.hashesMissed(c, a)
	}
}

// timeHashes goes on after requests that were not answered in time.
func (t *Transfer) timeHashes() {
	for _, c := range t.conns {
		for range len(c.asks) {
			if t.now.Sub(c.asks[0].at) <= hashTimeout {
				break
			}
			a := c.asks[0]
			c.asks = c.asks[1:]
			c.hashFails++
			t.hashesMissed(c, a)
		}
	}
	t.askLayers()
}

// layersGrew carries on with what waited for piece layers, and keeps them for a
// restart once they are complete.
func (t *Transfer) layersGrew() {
	if t.layersDone {
		return
	}
	t.layersDone = t.layers.Complete()
	wait := t.awaiting[:0]
	for _, piece := range t.awaiting {
		if _, known := t.layers.Piece(piece); known {
			t.verifyLater(t.arrived(piece))
		} else {
			wait = append(wait, piece)
		}
	}
	t.awaiting = wait
	t.recheck()
	if err := t.compareRoots(); err != nil {
		t.fail(err)
		return
	}
	if t.layersDone {
		t.roots = nil
		t.saveLater()
	}
}

// compareRoots checks the v2 hashes computed for hybrid pieces that were
// accepted by their v1 hashes alone against those known by now.
func (t *Transfer) compareRoots() error {
	for piece, root := range t.roots {
		want, known := t.layers.Piece(piece)
		if !known {
			continue
		}
		if want != root {
			return fault.Errorf(fault.Conflict, "piece %d fits its v1 hash and not its v2 hash", piece)
		}
		delete(t.roots, piece)
	}
	return nil
}

// saveLater keeps the torrent for a restart.
func (t *Transfer) saveLater() {
	if t.cfg.SaveTorrent == nil {
		return
	}
	tor := *t.torrent
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		if err := t.cfg.SaveTorrent(&tor); err != nil {
			t.log.Warn("keep metadata for a restart", "err", err)
		}
	}()
}

// hashRequest answers a peer's hash request, off the owner's goroutine: leaves
// have to be read and hashed.
func (t *Transfer) hashRequest(c *conn, r content.HashRange) error {
	if !c.v2 {
		return fault.Errorf(fault.Protocol, "hash request on a v1 connection")
	}
	if t.layers == nil || t.sw == nil || c.answering >= maxAnswering || t.answers >= maxAnswers || !t.affords(c, r) {
		t.post(c, &wire.Message{ID: wire.HashReject, Range: r})
		return t.strike(c)
	}
	c.answering++
	t.answers++
	have := t.have.Clone() // only pieces we have may be read
	if r.Base != 0 {
		have = nil
	}
	t.jobs.put(func(scratch *[]byte) {
		m := wire.Message{ID: wire.Hashes, Range: r}
		var err error
		m.Hashes, err = t.manifest.AnswerRange(t.layers, r, func(piece int) ([]content.Hash, error) {
			if have == nil || !have.Has(piece) {
				return nil, fault.Errorf(fault.NotFound, "piece %d is not here", piece)
			}
			data := grow(scratch, t.manifest.PieceSize(piece))
			if err := t.store.ReadAt(data, piece, 0); err != nil {
				return nil, err
			}
			return content.Leaves(nil, data), nil
		})
		if err != nil {
			m = wire.Message{ID: wire.HashReject, Range: r}
		}
		t.mail.put(event{kind: evAnswer, c: c, msg: m})
	})
	return nil
}

// Answering for leaves costs reading and hashing what they stand for. A peer may
// cause that much of it, in bytes: at once, and per second.
const (
	leafBurst = 64 << 20
	leafRate  = 2 << 20
)

// affords reports whether c may cause the work that r is, and charges it.
func (t *Transfer) affords(c *conn, r content.HashRange) bool {
	if r.Base != 0 {
		return true
	}
	if c.leafAt.IsZero() {
		c.leafBytes = leafBurst
	} else {
		c.leafBytes = min(leafBurst, c.leafBytes+leafRate*t.now.Sub(c.leafAt).Seconds())
	}
	c.leafAt = t.now
	cost := max(float64(r.Length)*content.BlockSize, float64(t.manifest.PieceLength))
	if cost > c.leafBytes {
		return false
	}
	c.leafBytes -= cost
	return true
}

// answer sends the answer to a hash request.
func (t *Transfer) answer(e *event) {
	t.answers--
	e.c.answering--
	t.post(e.c, &e.msg)
	if e.msg.ID == wire.HashReject && !e.c.gone {
		if err := t.strike(e.c); err != nil {
			t.drop(e.c, fault.Protocol, err.Error())
		}
	}
}

// judgement finds out which blocks of a piece are bad (BEP 52: by their leaf
// hashes).
type judgement struct {
	tried map[swarm.ConnID]bool
}

// maxJudges is how many peers are asked for the leaf hashes of one piece.
const maxJudges = 8

// judge asks for the leaf hashes of a piece, first from the peer first.
func (t *Transfer) judge(first swarm.ConnID, piece int) {
	if !t.manifest.HasV2 {
		t.sw.BlocksJudged(t.now, piece, nil, false)
		return
	}
	if _, known := t.layers.Piece(piece); !known {
		t.sw.BlocksJudged(t.now, piece, nil, false)
		return
	}
	t.judging[piece] = &judgement{tried: map[swarm.ConnID]bool{}}
	if c := t.byID[first]; c != nil && c.v2 && !c.gone {
		t.judging[piece].tried[first] = true
		t.askHashes(c, hashAsk{r: t.manifest.LeafRange(piece), piece: piece})
		return
	}
	t.judgeNext(piece)
}

// judgeNext asks another peer, or gives up.
func (t *Transfer) judgeNext(piece int) {
	j := t.judging[piece]
	if j == nil {
		return
	}
	for _, seeds := range []bool{true, false} {
		for _, c := range t.conns {
			if len(j.tried) >= maxJudges || !c.v2 || c.gone || c.seed != seeds || j.tried[c.id] {
				continue
			}
			j.tried[c.id] = true
			t.askHashes(c, hashAsk{r: t.manifest.LeafRange(piece), piece: piece})
			return
		}
	}
	delete(t.judging, piece)
	t.sw.BlocksJudged(t.now, piece, nil, false)
}

// leavesCame compares the blocks of a piece with the leaf hashes a peer sent.
func (t *Transfer) leavesCame(c *conn, piece int, hashes []content.Hash) error {
	if t.judging[piece] == nil {
		return nil
	}
	want, _ := t.layers.Piece(piece)
	n := t.manifest.NumBlocks(piece)
	if len(hashes) < n || t.manifest.PieceRoot(piece, hashes[:n]) != want {
		t.judgeNext(piece)
		return fault.Errorf(fault.Corrupt, "leaf hashes of piece %d do not match its hash", piece)
	}
	delete(t.judging, piece)
	var bad []int
	for i, leaf := range t.leavesOf(piece) {
		if leaf != hashes[i] {
			bad = append(bad, i)
		}
	}
	t.sw.BlocksJudged(t.now, piece, bad, true)
	return nil
}
