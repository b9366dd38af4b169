package swarm

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// check compares every counter with what it counts.
func (s *Swarm) check() error {
	free, orphans, missing, outstanding, queued, suspects := 0, 0, 0, 0, 0, 0
	copies := make(map[[2]int32]int)
	for _, c := range s.list {
		if s.conns[c.id] != c || c.gone {
			return fmt.Errorf("conn %d is listed and gone", c.id)
		}
		outstanding += c.out.len()
		for i := range c.out.len() {
			a := c.out.at(i)
			copies[[2]int32{a.piece, a.block}]++
			p := s.byPiece[a.piece]
			if p == nil || p.blocks[a.block].got {
				return fmt.Errorf("conn %d is asked for block %d of piece %d, which is not missing", c.id, a.block, a.piece)
			}
			if b := p.blocks[a.block]; b.from[0] != c.id && (b.copies < 2 || b.from[1] != c.id) {
				return fmt.Errorf("block %d of piece %d does not know of conn %d", a.block, a.piece, c.id)
			}
		}
		if c.own != nil && (c.own.owner != c || c.own.free == 0) {
			return fmt.Errorf("conn %d owns a piece that is not its own", c.id)
		}
		if c.queued != (!c.active && c.in.len() > 0) {
			return fmt.Errorf("conn %d: queued is %v", c.id, c.queued)
		}
		if c.queued {
			queued++
		}
		if c.in.len()+c.held.len() > s.cfg.MaxQueuedIn {
			return fmt.Errorf("conn %d has %d requests queued", c.id, c.in.len())
		}
	}
	for i := s.wanted.Next(0); i >= 0; i = s.wanted.Next(i + 1) {
		if s.suspect.Has(i) {
			suspects++
			if s.byPiece[int32(i)] != nil || s.have.Has(i) {
				return fmt.Errorf("piece %d is suspect and fetched or had", i)
			}
			continue
		}
		if s.byPiece[int32(i)] == nil && !s.have.Has(i) {
			missing += s.geo.NumBlocks(i)
		}
	}
	if len(s.byPiece) < len(s.partials) {
		return fmt.Errorf("%d partials, %d known by piece", len(s.partials), len(s.byPiece))
	}
	for i, p := range s.byPiece {
		f, g := 0, 0
		for j, b := range p.blocks {
			if int(b.copies) != copies[[2]int32{i, int32(j)}] || b.copies > 2 {
				return fmt.Errorf("block %d of piece %d counts %d copies, there are %d", j, i, b.copies, copies[[2]int32{i, int32(j)}])
			}
			if b.got {
				g++
			} else if b.copies == 0 {
				f++
			}
		}
		if f != p.free || g != p.got {
			return fmt.Errorf("piece %d: free %d got %d, counted %d and %d", i, p.free, p.got, f, g)
		}
		if p.orphan != (p.owner == nil && p.free > 0 && !p.closed) {
			return fmt.Errorf("piece %d: orphan is %v", i, p.orphan)
		}
		if p.closed != (p.index < 0) || !p.closed && s.partials[p.index] != p {
			return fmt.Errorf("piece %d is out of place", i)
		}
		if p.orphan {
			orphans++
		}
		free += f
		missing += len(p.blocks) - g
	}
	got := []int{s.free, s.orphans, s.missing, s.outstanding, s.queued, s.suspects}
	want := []int{free, orphans, missing, outstanding, queued, suspects}
	for i, name := range []string{"free", "orphans", "missing", "outstanding", "queued", "suspects"} {
		if got[i] != want[i] {
			return fmt.Errorf("%s is %d, counted %d", name, got[i], want[i])
		}
	}
	if err := s.checkSources(); err != nil {
		return err
	}
	return s.checkGuard()
}

func (s *Swarm) checkSources() error {
	nears, origins := 0, 0
	for _, c := range s.list {
		if c.caps.Near && !c.costly {
			nears++
		}
		if c.caps.Origin {
			origins++
		}
	}
	if nears != s.nears || origins != s.origins {
		return fmt.Errorf("%d near and %d origins, counted %d and %d", s.nears, s.origins, nears, origins)
	}
	for _, c := range s.list {
		if far := nears > 0 && !c.caps.Near; c.distant != (far || c.caps.Origin) {
			return fmt.Errorf("conn %d: distant is %v", c.id, c.distant)
		}
	}
	return nil
}

func (s *Swarm) checkGuard() error {
	if !s.guard.on {
		return nil
	}
	n := 0
	for i, h := range s.guard.holder {
		if h == nobody && s.picker.Count(i) == 0 {
			n++
		}
	}
	if n != s.guard.unplaced {
		return fmt.Errorf("guard: %d unplaced, counted %d", s.guard.unplaced, n)
	}
	return nil
}

