package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

func TestAFullDiskPausesAndGoesOnByItself(t *testing.T) {
	files := testFiles(3 << 20)
	for _, op := range []string{"WriteAt", "Commit", "Sync", "Finish"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[2], 32<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				s := newMemory(tor.Manifest)
				var room atomic.Bool
				calls := 0
				s.hook = func(o string, _ int) error {
					if calls++; o == op && !room.Load() && (calls > 100 || op != "WriteAt") {
						return fault.Errorf(fault.Full, "no space left on device")
					}
					return nil
				}
				got := w.start(tor, s, nil)
				got.AddPeers("link", seed.at())
				w.until(5*time.Second, "paused", func() bool { return got.Status().State == Paused })
				<-time.After(time.Minute)
				st := got.Status()
				if st.State != Paused || !errors.Is(st.Err, fault.Full) {
					t.Fatalf("state %s, err %v", st.State, st.Err)
				}
				if st.Limit != limitFull && !got.done() {
					t.Errorf("limit %q", st.Limit)
				}
				room.Store(true)
				got.finishes(time.Minute)
				if !s.holds(full) {
					t.Error("the copy differs")
				}
			})
		})
	}
}

func TestAnUnwritableStoreEndsTheTransfer(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, false)
		seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
		s := newMemory(tor.Manifest)
		s.hook = func(op string, _ int) error {
			if op == "WriteAt" {
				return fault.Errorf(fault.Permission, "read-only file system")
			}
			return nil
		}
		got := w.start(tor, s, nil)
		got.AddPeers("link", seed.at())
		got.fails(time.Minute)
		st := got.Status()
		if !errors.Is(got.err, fault.Permission) || st.State != Failed || !errors.Is(st.Err, fault.Permission) || !s.closed {
			t.Errorf("ended with %v; state %s, err %v, store closed %v", got.err, st.State, st.Err, s.closed)
		}
	})
}

func TestAFileThatChangedIsNoLongerServed(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, false)
		s := fullMemory(tor.Manifest, files)
		reads := 0
		s.hook = func(op string, _ int) error {
			if reads++; op == "ReadAt" && reads > 20 {
				return fault.Errorf(fault.Changed, "content was modified")
			}
			return nil
		}
		seed := w.start(tor, s, nil)
		got := w.start(tor, nil, nil)
		got.AddPeers("link", seed.at())
		seed.fails(time.Minute)
		if st := seed.Status(); !errors.Is(seed.err, fault.Changed) || st.State != Failed {
			t.Errorf("ended with %v, state %s", seed.err, st.State)
		}
		if st := got.Status(); st.State != Downloading || st.Swarm.Have == 0 {
			t.Errorf("the receiver is %s with %d pieces", st.State, st.Swarm.Have)
		}
	})
}

func TestAPieceThatCannotBeReadIsFetchedElsewhere(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		broken := fullMemory(tor.Manifest, files)
		broken.hook = func(op string, piece int) error {
			if op == "ReadAt" && piece == 3 {
				return errors.New("input/output error")
			}
			return nil
		}
		a := w.start(tor, broken, nil)
		b := w.start(tor, full, func(cfg *Config) { cfg.Up = limiter(50_000) })
		got := w.start(tor, nil, nil)
		got.AddPeers("link", a.at(), b.at())
		got.finishes(time.Minute)
		if !got.store.holds(full) {
			t.Error("the copy differs")
		}
	})
}

func TestOnlySelectedFilesAreFetched(t *testing.T) {
	files := testFiles(100_000, 40_000, 90_000, 200_000)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 32<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				got := w.start(tor, nil, func(cfg *Config) {
					cfg.Select = func(m *content.Manifest) []bool {
						sel := make([]bool, len(m.Files))
						for i, f := range m.Files {
							sel[i] = !f.Pad && f.Length == 40_000
						}
						return sel
					}
				})
				got.AddPeers("link", seed.at())
				got.finishes(10 * time.Second)
				want := 2
				if f.v1 && !f.v2 {
					want = 2 // shared with its neighbours: 100000..140000 lies in pieces 3 and 4
				}
				if n := got.store.have.Count(); n != want {
					t.Errorf("%d pieces fetched, want %d", n, want)
				}
			})
		})
	}
}

func TestResumeCountsWhatIsVerifiedAndHashesWhatIsSuspect(t *testing.T) {
	files := testFiles(1 << 20)
	for _, f := range forms {
		for _, layers := range []string{"with layers", "without layers"} {
			t.Run(f.name+" "+layers, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					tor := makeTorrent(t, f, 32<<10, files, false)
					full := fullMemory(tor.Manifest, files)
					seed := w.start(tor, full, nil)
					s := newMemory(tor.Manifest)
					old := content.NewBitfield(32)
					for i := range 20 {
						old.Set(i)
					}
					s.fill(files, old)
					for i := 10; i < 20; i++ { // after the last sync; one is torn
						s.have.Clear(i)
						s.suspect.Set(i)
					}
					s.data[15] = bytes.Clone(s.data[15])
					s.data[15][9] ^= 1
					mine := tor
					if layers == "without layers" {
						mine = bare(t, tor)
					}
					got := w.start(mine, s, nil)
					got.AddPeers("link", seed.at())
					got.finishes(20 * time.Second)
					if !s.holds(full) {
						t.Error("the copy differs")
					}
					if n := got.Status().FromPeers; n != 13*32<<10 {
						t.Errorf("%d bytes fetched, want 13 pieces", n)
					}
				})
			})
		}
	}
}

