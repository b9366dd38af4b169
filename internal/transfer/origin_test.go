package transfer

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

func TestAnOriginAloneIsEnough(t *testing.T) {
	files := testFiles(3_000_000, 0, 5, 70_000, 131_072)
	for _, f := range forms {
		for _, metadata := range []string{"known", "unknown", "bare"} {
			t.Run(f.name+" "+metadata, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					tor := makeTorrent(t, f, 32<<10, files, false)
					full := fullMemory(tor.Manifest, files)
					o := newServer(tor, files)
					mine := tor
					switch metadata {
					case "unknown":
						mine = nil
					case "bare":
						mine = bare(t, tor)
					}
					saved := 0
					got := w.start(mine, nil, with(from(o), func(cfg *Config) {
						cfg.Keys = tor.Manifest.Keys()
						cfg.SaveTorrent = func(*metainfo.Torrent) error { saved++; return nil }
					}))
					got.finishes(10 * time.Second)
					synctest.Wait() // the last stream is closed behind the end
					if !got.store.holds(full) || !got.store.finished {
						t.Error("the copy differs, or is not finished")
					}
					s := got.Status()
					if s.FromOrigin != tor.Manifest.TotalBytes() || s.FromPeers != 0 || s.Swarm.Wasted != 0 {
						t.Errorf("%d bytes from the server, %d from peers, %d wasted", s.FromOrigin, s.FromPeers, s.Swarm.Wasted)
					}
					if d := s.Completed.Sub(s.Started); d > time.Second {
						t.Errorf("took %v", d)
					}
					if o.most > manyStretches || o.open != 0 {
						t.Errorf("%d streams at once, %d left open", o.most, o.open)
					}
					got.cancel() // SaveTorrent may be under way
					<-got.ended
					if want := metadata == "unknown" || (metadata == "bare" && f.v2); want != (saved > 0) {
						t.Errorf("metadata kept %d times", saved)
					}
					checkSpans(t, tor.Manifest, o.asked())
				})
			})
		}
	}
}

// What is asked for together is neighbours: few requests for many blocks.
func TestRequestsAreJoined(t *testing.T) {
	files := testFiles(16 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 64<<10, files, false)
		o := newServer(tor, files)
		o.rate = 8 << 20
		got := w.start(tor, nil, from(o))
		got.finishes(10 * time.Second)
		if n := len(o.asked()); n > 60 {
			t.Errorf("%d requests for %d blocks", n, 1024)
		}
	})
}

// Files that are smaller than a request cannot be joined: several are asked for at
// once, so that the way there and back does not count for each.
func TestManySmallFilesAreAskedForTogether(t *testing.T) {
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 10_000
	}
	files := testFiles(sizes...)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 16<<10, files, false)
		o := newServer(tor, files)
		o.rtt = 50 * time.Millisecond
		got := w.start(tor, nil, from(o))
		got.finishes(10 * time.Second)
		s := got.Status()
		if d := s.Completed.Sub(s.Started); d > 2*time.Second || o.most > manyStretches {
			t.Errorf("took %v with %d streams at once", d, o.most)
		}
	})
}

func TestASmallFileTakesOneRequestAndNoWait(t *testing.T) {
	files := testFiles(10_000)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 16<<10, files, false)
		o := newServer(tor, files)
		got := w.start(tor, nil, from(o))
		got.finishes(time.Second)
		s := got.Status()
		if d := s.Completed.Sub(s.Started); d > o.rtt+time.Millisecond || len(o.asked()) != 1 {
			t.Errorf("took %v, %d requests", d, len(o.asked()))
		}
	})
}

func TestAnOriginThatFailsInTheMiddle(t *testing.T) {
	files := testFiles(4<<20, 300_000)
	for _, c := range []struct {
		name  string
		spoil func(o *server)
		waste int64 // bytes sent for nothing, at most
	}{
		{"streams break within a block", func(o *server) { o.spoil = endEarly(100_000) }, 1 << 20},
		{"every stream brings one block and a bit", func(o *server) { o.spoil = endEarly(20_000) }, 4 << 20},
		{"streams end early without an error", func(o *server) {
			o.ask = nil
			o.spoil = endEarly(64 << 10)
		}, 0},
		{"the server is busy now and then", func(o *server) {
			o.ask = func(n int, _ Span) (*Stream, error) {
				if n%7 == 3 {
					return nil, fault.Errorf(fault.Busy, "503")
				}
				return nil, nil
			}
		}, 4 << 20},
		{"it sends more than was asked for", func(o *server) {
			o.spoil = func(_ int, _ Span, r io.Reader) io.Reader {
				return io.MultiReader(r, bytes.NewReader(make([]byte, 100_000)))
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				o := newServer(tor, files)
				o.rate = 1 << 20
				c.spoil(o)
				got := w.start(tor, nil, from(o))
				got.finishes(2 * time.Minute)
				if s := got.Status(); !got.store.holds(full) || s.FromOrigin != tor.Manifest.TotalBytes() {
					t.Errorf("%d bytes from the server, or the copy differs", s.FromOrigin)
				}
				if waste := o.gave() - tor.Manifest.TotalBytes(); waste > c.waste {
					t.Errorf("%d bytes were sent for nothing", waste)
				}
			})
		})
	}
}

// endEarly makes each stream break after n bytes.
func endEarly(n int64) func(int, Span, io.Reader) io.Reader {
	return func(_ int, _ Span, r io.Reader) io.Reader { return io.LimitReader(r, n) }
}
