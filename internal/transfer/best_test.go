package transfer

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/metainfo"
)

// paced samples rates, in bytes per tick of 100 ms, and returns the best.
func paced(limit float64, ticks ...int64) float64 {
	p, now, bytes := &pace{}, time.Unix(1, 0), int64(0)
	began := now
	for _, n := range ticks {
		p.sample(now, bytes)
		now, bytes = now.Add(100*time.Millisecond), bytes+n
	}
	return p.best(began, now, bytes, limit)
}

func repeat(n int, values ...int64) []int64 {
	var all []int64
	for range n {
		all = append(all, values...)
	}
	return all
}

func TestBestIsThePartOfTheHighestRateOfAnySecond(t *testing.T) {
	for _, c := range []struct {
		name  string
		ticks []int64
		limit float64
		want  float64
	}{
		{"a steady rate is the best there is", repeat(50, 1000), 0, 1},
		{"half of the time nothing came", append(repeat(20, 0), repeat(20, 1000)...), 0, 0.5},
		{"it came in bursts shorter than a second", repeat(10, 2000, 0, 2000, 0, 0, 0, 2000, 0, 2000, 0), 0, 1},
		{"a peak of a tenth of a second does not count in full", append(repeat(20, 1000), 11_000), 0, 0.738},
		{"one good second of four", append(repeat(30, 1000), repeat(10, 4000)...), 0, 0.4375},
		{"all came in a moment after a wait", append(repeat(39, 0), 1000), 0, 0.25},
		{"less than two seconds tell nothing", repeat(15, 1000), 0, 0},
		{"nothing came", repeat(50, 0), 0, 0},
		{"a limit that bound is what could be had", repeat(30, 900), 10_000, 0.9},
		{"a burst above the limit is no more than all of it", repeat(30, 1100), 10_000, 1},
	} {
		if got := paced(c.limit, c.ticks...); math.Abs(got-c.want) > 0.02 {
			t.Errorf("%s: %.3f, want %.3f", c.name, got, c.want)
		}
	}
}

func TestALongTransferIsMeasuredOverFiveSeconds(t *testing.T) {
	p, now, bytes := &pace{window: paceLong}, time.Unix(1, 0), int64(0)
	began := now
	for i := range 200 { // 20 s at a steady rate, with one second of twice as much
		p.sample(now, bytes)
		now, bytes = now.Add(100*time.Millisecond), bytes+1000
		if i/10 == 9 {
			bytes += 1000
		}
	}
	if got := p.best(began, now, bytes, 0); math.Abs(got-0.875) > 0.02 {
		t.Errorf("%.3f, want 0.875", got)
	}
}

func TestPaceOfAnySamplesIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now, bytes := &pace{}, time.Unix(1, 0), int64(0)
		began := now
		for range rapid.IntRange(0, 100).Draw(t, "samples") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "wait")))
			bytes += rapid.Int64Range(0, 1<<40).Draw(t, "bytes")
			p.sample(now, bytes)
		}
		if best := p.best(began, now, bytes, 0); best < 0 || best > 1 {
			t.Fatalf("best %v", best)
		}
		if len(p.marks) > 25 {
			t.Fatalf("%d marks are kept", len(p.marks))
		}
	})
}

func TestTheLimitThatBindsIsNamed(t *testing.T) {
	files := testFiles(3 << 20)
	for _, c := range []struct {
		name  string
		setup func(w *world, tor *metainfo.Torrent, o *server) *node
		want  string
	}{
		{"a server that gives what we can take", func(w *world, tor *metainfo.Torrent, o *server) *node {
			o.rate = 200_000
			return w.start(tor, nil, from(o))
		}, limitLink},
		{"a server with a crowd", func(w *world, tor *metainfo.Torrent, o *server) *node {
			o.rate = 200_000
			n := w.start(tor, nil, from(o))
			n.UseSwarm(true)
			return n
		}, limitServer},
		{"a server that sends slowly, and a peer more slowly", func(w *world, tor *metainfo.Torrent, o *server) *node {
			o.rate = 200_000
			seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
			seed.slowly(50_000)
			n := w.start(tor, nil, from(o))
			seed.AddPeers("link", n.at())
			return n
		}, limitServer},
		{"peers that send, and a server a little", func(w *world, tor *metainfo.Torrent, o *server) *node {
			o.rate = 10_000
			n := w.start(tor, nil, from(o))
			for range 2 {
				seed := w.start(tor, fullMemory(tor.Manifest, files), func(cfg *Config) { cfg.Up = limiter(200_000) })
				seed.AddPeers("link", n.at())
			}
			return n
		}, limitUploads},
		{"our own limit", func(w *world, tor *metainfo.Torrent, o *server) *node {
			return w.start(tor, nil, with(from(o), func(cfg *Config) { cfg.Down = limiter(300_000) }))
		}, limitDown},
		{"a machine that can do no more", func(w *world, tor *metainfo.Torrent, o *server) *node {
			o.rate = 200_000
			return w.start(tor, nil, with(from(o), func(cfg *Config) { cfg.Busy = func() (float64, bool) { return 0.97, true } }))
		}, limitComputer},
		{"a machine with time to spare, at a high rate", func(w *world, tor *metainfo.Torrent, o *server) *node {
			o.rate = 200_000
			return w.start(tor, nil, with(from(o), func(cfg *Config) { cfg.Busy = func() (float64, bool) { return 0.2, true } }))
		}, limitLink},
		{"a server that always points elsewhere", func(w *world, tor *metainfo.Torrent, o *server) *node {
			n := 0
			o.ask = func(int, Span) (*Stream, error) {
				if n++; n < 20 {
					return nil, &Elsewhere{After: time.Second}
				}
				return nil, nil
			}
			return w.start(tor, nil, from(o))
		}, limitServer},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				n := c.setup(w, tor, newServer(tor, files))
				n.finishes(10 * time.Minute)
				s := n.Status()
				if s.Limit != c.want {
					t.Errorf("limit %q, want %q", s.Limit, c.want)
				}
				if d := s.Completed.Sub(s.Started); d > bestLeast && (s.Best <= 0 || s.Best > 1) {
					t.Errorf("best %v after %v", s.Best, d)
				}
				if c.want == limitLink && s.Best < 0.6 {
					t.Errorf("%.2f of the best at a steady rate", s.Best)
				}
			})
		})
	}
}