// A whole file that stands there is recognised by its root, with no peer at all.
func TestAWholeFileIsVerifiedWithoutPeers(t *testing.T) {
	files := testFiles(1<<20, 400_000)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 32<<10, files, false)
				s := fullMemory(tor.Manifest, files)
				s.suspect, s.have = s.have, s.suspect
				got := w.start(bare(t, tor), s, nil)
				got.finishes(5 * time.Second)
				if !s.have.Full() {
					t.Error("not all pieces were committed")
				}
			})
		})
	}
}

// mismatched is a hybrid whose v1 half describes files and whose v2 half others
// (N28).
func mismatched(t *testing.T, files, others [][]byte) *metainfo.Torrent {
	t.Helper()
	m := &content.Manifest{Name: "content", Single: true, PieceLength: 32 << 10, HasV1: true, HasV2: true}
	m.Files = []content.File{{Path: []string{"content"}, Length: int64(len(files[0]))}}
	m.Seal()
	digest := func(data []byte) *content.Digest {
		open := func(int) (io.ReaderAt, io.Closer, error) { return bytes.NewReader(data), nil, nil }
		d, err := content.HashFiles(context.Background(), m, true, true, open, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := digest(files[0])
	lie := digest(others[0])
	d.Roots, d.Layers = lie.Roots, lie.Layers
	tor, err := metainfo.Build(m, d, metainfo.BuildOptions{V1: true, V2: true})
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

func TestAHybridWhoseHalvesDisagreeNeverFinishes(t *testing.T) {
	files, others := testFiles(1<<20), [][]byte{make([]byte, 1<<20)}
	for _, layers := range []string{"with layers", "without layers"} {
		t.Run(layers, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := mismatched(t, files, others)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				mine := tor
				if layers == "without layers" {
					mine = nil
				}
				got := w.start(mine, nil, func(cfg *Config) { cfg.Keys = tor.Manifest.Keys()[:1] })
				got.AddPeers("link", seed.at())
				got.fails(time.Minute)
				if !errors.Is(got.err, fault.Conflict) || got.store.finished {
					t.Errorf("ended with %v, finished %v", got.err, got.store.finished)
				}
			})
		})
	}
}

func TestCancelEndsWithinTwoSeconds(t *testing.T) {
	files := testFiles(8 << 20)
	for _, name := range []string{"before metadata", "downloading", "seeding", "paused", "dialing nobody"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[2], 32<<10, files, false)
				seed := w.start(tor, fullMemory(tor.Manifest, files), func(cfg *Config) { cfg.Up = limiter(300_000) })
				s := newMemory(tor.Manifest)
				n := w.prepare(tor, s, func(cfg *Config) {
					if name == "before metadata" {
						cfg.Torrent = nil
					}
					cfg.Down = limiter(200_000)
				})
				if name == "paused" {
					s.hook = func(op string, _ int) error {
						if op == "WriteAt" {
							return fault.Errorf(fault.Full, "no room")
						}
						return nil
					}
				}
				n.run()
				if name == "seeding" {
					n = seed
				}
				if name == "dialing nobody" {
					dead := w.prepare(tor, nil, nil)
					w.net.Partition(n.host.Addr(), dead.host.Addr())
					n.AddPeers("link", dead.at())
				} else if n != seed && name != "before metadata" {
					n.AddPeers("link", seed.at())
				}
				<-time.After(3 * time.Second)
				began := time.Now()
				n.cancel()
				<-n.ended
				if took := time.Since(began); took > 2*time.Second || n.err != nil {
					t.Errorf("took %v, err %v", took, n.err)
				}
				if st := n.Status(); st.State != Stopped {
					t.Errorf("state %s", st.State)
				}
				if name == "downloading" && !s.closed {
					t.Error("the store is open")
				}
			})
		})
	}
}

func TestLimitsHold(t *testing.T) {
	files := testFiles(2 << 20)
	for _, side := range []string{"up", "down"} {
		t.Run(side, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[2], 32<<10, files, false)
				seed := w.start(tor, fullMemory(tor.Manifest, files), func(cfg *Config) {
					if side == "up" {
						cfg.Up = limiter(100_000)
					}
				})
				got := w.start(tor, nil, func(cfg *Config) {
					if side == "down" {
						cfg.Down = limiter(100_000)
					}
				})
				got.AddPeers("link", seed.at())
				<-time.After(10 * time.Second)
				served := seed.Status()
				got.finishes(time.Minute)
				st := got.Status()
				took := st.Completed.Sub(st.Started).Seconds()
				if ideal := float64(2<<20-64<<10) / 100_000; took < 0.95*ideal || took > 1.15*ideal {
					t.Errorf("took %.1f s, the limit allows %.1f s", took, ideal)
				}
				if want := map[string]string{"up": limitUploads, "down": limitDown}[side]; st.Limit != want {
					t.Errorf("limit %q, want %q", st.Limit, want)
				}
				if want := map[string]string{"up": limitUp, "down": limitNone}[side]; served.Limit != want {
					t.Errorf("limit of the seeder %q, want %q", served.Limit, want)
				}
			})
		})
	}
}

