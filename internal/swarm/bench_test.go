package swarm_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/swarm"
)

// BenchmarkBlock is the cost of one block received and the next asked for, from
// one of many seeds, all actions taken and pieces verified. One block arrives
// every 15 microseconds of virtual time, as on a link of 1 GB/s.
func BenchmarkBlock(b *testing.B) {
	for _, conns := range []int{1, 20, 256} {
		for _, pieces := range []int{1 << 12, 1 << 21} {
			b.Run(fmt.Sprintf("conns=%d/pieces=%d", conns, pieces), func(b *testing.B) {
				benchBlocks(b, conns, pieces)
			})
		}
	}
}

func benchBlocks(b *testing.B, conns, pieces int) {
	const pieceLen = 128 << 10
	geo := &flat{pieces * pieceLen, pieceLen}
	now := time.Unix(1, 0)
	var sw *swarm.Swarm
	var acts []swarm.Action
	var todo []swarm.Action
	restart := func() {
		sw = swarm.New(swarm.Config{Geometry: geo, Rand: rand.New(rand.NewPCG(1, 1))})
		todo = todo[:0]
		for i := range conns {
			id := swarm.ConnID(i)
			sw.Connect(now, id, swarm.Caps{Fast: true, Key: peer.Key{ID: peer.ID{byte(i), byte(i >> 8), 1}}})
			sw.PeerBitfield(now, id, content.FullBitfield(pieces))
			sw.PeerChoke(now, id, false)
			sw.RTT(id, time.Millisecond)
		}
	}
	restart()
	b.SetBytes(content.BlockSize)
	b.ReportAllocs()
	head := 0
	for b.Loop() {
		if head == len(todo) {
			todo, head = todo[:0], 0
			acts = sw.Actions(acts[:0])
			todo = collect(sw, now, acts, todo)
			if len(todo) == 0 {
				b.StopTimer()
				restart()
				acts = sw.Actions(acts[:0])
				todo = collect(sw, now, acts, todo)
				b.StartTimer()
			}
		}
		now = now.Add(15 * time.Microsecond)
		a := todo[head]
		head++
		sw.PeerBlock(now, a.Conn, a.Block)
		acts = sw.Actions(acts[:0])
		todo = collect(sw, now, acts, todo)
		if head > 4096 {
			todo = append(todo[:0], todo[head:]...)
			head = 0
		}
	}
}

// collect appends the requests among acts and answers Verify.
func collect(sw *swarm.Swarm, now time.Time, acts, todo []swarm.Action) []swarm.Action {
	for _, a := range acts {
		switch a.Kind {
		case swarm.SendRequest:
			todo = append(todo, a)
		case swarm.Verify:
			sw.PieceVerified(now, a.Block.Piece, true)
		}
	}
	return todo
}

// BenchmarkServe is the cost of one request taken, handed over and sent.
func BenchmarkServe(b *testing.B) {
	const pieces, pieceLen, conns = 1 << 12, 128 << 10, 20
	sw := swarm.New(swarm.Config{
		Geometry: &flat{pieces * pieceLen, pieceLen}, Have: content.FullBitfield(pieces),
		Rand: rand.New(rand.NewPCG(1, 1)), NoGuard: true,
	})
	now := time.Unix(1, 0)
	next := make([]int, conns)
	ask := func(id swarm.ConnID) {
		n := next[id]
		next[id]++
		sw.PeerRequest(now, id, swarm.Block{Piece: n / 8 % pieces, Begin: n % 8 * content.BlockSize, Length: content.BlockSize})
	}
	for i := range conns {
		sw.Connect(now, swarm.ConnID(i), swarm.Caps{Fast: true})
		sw.PeerInterest(now, swarm.ConnID(i), true)
		for range 64 {
			ask(swarm.ConnID(i))
		}
	}
	var acts, todo []swarm.Action
	b.SetBytes(content.BlockSize)
	b.ReportAllocs()
	for b.Loop() {
		acts = sw.Actions(acts[:0])
		for _, a := range acts {
			if a.Kind == swarm.Serve {
				todo = append(todo, a)
			}
		}
		now = now.Add(15 * time.Microsecond)
		a := todo[0]
		todo = append(todo[:0], todo[1:]...)
		sw.Sent(now, a.Conn, a.Block.Length)
		ask(a.Conn)
	}
}
