package transfer

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

// With a full copy among those that live, everybody who has the link finishes,
// metadata included, whenever the server dies; without one, what is missing is
// named.
func TestTheServerDies(t *testing.T) {
	const pieces = 64
	files := testFiles(pieces * 32 << 10)
	for _, at := range []float64{0, 0.4, 0.95} {
		for _, copied := range []bool{true, false} {
			t.Run(fmt.Sprintf("at %v, full copy elsewhere %v", at, copied), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					tor := makeTorrent(t, forms[1], 32<<10, files, false)
					o := newServer(tor, files)
					o.rate = 100_000
					if at == 0 {
						o.kill(unreachable)
					}
					dht := &oracle{name: "dht"}
					everybody := with(from(o), func(cfg *Config) { cfg.Finders = []discover.Finder{dht} })
					var all []*node
					add := func(known bool, s *memory) {
						n := w.prepare(tor, s, with(linkShare(tor, 7, known), everybody))
						all = append(all, n)
						dht.found = append(dht.found, discover.Found{Addr: n.at(), Source: "dht"})
					}
					for i := range 3 {
						add(i > 0, nil)
					}
					if copied {
						add(true, fullMemory(tor.Manifest, files))
						all[3].cfg.Origins = nil
					}
					for _, n := range all {
						n.run()
					}
					for range 300 {
						if at == 0 || all[0].Status().Swarm.Have >= int(at*pieces) {
							break
						}
						<-time.After(100 * time.Millisecond)
					}
					o.kill(unreachable)
					if copied {
						for _, n := range all[:3] {
							n.finishes(time.Minute)
						}
						return
					}
					<-time.After(time.Minute)
					together := content.NewBitfield(pieces)
					for _, n := range all[1:] {
						have := n.store.Have()
						for i := have.Next(0); i >= 0; i = have.Next(i + 1) {
							together.Set(i)
						}
					}
					for i, n := range all {
						s := n.Status()
						if s.State == Metadata && at == 0 {
							t.Errorf("node %d: no metadata, which others have", i)
						}
						missing := 0
						for _, l := range s.Lost {
							missing += l.Last - l.First + 1
						}
						if s.Swarm.Have != together.Count() || missing != pieces-together.Count() {
							t.Errorf("node %d has %d pieces, all together %d of %d; %d are named as lost", i, s.Swarm.Have, together.Count(), pieces, missing)
						}
					}
					if n := together.Count(); at == 0 && n != 0 || at == 0.4 && n == pieces {
						t.Errorf("%d pieces are there", n)
					}
				})
			})
		}
	}
}

// Whatever an origin does short of sending nothing right at all, a transfer ends
// with the content, and what it accepted is the content once.
func TestAnyMixtureOfFaultsOfAnOrigin(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 4))
			sizes := make([]int, 1+r.IntN(6))
			for i := range sizes {
				sizes[i] = r.IntN(1 << uint(10+r.IntN(12)))
			}
			sizes[0]++
			files := testFiles(sizes...)
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[r.IntN(3)], 16<<10<<r.IntN(3), files, false)
				full := fullMemory(tor.Manifest, files)
				o := newServer(tor, files)
				o.rate = 200_000 + r.IntN(1<<20)
				o.ask = func(_ int, s Span) (*Stream, error) {
					o.whole = r.IntN(20) == 0
					switch r.IntN(15) {
					case 0:
						return nil, fault.Errorf(fault.Busy, "503")
					case 1:
						return nil, unreachable
					case 2:
						return nil, &Elsewhere{After: time.Duration(r.IntN(2000)) * time.Millisecond}
					case 3:
						taken := content.NewBitfield(tor.Manifest.NumPieces())
						for range 1 + r.IntN(taken.Len()) {
							taken.Set(r.IntN(taken.Len()))
						}
						return nil, &Elsewhere{After: time.Second, Taken: taken}
					case 4:
						return nil, fault.Errorf(fault.Protocol, "a length that does not fit")
					}
					return nil, nil
				}
				o.spoil = func(_ int, s Span, data io.Reader) io.Reader {
					if r.IntN(6) == 0 {
						return io.LimitReader(data, r.Int64N(s.Len+1))
					}
					return data
				}
				got := w.start(tor, nil, with(from(o), func(cfg *Config) {
					cfg.SaveTorrent = func(*metainfo.Torrent) error { return nil }
				}))
				got.finishes(20 * time.Minute)
				if s := got.Status(); !got.store.holds(full) || s.FromOrigin != tor.Manifest.TotalBytes() || s.Swarm.Corrupt != 0 {
					t.Errorf("%d of %d bytes accepted, %d corrupt", s.FromOrigin, tor.Manifest.TotalBytes(), s.Swarm.Corrupt)
				}
			})
		})
	}
}