func TestATransferOfAMomentDoesNotSayWhatLimitedIt(t *testing.T) {
	files := testFiles(300_000)
	for range 20 { // which of two goroutines is first at its start must not count
		bubble(t, func(t *testing.T, w *world) {
			tor := makeTorrent(t, forms[2], 32<<10, files, false)
			seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
			got := w.start(tor, nil, func(cfg *Config) { cfg.Peers = []transport.Target{{Addr: seed.at()}} })
			got.finishes(time.Second)
			if st := got.Status(); st.Limit != limitUnknown {
				t.Errorf("limit %q, want %q", st.Limit, limitUnknown)
			}
		})
	}
}

func TestSeedsPartAndSayTheyAreComplete(t *testing.T) {
	files := testFiles(300_000)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, false)
		seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
		watcher := w.dialRaw(seed, "watcher", allFeatures)
		watcher.send(extHello(0), wire.Message{ID: wire.HaveNone})
		if h, err := wire.ParseExtHandshake(watcher.await(wire.Extended).Payload); err != nil || !h.UploadOnly {
			t.Errorf("a seed says %+v, %v", h, err)
		}
		got := w.start(tor, nil, nil)
		got.AddPeers("link", seed.at())
		got.finishes(10 * time.Second)
		w.until(time.Minute, "the seeds part", func() bool { return len(got.Status().Peers) == 0 })
		if n := len(seed.Status().Peers); n != 1 {
			t.Errorf("the seed has %d connections, want the watcher's", n)
		}
	})
}

// named is a finder that names addresses and remembers what it was asked.
type oracle struct {
	found  []discover.Found
	joined atomic.Int32
	left   atomic.Int32
	name   string
}

func (o *oracle) Name() string { return o.name }
func (o *oracle) Err() error   { return fault.Errorf(fault.Timeout, "no answer") }
func (o *oracle) Close() error { return nil }
func (o *oracle) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] {
	return func(yield func(discover.Found) bool) {
		o.joined.Add(1)
		defer o.left.Add(1)
		for _, f := range o.found {
			if !yield(f) {
				return
			}
		}
		<-ctx.Done()
	}
}

func TestFindersAreJoinedForEveryKeyAndLeft(t *testing.T) {
	files := testFiles(300_000)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, true)
		seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
		dht := &oracle{name: "dht"}
		tracker := &oracle{name: "tracker http://x", found: []discover.Found{{Addr: seed.at(), Source: "tracker"}}}
		got := w.start(nil, nil, func(cfg *Config) {
			cfg.Keys = tor.Manifest.Keys()
			cfg.Finders = []discover.Finder{dht, tracker}
		})
		got.finishes(10 * time.Second)
		if dht.joined.Load() != 2 || tracker.joined.Load() != 2 {
			t.Errorf("joined %d and %d times", dht.joined.Load(), tracker.joined.Load())
		}
		if dht.left.Load() != 2 || tracker.left.Load() != 0 {
			t.Error("the content is private: the DHT must be left and the tracker kept")
		}
		if s := got.Status(); s.Finders["dht"] != "no answer" {
			t.Errorf("finders %v", s.Finders)
		}
		got.cancel()
		<-got.ended
		if tracker.left.Load() != 2 {
			t.Error("the tracker was not left")
		}
	})
}

// hangs is a network on which a plain handshake is never answered, as by a
// client that requires encryption.
type hangs struct {
	transport.Network
	asked []bool
}

func (h *hangs) Dial(ctx context.Context, to transport.Target) (transport.Conn, error) {
	h.asked = append(h.asked, to.MSE)
	c, err := h.Network.Dial(ctx, to)
	if err == nil && !to.MSE {
		_ = c.Close()
	}
	return c, err
}

func TestAPeerThatHangsUpOnPlainIsTriedEncrypted(t *testing.T) {
	files := testFiles(300_000)
	for _, policy := range []transport.Encryption{transport.PreferPlain, transport.ForbidMSE} {
		bubble(t, func(t *testing.T, w *world) {
			tor := makeTorrent(t, forms[2], 32<<10, files, false)
			seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
			var h *hangs
			got := w.start(tor, nil, func(cfg *Config) {
				h = &hangs{Network: cfg.Network}
				cfg.Network, cfg.Encryption = h, policy
			})
			got.AddPeers("link", seed.at())
			if policy == transport.PreferPlain {
				got.finishes(10 * time.Second)
				return
			}
			<-time.After(10 * time.Second)
			synctest.Wait()
			for _, mse := range h.asked {
				if mse {
					t.Error("dialed encrypted against the policy")
				}
			}
		})
	}
}
