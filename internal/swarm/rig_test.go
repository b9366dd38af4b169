package swarm_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/swarm"
)

const blockSize = content.BlockSize

// rig drives one machine by hand.
type rig struct {
	t    *testing.T
	sw   *swarm.Swarm
	now  time.Time
	acts []swarm.Action // since the last forget
	next int            // read position in acts
}

// newRig makes a machine over pieces of blocks each, complete or empty.
func newRig(t *testing.T, pieces, blocks int, complete bool, change ...func(*swarm.Config)) *rig {
	cfg := swarm.Config{
		Geometry: &flat{pieces * blocks * blockSize, blocks * blockSize},
		Rand:     rand.New(rand.NewPCG(1, 2)),
	}
	if complete {
		cfg.Have = content.FullBitfield(pieces)
	}
	for _, f := range change {
		f(&cfg)
	}
	return &rig{t: t, sw: swarm.New(cfg), now: start}
}

func caps(id swarm.ConnID) swarm.Caps {
	return swarm.Caps{Key: peer.Key{ID: peer.ID{byte(id), 1}}, Fast: true, V2: true}
}

// meet connects peers with Fast; nothing is announced yet.
func (r *rig) meet(ids ...swarm.ConnID) {
	for _, id := range ids {
		r.sw.Connect(r.now, id, caps(id))
		r.sw.RTT(id, time.Millisecond)
	}
}

// meetOld connects a peer without Fast.
func (r *rig) meetOld(id swarm.ConnID) {
	c := caps(id)
	c.Fast = false
	r.sw.Connect(r.now, id, c)
}

// has announces pieces of a peer, all if none are given.
func (r *rig) has(id swarm.ConnID, pieces ...int) {
	n := r.sw.Stats().Pieces
	set := content.FullBitfield(n)
	if len(pieces) > 0 {
		set = content.NewBitfield(n)
		for _, p := range pieces {
			set.Set(p)
		}
	}
	r.sw.PeerBitfield(r.now, id, set)
}

// opens unchokes us.
func (r *rig) opens(ids ...swarm.ConnID) {
	for _, id := range ids {
		r.sw.PeerChoke(r.now, id, false)
	}
}

// wants makes peers interested and lets them ask for blocks.
func (r *rig) wants(id swarm.ConnID, blocks ...swarm.Block) {
	r.sw.PeerInterest(r.now, id, true)
	for _, b := range blocks {
		r.sw.PeerRequest(r.now, id, b)
	}
}

func (r *rig) pull() {
	r.acts = r.sw.Actions(r.acts)
}

// forget drops what was done so far.
func (r *rig) forget() {
	r.pull()
	r.acts = r.acts[:0]
}

// did returns the actions of a kind for a connection since the last forget.
func (r *rig) did(k swarm.Kind, id swarm.ConnID) []swarm.Action {
	r.pull()
	var got []swarm.Action
	for _, a := range r.acts {
		if a.Kind == k && a.Conn == id {
			got = append(got, a)
		}
	}
	return got
}

// asked returns the blocks asked of a connection since the last forget.
func (r *rig) asked(id swarm.ConnID) []swarm.Block { return blocksOf(r.did(swarm.SendRequest, id)) }

// served returns the blocks handed over for a connection since the last forget.
func (r *rig) served(id swarm.ConnID) []swarm.Block { return blocksOf(r.did(swarm.Serve, id)) }

func blocksOf(acts []swarm.Action) []swarm.Block {
	var got []swarm.Block
	for _, a := range acts {
		got = append(got, a.Block)
	}
	return got
}

func pieces(blocks []swarm.Block) []int {
	var got []int
	for _, b := range blocks {
		if !slices.Contains(got, b.Piece) {
			got = append(got, b.Piece)
		}
	}
	return got
}

// sends delivers blocks.
func (r *rig) sends(id swarm.ConnID, blocks ...swarm.Block) {
	for _, b := range blocks {
		r.sw.PeerBlock(r.now, id, b)
	}
}

// pass lets time go by, with ticks.
func (r *rig) pass(d time.Duration) {
	for end := r.now.Add(d); r.now.Before(end); {
		r.now = r.now.Add(min(swarm.TickEvery, end.Sub(r.now)))
		r.sw.Tick(r.now)
	}
}

func (r *rig) count(k swarm.Kind, id swarm.ConnID, want int, why string) {
	r.t.Helper()
	if got := r.did(k, id); len(got) != want {
		r.t.Errorf("%s: %d actions of kind %d for connection %d, want %d: %+v", why, len(got), k, id, want, got)
	}
}

func blk(piece, block int) swarm.Block {
	return swarm.Block{Piece: piece, Begin: block * blockSize, Length: blockSize}
}

func blks(piece, n int) []swarm.Block {
	var got []swarm.Block
	for i := range n {
		got = append(got, blk(piece, i))
	}
	return got
}

func set(n int, members ...int) *content.Bitfield {
	b := content.NewBitfield(n)
	for _, i := range members {
		b.Set(i)
	}
	return b
}
