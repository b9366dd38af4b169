package transfer

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

func TestAServerThatDiesIsTakenUpAgainUnasked(t *testing.T) {
	files := testFiles(4 << 20)
	for _, when := range []string{"before the first byte", "in the middle"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				o := newServer(tor, files)
				o.rate = 500_000
				if when == "before the first byte" {
					o.kill(unreachable)
				}
				mine := tor
				if o.down != nil {
					mine = nil
				}
				got := w.start(mine, nil, with(from(o), func(cfg *Config) { cfg.Keys = tor.Manifest.Keys() }))
				<-time.After(time.Second)
				o.kill(unreachable)
				<-time.After(time.Minute)
				if s := got.originState(); s.State != originAway || !errors.Is(s.Err, fault.Unreachable) {
					t.Errorf("a dead server is %q, %v", s.State, s.Err)
				}
				if n := len(o.asked()); n > 30 {
					t.Errorf("a dead server was asked %d times in a minute", n)
				}
				o.kill(nil)
				got.finishes(originLate + 10*time.Second)
				if s := got.originState(); s.State != originOK || s.Err != nil || s.Bytes != tor.Manifest.TotalBytes() {
					t.Errorf("at the end: %+v", s)
				}
			})
		})
	}
}

func TestAnswersThatEndItForGood(t *testing.T) {
	files := testFiles(1 << 20)
	for _, c := range []struct {
		name  string
		err   error
		state string
	}{
		{"the content was replaced", fault.Errorf(fault.Changed, "there is a newer version"), originReplaced},
		{"the link has ended", fault.Errorf(fault.Gone, "revoked"), originRefused},
		{"we may not", fault.Errorf(fault.Permission, "not yours"), originRefused},
		{"nobody knows us", fault.Errorf(fault.Unauthenticated, "who?"), originRefused},
	} {
		for _, mine := range []string{"metadata", "content"} {
			t.Run(c.name+", asked for "+mine, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					tor := makeTorrent(t, forms[1], 32<<10, files, false)
					o := newServer(tor, files)
					known := tor
					if o.kill(c.err); mine == "metadata" {
						known = nil
					}
					got := w.start(known, nil, with(from(o), func(cfg *Config) { cfg.Keys = tor.Manifest.Keys() }))
					<-time.After(time.Minute)
					if s := got.originState(); s.State != c.state || !errors.Is(s.Err, c.err) {
						t.Errorf("the server is %q, %v", s.State, s.Err)
					}
					if n := len(o.asked()) + o.torrents; n > maxStretches {
						t.Errorf("asked %d times", n)
					}
					o.kill(nil)
					other := newServer(tor, files)
					got.SetOrigins(o, other)
					got.finishes(time.Minute)
					if s := got.Status().Origins; len(s) != 2 || s[0].State != originOK || s[1].State != originOK {
						t.Errorf("origins %+v", s)
					}
				})
			})
		}
	}
}

func TestAnOriginThatIsTakenAwayIsNotAskedAnyMore(t *testing.T) {
	files := testFiles(2 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		o, other := newServer(tor, files), newServer(tor, files)
		o.rate = 100_000
		got := w.start(tor, nil, from(o))
		<-time.After(time.Second)
		got.SetOrigins(other)
		<-time.After(10 * time.Millisecond)
		n := len(o.asked())
		got.finishes(time.Minute)
		if len(o.asked()) != n || o.open != 0 {
			t.Errorf("%d requests later, %d streams open", len(o.asked())-n, o.open)
		}
	})
}

// A piece that fails its hash came from the origin alone: it is banned, and what
// peers have is not doubted.
func TestAnOriginThatSendsBadBytesIsBanned(t *testing.T) {
	files := testFiles(4 << 20)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 32<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				o := newServer(tor, files)
				o.spoil = func(_ int, s Span, _ io.Reader) io.Reader { return bytes.NewReader(make([]byte, s.Len)) }
				got := w.start(tor, nil, from(o))
				<-time.After(5 * time.Second)
				if s := got.originState(); s.State != originRefused || !errors.Is(s.Err, fault.Corrupt) {
					t.Errorf("the server is %q, %v", s.State, s.Err)
				}
				if got.Status().Swarm.Have != 0 {
					t.Error("a bad piece was kept")
				}
				n := len(o.asked())
				seed := w.start(tor, full, nil)
				got.AddPeers("link", seed.at())
				got.finishes(time.Minute)
				if !got.store.holds(full) || len(o.asked()) != n {
					t.Error("the copy differs, or the server was asked again")
				}
				if s := got.Status(); s.FromPeers != tor.Manifest.TotalBytes() {
					t.Errorf("%d bytes from peers: something of the server was kept", s.FromPeers)
				}
			})
		})
	}
}