type box struct{ pieces, blocks int }

func (g box) NumPieces() int        { return g.pieces }
func (g box) NumBlocks(int) int     { return g.blocks }
func (g box) BlockLen(int, int) int { return content.BlockSize }
func (g box) PieceSize(int) int     { return g.blocks * content.BlockSize }
func (g box) PaddedSize(int) int    { return g.blocks * content.BlockSize }

// FuzzEvents feeds a machine with any events in any order, answers of a driver
// among them. It must not panic, its counters must stay right, and everything
// asked for must be something it lacks.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x00\x06\x00\x02\x00\x0a\x00\x0b\x00\x14\x00\x14\x00\x14\x00"))
	r := rand.New(rand.NewPCG(7, 7))
	for range 12 {
		b := make([]byte, 3000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		for _, seed := range []bool{false, true} {
			play(t, data, seed)
		}
	})
}

// tape reads choices from fuzz data.
type tape struct{ data []byte }

func (d *tape) n(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	v := int(d.data[0])
	d.data = d.data[1:]
	return v % n
}

type player struct {
	*tape
	s       *Swarm
	now     time.Time
	asked   []Action
	serves  []Action
	verify  []int
	judge   []int
	told    map[ConnID]map[int]bool // what each peer heard that we fetch
	pending []Action
}

func play(t *testing.T, data []byte, seed bool) {
	geo := box{8, 3}
	cfg := Config{Geometry: geo, Rand: rand.New(rand.NewPCG(1, 1))}
	if seed {
		cfg.Have = content.FullBitfield(geo.pieces)
	}
	if len(data) > 0 && data[0]&1 != 0 {
		cfg.MaxUnchoked = 2
	}
	if len(data) > 1 && !seed {
		cfg.Suspect = content.NewBitfield(geo.pieces)
		for i := range geo.pieces {
			if data[1]>>i&1 != 0 {
				cfg.Suspect.Set(i)
			}
		}
	}
	p := &player{tape: &tape{data}, s: New(cfg), now: time.Unix(0, 0), told: make(map[ConnID]map[int]bool)}
	for step := 0; len(p.data) > 0; step++ {
		p.event()
		p.collect(t)
		p.checkTold(t)
		if err := p.s.check(); err != nil {
			t.Fatalf("after event %d (seed %v): %v", step, seed, err)
		}
	}
	_ = p.s.Stats()
	for _, l := range p.s.Lost() {
		if l.First > l.Last || l.First < 0 || l.Last >= geo.pieces {
			t.Fatalf("lost pieces %d to %d of %d", l.First, l.Last, geo.pieces)
		}
	}
}

// collect sorts out what a driver would do later.
func (p *player) collect(t *testing.T) {
	p.pending = p.s.Actions(p.pending[:0])
	for _, a := range p.pending {
		p.hear(t, a)
		switch a.Kind {
		case Announce, SendHave, SendChoke, SendUnchoke, SendInterest, SendNoInterest, SendReject, SendFetching, SendFetched:
			if c := p.s.conns[a.Conn]; c != nil && c.caps.Origin {
				t.Fatalf("says to an origin what it does not understand: %+v", a)
			}
		case SendRequest:
			if p.s.have.Has(a.Block.Piece) || p.s.suspect.Has(a.Block.Piece) {
				t.Fatalf("asks for a piece it has or may have: %+v", a)
			}
			p.asked = append(p.asked, a)
		case Serve:
			if !p.s.have.Has(a.Block.Piece) {
				t.Fatalf("serves a piece it lacks: %+v", a)
			}
			p.serves = append(p.serves, a)
		case Verify:
			p.verify = append(p.verify, a.Block.Piece)
		case JudgeBlocks:
			p.judge = append(p.judge, a.Block.Piece)
		}
	}
}

// hear keeps account of what peers are told that we fetch.
func (p *player) hear(t *testing.T, a Action) {
	piece := a.Block.Piece
	switch a.Kind {
	case Announce:
		p.told[a.Conn] = make(map[int]bool)
	case SendHave:
		delete(p.told[a.Conn], piece)
	case SendFetching:
		if p.told[a.Conn][piece] {
			t.Fatalf("tells twice: %+v", a)
		}
		p.told[a.Conn][piece] = true
	case SendFetched:
		if !p.told[a.Conn][piece] {
			t.Fatalf("takes back what was not told: %+v", a)
		}
		delete(p.told[a.Conn], piece)
	}
}

