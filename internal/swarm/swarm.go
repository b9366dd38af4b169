package swarm

import (
	"math/rand/v2"
	"time"

	"tandem/internal/choke"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/pick"
	"tandem/internal/request"
)

// Defaults of Config.
const (
	defaultServing  = 2
	defaultQueuedIn = 256
	defaultDepth    = 512
)

// Swarm is one transfer as a state machine. Make one with New.
type Swarm struct {
	cfg  Config
	geo  Geometry
	rand *rand.Rand

	epoch time.Time     // of the first event
	now   time.Duration // since epoch, of the event being handled

	have    *content.Bitfield
	wanted  *content.Bitfield
	suspect *content.Bitfield // neither had nor fetched until judged
	picker  *pick.Picker
	conns   map[ConnID]*conn
	list    []*conn // in order of connecting; decisions go through it, never the map
	actions []Action

	// What we fetch.
	partials    []*partial
	byPiece     map[int32]*partial
	spare       []*partial // for reuse
	free        int        // blocks of partials neither here nor asked for
	orphans     int        // partials with free blocks and no owner
	outstanding int        // requests on all connections
	missing     int        // wanted blocks not here, but for suspect pieces
	suspects    int        // wanted suspect pieces
	paused      bool
	complete    bool
	downRate    request.Rate

	// What we send.
	active   []*conn // being sent to
	queued   int     // connections that wait for a turn
	upRate   request.Rate
	capacity choke.Capacity
	share    choke.Share
	probe    prober
	rotateAt time.Duration // when MaxUnchoked is looked at again
	waitBuf  []choke.Waiting
	waitConn []*conn
	refill   []*conn // whose requests were just answered by others

	nears   int // near sources: what is not near is spared while there are any
	origins int
	holders holders

	guard  guard
	banned keySet
	parole keySet
	// judging lists pieces whose judgement is awaited, oldest first.
	judging []judgement

	haveWanted                int
	bytes, total              int64
	wasted, corrupt, received int64
}

// New returns a Swarm with no connections.
func New(cfg Config) *Swarm {
	n := cfg.Geometry.NumPieces()
	if cfg.Serving <= 0 {
		cfg.Serving = defaultServing
	}
	if cfg.MaxQueuedIn <= 0 {
		cfg.MaxQueuedIn = defaultQueuedIn
	}
	if cfg.MaxDepth <= 0 {
		cfg.MaxDepth = defaultDepth
	}
	if cfg.Have == nil {
		cfg.Have = content.NewBitfield(n)
	}
	if cfg.Suspect == nil {
		cfg.Suspect = content.NewBitfield(n)
	}
	if cfg.Wanted == nil {
		cfg.Wanted = content.FullBitfield(n)
	}
	s := &Swarm{
		cfg:     cfg,
		geo:     cfg.Geometry,
		rand:    cfg.Rand,
		have:    cfg.Have,
		wanted:  cfg.Wanted,
		suspect: cfg.Suspect,
		picker:  pick.New(n, cfg.Rand),
		conns:   make(map[ConnID]*conn),
		byPiece: make(map[int32]*partial),
	}
	for i := cfg.Wanted.Next(0); i >= 0; i = cfg.Wanted.Next(i + 1) {
		s.total += int64(s.geo.PieceSize(i))
		if s.have.Has(i) {
			s.haveWanted++
			s.bytes += int64(s.geo.PieceSize(i))
			continue
		}
		if s.suspect.Has(i) {
			s.suspects++
			continue
		}
		s.picker.Need(i)
		s.missing += s.geo.NumBlocks(i)
	}
	if s.have.Full() && n > 0 && !cfg.NoGuard {
		s.guard.begin(n)
	}
	s.checkComplete()
	return s
}

// Actions appends the pending actions to buf and forgets them.
func (s *Swarm) Actions(buf []Action) []Action {
	buf = append(buf, s.actions...)
	clear(s.actions)
	s.actions = s.actions[:0]
	return buf
}

func (s *Swarm) emit(a Action) { s.actions = append(s.actions, a) }

// at notes the time of an event and finds its connection, nil if the machine
// has already parted from it.
func (s *Swarm) at(now time.Time, id ConnID) *conn {
	s.clock(now)
	return s.conns[id]
}

// peerAt is at, for what only peers say: nil for an origin too.
func (s *Swarm) peerAt(now time.Time, id ConnID) *conn {
	if c := s.at(now, id); c != nil && !c.origin {
		return c
	}
	return nil
}

// clock notes the time of an event. Time never goes back.
func (s *Swarm) clock(now time.Time) {
	if s.epoch.IsZero() {
		// An hour ahead, so that the zero Duration is long ago.
		s.epoch = now.Add(-time.Hour)
	}
	s.now = max(s.now, now.Sub(s.epoch))
}

// block returns the request for a block by its number.
func (s *Swarm) block(piece, block int) Block {
	return Block{piece, block * content.BlockSize, s.geo.BlockLen(piece, block)}
}

// drop parts from a connection because of what the peer did.
func (s *Swarm) drop(c *conn, k fault.Kind, text string) {
	if c.gone {
		return
	}
	s.emit(Action{Kind: Drop, Conn: c.id, Reason: k, Text: text})
	s.leave(c)
}

// checkComplete emits Complete the first time nothing wanted is missing.
func (s *Swarm) checkComplete() {
	if !s.complete && s.picker.Needed() == 0 && s.suspects == 0 {
		s.complete = true
		s.emit(Action{Kind: Complete})
	}
}

// Stats returns a snapshot. It looks at every piece: call it for people, not
// for blocks.
func (s *Swarm) Stats() Stats {
	st := Stats{
		Have:     s.haveWanted,
		Wanted:   s.wanted.Count(),
		Pieces:   s.geo.NumPieces(),
		Bytes:    s.bytes,
		Total:    s.total,
		Wasted:   s.wasted,
		Corrupt:  s.corrupt,
		DownRate: s.downRate.Get(s.now),
		UpRate:   s.upRate.Get(s.now),
		Copies:   s.picker.Copies(),
		GuardOn:  s.guard.on,
		Conns:    make([]ConnStats, 0, len(s.list)),
	}
	for _, c := range s.list {
		st.Conns = append(st.Conns, ConnStats{
			Conn:         c.id,
			Key:          c.caps.Key,
			Down:         c.down,
			Up:           c.up,
			DownRate:     c.rate.Get(s.now),
			UpRate:       c.upRate.Get(s.now),
			Pieces:       c.peer.Len(),
			Outstanding:  c.out.len(),
			QueuedIn:     c.in.len() + c.held.len(),
			ChokesUs:     c.chokesUs,
			Choked:       c.choked,
			Interested:   c.interested,
			WeInterested: c.weInterested,
			Origin:       c.origin,
			Near:         c.caps.Near,
		})
	}
	return st
}
