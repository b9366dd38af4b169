package bound

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

const mbit = 1e6 / 8

// TestFormulas holds the figures that anybody can check by hand.
func TestFormulas(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"ten copies of 64 MiB leave a server of 40 Mbit/s in 134 s", ClientServer(64<<20, 10, 40*mbit, 100*mbit), 134.217728},
		{"one receiver is held by its downlink", ClientServer(100, 1, 50, 10), 10},
		{"no uplink, no copy", ClientServer(100, 1, 0, 10), inf},
		{"nobody needs no time", ClientServer(100, 0, 0, 10), 10},
		{"ten receivers of 20 Mbit/s help: 22.4 s", PeerToPeer(64<<20, 10, 40*mbit, 200*mbit, 100*mbit), 22.36962},
		{"strong peers wait for the one copy", PeerToPeer(100, 10, 10, 1e6, 1e3), 10},
		{"two origins count twice", Origins(10, 2), 20},
		{"half can be reached and four fifths is of use", Usable(100, 0.5, 0.8), 40},
		{"sixteen receivers and ten pieces take 14 rounds", Rounds(10, 16, 5, 5), 14},
		{"no pieces, no rounds", Rounds(0, 16, 5, 5), 0},
		{"a lone receiver has the last piece when it has left", Spread(100, 10, 10, 5, 1), 10},
		{"without uplinks the origin brings the last piece to each", Spread(100, 10, 10, 0, 5), 10 + 4},
		{"with equal uplinks the last piece grows as e^t", Spread(100, 10, 10, 10, 2*math.E-1), 10 + 1},
		{"a last piece of 4 may leave last or the one before it", Spread(24, 10, 1, 0, 3), 20 + 20},
		{"a file of one short piece", Spread(4, 10, 2, 0, 2), 2 + 2},
		{"everybody watches at what all give", Streaming(4, 10, 30, 100), 10},
		{"or at its share", Streaming(8, 10, 30, 100), 5},
		{"or at what the slowest takes", Streaming(4, 10, 30, 3), 3},
		{"a deadline of 20 needs the rest from the origin", Needed(100, 10, 30, 10, 20), 20},
		{"and at least one copy", Needed(100, 10, 1e3, 10, 20), 5},
		{"a downlink too slow for it", Needed(100, 10, 1e3, 4, 20), inf},
		{"a server of 1 Gbit/s fills ten downlinks of 100", Crossover(1000, 100), 10},
		{"peers give five sixths", Offload(10, 40, 200), 5. / 6},
		{"but not the first copy", Offload(2, 1, 200), 0.5},
		{"the rest of ten copies but one", Copies(100, 10, 1, 300), 3},
		{"more copies than receivers", Copies(100, 10, 12, 0), 0},
		{"half as fast as can be", Efficiency(10, 20), 0.5},
		{"what never ends has no efficiency", Efficiency(10, inf), 0},
		{"time that doubles with N has slope 1", Slope([]float64{1, 2, 4}, []float64{3, 6, 12}), 1},
		{"time that stays has slope 0", Slope([]float64{1, 2, 4}, []float64{3, 3, 3}), 0},
		{"a server half used takes twice the time", SingleQueue(100, 10, 0.05), 20},
		{"at its limit it never ends", SingleQueue(100, 10, 0.1), inf},
		{"a server serves a file in ten seconds", QueueLimit(100, 10), 0.1},
		{"ten pieces: ten times the arrivals", SwarmLimit(100, 10, 10, 5, 0), 1},
		{"half a piece more: twice that", SwarmLimit(100, 10, 10, 5, 1), 2},
		{"one piece more: no limit", SwarmLimit(100, 10, 10, 5, 2), inf},
		{"peers that give nothing do not help", SwarmLimit(100, 10, 10, 0, 2), 0.1},
		{"leaving at once, the uplink is all that counts", Fluid(1, 0.1, 1, inf, 0), 10},
		{"seeders that stay long leave the downlink", Fluid(1, 0.1, 1, 0.1, 0), 1},
		{"who gives up is gone", Fluid(1, 0.1, 1, inf, 0.1), 5},
		{"an origin that takes half halves the time", HybridSteady(10, 0.1, 1, 0.5, 1), 5},
		{"one that takes all leaves the downlink", HybridSteady(10, 0.1, 1, 2, 1), 0.1},
		{"one seeder at a time, on the mean", SelfSustained(0.1, 10), 1 - 1/math.E},
		{"two of 90 %", Replicas(0.9, 2), 0.99},
		{"any one of two is two replicas", Coded(0.9, 1, 2), 0.99},
		{"both of two", Coded(0.9, 2, 2), 0.81},
		{"two of three", Coded(0.5, 2, 3), 0.5},
		{"more parts than there are", Coded(0.9, 3, 2), 0},
		{"no part is needed", Coded(0.1, 0, 2), 1},
		{"996 hours up and 4 down", OneServer(996, 4), 0.996},
	} {
		if math.Abs(c.got-c.want) > 1e-6*max(1, c.want) || math.IsNaN(c.got) {
			t.Errorf("%s: %g, want %g", c.name, c.got, c.want)
		}
	}
	if s := Slope([]float64{5, 5}, []float64{1, 2}); !math.IsNaN(s) {
		t.Errorf("the slope of one N is %g", s)
	}
}