// checkTold compares what peers were told with what is fetched.
func (p *player) checkTold(t *testing.T) {
	for id, pieces := range p.told {
		if p.s.conns[id] == nil {
			delete(p.told, id)
			continue
		}
		for piece := range pieces {
			if q := p.s.byPiece[int32(piece)]; q == nil || !q.told.hears(p.s.conns[id]) {
				t.Fatalf("conn %d still thinks that piece %d is fetched", id, piece)
			}
		}
	}
}

func (p *player) wild() Block {
	b := Block{p.n(10) - 1, p.n(5) * content.BlockSize, content.BlockSize}
	switch p.n(8) {
	case 0:
		b.Begin += p.n(100) - 50
	case 1:
		b.Length = int(int32(binary.BigEndian.Uint32([]byte{byte(p.n(256)), byte(p.n(256)), 0, byte(p.n(256))})))
	}
	return b
}

func pop[T any](v *[]T, i int) (x T, ok bool) {
	if len(*v) == 0 {
		return x, false
	}
	i %= len(*v)
	x = (*v)[i]
	*v = append((*v)[:i], (*v)[i+1:]...)
	return x, true
}

func (p *player) event() {
	s, now, id := p.s, p.now, ConnID(p.n(6))
	switch p.n(28) {
	case 0, 1:
		if s.conns[id] == nil {
			k := p.n(8)
			s.Connect(now, id, Caps{
				Key: peer.Key{ID: peer.ID{byte(k), 1}}, Fast: k&1 != 0, V2: k&2 != 0, Outgoing: k&1 != 0,
				Tandem: k&4 != 0, Near: p.n(3) == 0, Origin: p.n(4) == 0,
			})
		}
	case 2:
		s.Disconnect(now, id)
	case 3:
		s.PeerHave(now, id, p.n(8))
	case 4, 5:
		set := content.NewBitfield(8)
		for range p.n(12) {
			set.Set(p.n(8))
		}
		s.PeerBitfield(now, id, set)
	case 6:
		s.PeerBitfield(now, id, content.FullBitfield(8))
	case 7, 8:
		s.PeerChoke(now, id, p.n(4) == 0)
	case 9:
		s.PeerInterest(now, id, p.n(3) > 0)
	case 10, 11:
		s.PeerRequest(now, id, p.wild())
	case 12:
		s.PeerCancel(now, id, p.wild())
	case 13:
		s.PeerReject(now, id, p.wild())
	case 14:
		s.PeerAllowed(now, id, p.n(9))
	case 15:
		s.PeerBlock(now, id, p.wild())
	case 16, 17:
		s.PeerFetching(now, id, p.n(10)-1, p.n(3) > 0)
	case 18:
		p.refusal(id)
	case 19:
		s.Costly(now, id, p.n(2) == 0)
	case 20:
		s.InOrder(now, id, p.n(10)-1)
	default:
		p.answer()
	}
}

// refusal is an origin's Elsewhere, for something it was asked or for anything.
func (p *player) refusal(id ConnID) {
	blocks := []Block{p.wild()}
	if a, ok := pop(&p.asked, p.n(256)); ok {
		id, blocks = a.Conn, append(blocks, a.Block)
	}
	taken := content.NewBitfield(8 - p.n(2))
	for range p.n(12) {
		taken.Set(p.n(7))
	}
	p.s.Elsewhere(p.now, id, blocks, taken, time.Duration(p.n(256)-8)*100*time.Millisecond)
}

// answer is an event that follows from an action.
func (p *player) answer() {
	s, now := p.s, p.now
	switch p.n(16) {
	case 0:
		if piece := p.n(16); piece < 8 {
			s.PieceLost(now, piece)
		} else {
			s.PieceFound(now, piece-8)
		}
	case 1:
		s.Pause(now, p.n(2) == 0)
	case 2:
		p.now = now.Add(time.Duration(p.n(256)) * 100 * time.Millisecond)
		s.Tick(p.now)
	case 3:
		p.now = now.Add(time.Duration(p.n(256)) * time.Millisecond)
		s.Tick(p.now)
	case 4, 5:
		if a, ok := pop(&p.serves, p.n(256)); ok {
			s.Sent(now, a.Conn, a.Block.Length)
		}
	case 6, 7:
		if i, ok := pop(&p.verify, p.n(256)); ok {
			s.PieceVerified(now, i, p.n(4) > 0)
		}
	case 8:
		if i, ok := pop(&p.judge, p.n(256)); ok {
			s.BlocksJudged(now, i, []int{p.n(4), p.n(4) - 1}, p.n(3) > 0)
		}
	case 9:
		if a, ok := pop(&p.asked, p.n(256)); ok {
			s.PeerReject(now, a.Conn, a.Block)
		}
	default:
		if a, ok := pop(&p.asked, p.n(256)); ok {
			s.PeerBlock(now, a.Conn, a.Block)
		}
	}
}