func TestAServerWithOtherContentIsToldApart(t *testing.T) {
	files := testFiles(1 << 20)
	others := testFiles(1<<20 + 1)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		o := newServer(tor, files)
		o.torrent = func() (*metainfo.Torrent, error) { return makeTorrent(t, forms[1], 32<<10, others, false), nil }
		seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
		got := w.start(nil, nil, with(from(o), func(cfg *Config) { cfg.Keys = tor.Manifest.Keys() }))
		got.AddPeers("link", seed.at())
		got.finishes(10 * time.Second)
		if s := got.originState(); s.State != originReplaced || !errors.Is(s.Err, fault.Changed) {
			t.Errorf("the server is %q, %v", s.State, s.Err)
		}
	})
}

func TestWholeFilesOnly(t *testing.T) {
	files := testFiles(3_000_000, 200_000, 40_000, 1_000_000)
	for _, f := range forms {
		for _, resume := range []bool{false, true} {
			t.Run(map[bool]string{false: f.name, true: f.name + " resumed"}[resume], func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					tor := makeTorrent(t, f, 32<<10, files, false)
					full := fullMemory(tor.Manifest, files)
					o := newServer(tor, files)
					o.whole, o.rate = true, 4<<20
					s := newMemory(tor.Manifest)
					if resume { // some of the first file and all of the second
						have := content.NewBitfield(tor.Manifest.NumPieces())
						for i := 10; i < 100; i++ {
							have.Set(i)
						}
						s.fill(files, have)
					}
					got := w.start(tor, s, from(o))
					got.finishes(time.Minute)
					if !s.holds(full) {
						t.Error("the copy differs")
					}
					if st := got.Status(); st.FromOrigin > st.Swarm.Total {
						t.Errorf("%d bytes accepted of %d", st.FromOrigin, st.Swarm.Total)
					}
					limit := tor.Manifest.TotalBytes() * 5 / 4
					if f.v1 && !f.v2 {
						limit = tor.Manifest.TotalBytes() * 5 / 2 // blocks in two files
					}
					if o.gave() > limit {
						t.Errorf("%d bytes were sent for %d", o.gave(), tor.Manifest.TotalBytes())
					}
				})
			})
		}
	}
}

// A proxy that is gone by the next stream is not worked around for ever.
func TestRangesAreUsedAgainWhenTheyWork(t *testing.T) {
	files := testFiles(2<<20, 2<<20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		o := newServer(tor, files)
		o.whole, o.rate = true, 1<<20
		got := w.start(tor, nil, from(o))
		<-time.After(time.Second)
		o.mu.Lock()
		o.whole = false
		o.mu.Unlock()
		o.kill(nil) // ends the stream there is
		got.finishes(time.Minute)
		if o.most < 2 {
			t.Errorf("%d streams at once", o.most)
		}
	})
}

func TestElsewhereLeadsToPeers(t *testing.T) {
	files := testFiles(2 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		half := content.NewBitfield(tor.Manifest.NumPieces())
		for i := range half.Len() / 2 {
			half.Set(i)
		}
		s := newMemory(tor.Manifest)
		s.fill(files, half)
		seed := w.start(tor, s, nil)
		o := newServer(tor, files)
		o.ask = func(_ int, span Span) (*Stream, error) {
			for i := span.First; i <= span.Last; i++ {
				if half.Has(i) {
					return nil, &Elsewhere{Peers: []netip.AddrPort{seed.at()}, Taken: half, After: time.Minute}
				}
			}
			return nil, nil
		}
		got := w.start(tor, nil, from(o))
		got.finishes(10 * time.Second)
		if !got.store.holds(full) {
			t.Error("the copy differs")
		}
		if st := got.Status(); st.FromPeers != 1<<20 || st.FromOrigin != 1<<20 {
			t.Errorf("%d bytes from the peer, %d from the server", st.FromPeers, st.FromOrigin)
		}
	})
}

// Of what was asked for in one request some pieces may be taken: the others are
// asked for again at once.
func TestOnlyTakenPiecesWait(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		taken := content.NewBitfield(tor.Manifest.NumPieces())
		for i := 0; i < taken.Len(); i += 2 {
			taken.Set(i)
		}
		o := newServer(tor, files)
		free := time.Now().Add(20 * time.Second)
		o.ask = func(_ int, span Span) (*Stream, error) {
			if time.Now().Before(free) && (span.First < span.Last || taken.Has(span.First)) {
				return nil, &Elsewhere{Taken: taken, After: time.Until(free)}
			}
			return nil, nil
		}
		got := w.start(tor, nil, from(o))
		<-time.After(5 * time.Second)
		if s := got.Status(); s.Swarm.Have != taken.Len()/2 {
			t.Errorf("%d pieces, %d were free", s.Swarm.Have, taken.Len()/2)
		}
		got.finishes(30 * time.Second)
	})
}