// TestNoScheduleBeatsTheBounds runs small swarms by schedules drawn at random, the greedy
// among them, where a piece is served by all who hold the whole of it, in parts as small
// as can be: none finishes before B2 and B6.
func TestNoScheduleBeatsTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawTiny(t)
		got := w.run()
		size, n := w.pieceSum(), float64(w.n)
		least := max(PeerToPeer(size, n, w.origin, n*w.up, math.Inf(1)), Spread(size, w.pieces[0], w.origin, w.up, n))
		if got < least*(1-1e-9) {
			t.Fatalf("%d receivers, pieces %v, origin %g, up %g, greed %g: done at %g, before %g", w.n, w.pieces, w.origin, w.up, w.greed, got, least)
		}
	})
}

// tiny is a swarm in small steps of time.
type tiny struct {
	n          int
	pieces     []float64 // sizes; the last may be short
	origin, up float64
	greed      float64 // how often a sender takes the piece that the fewest hold
	draw       func(n int) int
	has        [][]float64 // bytes by receiver and piece
}

func drawTiny(t *rapid.T) *tiny {
	w := &tiny{
		n:      rapid.IntRange(1, 6).Draw(t, "receivers"),
		pieces: make([]float64, rapid.IntRange(1, 4).Draw(t, "pieces")),
		origin: rapid.Float64Range(0.5, 8).Draw(t, "origin"),
		up:     rapid.Float64Range(0, 4).Draw(t, "up"),
		greed:  rapid.Float64Range(0, 1).Draw(t, "greed"),
	}
	for i := range w.pieces {
		w.pieces[i] = 1
	}
	if len(w.pieces) > 1 {
		w.pieces[len(w.pieces)-1] = rapid.Float64Range(0.1, 1).Draw(t, "last piece")
	}
	state := rapid.Uint64().Draw(t, "seed") | 1
	w.draw = func(n int) int {
		state = state*6364136223846793005 + 1442695040888963407
		return int((state >> 33) % uint64(n))
	}
	w.has = make([][]float64, w.n)
	for i := range w.has {
		w.has[i] = make([]float64, len(w.pieces))
	}
	return w
}

func (w *tiny) pieceSum() (sum float64) {
	for _, p := range w.pieces {
		sum += p
	}
	return sum
}

const step = 0.02

// run returns when everybody has everything.
func (w *tiny) run() float64 {
	for now := 0.0; ; now += step {
		held := w.whole()
		if len(held) == 0 {
			return now
		}
		w.serve(func(int) bool { return true }, w.origin*step, held)
		for j := range w.n {
			w.serve(func(p int) bool { return held[p]&(1<<j) != 0 }, w.up*step, held)
		}
	}
}

// whole returns who holds each piece, as bits; nothing when all hold all.
func (w *tiny) whole() []uint {
	held, all := make([]uint, len(w.pieces)), true
	for p := range w.pieces {
		for i := range w.n {
			if w.has[i][p] >= w.pieces[p]*(1-1e-12) {
				held[p] |= 1 << i
			} else {
				all = false
			}
		}
	}
	if all {
		return nil
	}
	return held
}

// serve gives bytes of pieces that the sender has to whoever lacks them.
func (w *tiny) serve(has func(int) bool, bytes float64, held []uint) {
	for tries := 0; bytes > 0 && tries < 4*w.n*len(w.pieces); tries++ {
		p := w.draw(len(w.pieces))
		if float64(w.draw(1000)) < 1000*w.greed {
			for q := range held {
				if has(q) && rarity(held[q]) < rarity(held[p]) {
					p = q
				}
			}
		}
		i := w.draw(w.n)
		if !has(p) {
			continue
		}
		give := min(bytes, w.pieces[p]-w.has[i][p])
		w.has[i][p] += give
		bytes -= give
	}
}

func rarity(bits uint) (n int) {
	for ; bits != 0; bits &= bits - 1 {
		n++
	}
	return n
}