func TestAStormOfElsewhereIsWeathered(t *testing.T) {
	files := testFiles(2 << 20)
	for _, after := range []time.Duration{0, -time.Hour, time.Second, 1000 * time.Hour} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				o := newServer(tor, files)
				storm := true
				o.ask = func(n int, _ Span) (*Stream, error) {
					if storm {
						return nil, &Elsewhere{After: after, Taken: content.NewBitfield(n % 90)}
					}
					return nil, nil
				}
				got := w.start(tor, nil, from(o))
				<-time.After(time.Minute)
				if n := len(o.asked()); n > 150 {
					t.Errorf("asked %d times in a minute", n)
				}
				if s := got.originState(); s.State != originWait {
					t.Errorf("the server is %q", s.State)
				}
				o.mu.Lock()
				storm = false
				o.mu.Unlock()
				got.finishes(time.Minute)
				if s := got.originState(); s.State != originOK {
					t.Errorf("the server is %q", s.State)
				}
			})
		})
	}
}

// A server that says nothing does not hold up the swarm, and is given up in the
// end.
func TestASilentServerIsNotWaitedForAlone(t *testing.T) {
	files := testFiles(1 << 20)
	for _, what := range []string{"does not answer", "sends nothing", "stops in the middle"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				o := newServer(tor, files)
				switch what {
				case "does not answer":
					o.rtt = 24 * time.Hour
				case "sends nothing":
					o.spoil = func(int, Span, io.Reader) io.Reader { return stuck{w.ctx} }
				default:
					o.spoil = func(_ int, _ Span, r io.Reader) io.Reader {
						return io.MultiReader(io.LimitReader(r, 20_000), stuck{w.ctx})
					}
				}
				finder := &oracle{name: "dht"}
				got := w.start(tor, nil, with(from(o), func(cfg *Config) { cfg.Finders = append(cfg.Finders, finder) }))
				<-time.After(2 * time.Second)
				if finder.joined.Load() != 0 {
					t.Error("the swarm is used at once")
				}
				<-time.After(3 * time.Second)
				if finder.joined.Load() == 0 {
					t.Error("the swarm is not used")
				}
				if what != "does not answer" {
					return // the stream of the test does not end
				}
				<-time.After(2 * originTimeout)
				if s := got.originState(); s.State != originAway || !errors.Is(s.Err, fault.Timeout) {
					t.Errorf("the server is %q, %v", s.State, s.Err)
				}
			})
		})
	}
}

func TestCancelDuringAStreamEndsAtOnce(t *testing.T) {
	files := testFiles(8 << 20)
	for _, what := range []string{"sends", "sends whole files", "does not answer", "has no room here"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				o := newServer(tor, files)
				o.rate, o.whole = 100_000, what == "sends whole files"
				s := newMemory(tor.Manifest)
				switch what {
				case "does not answer":
					o.rtt = time.Hour
				case "has no room here":
					s.hook = func(op string, _ int) error {
						if op == "WriteAt" {
							return fault.Errorf(fault.Full, "no room")
						}
						return nil
					}
				}
				got := w.start(tor, s, from(o))
				<-time.After(2 * time.Second)
				began := time.Now()
				got.cancel()
				<-got.ended
				if d := time.Since(began); d > time.Second || got.err != nil || o.open != 0 {
					t.Errorf("took %v, err %v, %d streams open", d, got.err, o.open)
				}
			})
		})
	}
}

func TestAFullDeviceHoldsAnOriginBack(t *testing.T) {
	files := testFiles(3 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		o := newServer(tor, files)
		room, calls := false, 0
		s := newMemory(tor.Manifest)
		s.hook = func(op string, _ int) error {
			if calls++; op == "WriteAt" && !room && calls > 50 {
				return fault.Errorf(fault.Full, "no space left on device")
			}
			return nil
		}
		got := w.start(tor, s, from(o))
		w.until(5*time.Second, "paused", func() bool { return got.Status().State == Paused })
		<-time.After(time.Minute)
		n := o.gave()
		<-time.After(time.Minute)
		if o.gave() != n {
			t.Error("the server goes on sending")
		}
		s.mu.Lock()
		room = true
		s.mu.Unlock()
		got.finishes(time.Minute)
		if !s.holds(full) {
			t.Error("the copy differs")
		}
	})
}
