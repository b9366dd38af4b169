package transfer

import (
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

func TestTwoNodesTransfer(t *testing.T) {
	files := testFiles(300_000, 0, 5, 70_000, 131_072)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 32<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				got := w.start(tor, nil, nil)
				got.AddPeers("link", seed.at())
				got.finishes(10 * time.Second)
				if !got.store.holds(full) || !got.store.finished {
					t.Error("the copy differs, or is not finished")
				}
				s := got.Status()
				if s.State != Seeding || s.FromPeers != tor.Manifest.TotalBytes() || s.Swarm.Wasted != 0 {
					t.Errorf("status %s, %d bytes from peers, %d wasted", s.State, s.FromPeers, s.Swarm.Wasted)
				}
				if s.Completed.Sub(s.Started) > 2*time.Second {
					t.Errorf("took %v", s.Completed.Sub(s.Started))
				}
			})
		})
	}
}

// linkShare makes cfg a link share of tor; known says whether the metadata is.
func linkShare(tor *metainfo.Torrent, secret byte, known bool) func(*Config) {
	return func(cfg *Config) {
		cfg.Audience = peer.Link
		cfg.Keys = []content.SHA1{{1, 2, 3, secret}}
		cfg.Secret = transport.Secret{secret}
		cfg.Want = tor.Manifest.InfoHash2
		if !known {
			cfg.Torrent = nil
		}
	}
}

func TestLinkShareIsFetchedByTicketAlone(t *testing.T) {
	files := testFiles(2_000_000)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		seed := w.start(tor, full, linkShare(tor, 7, true))
		got := w.start(tor, nil, linkShare(tor, 7, false))
		got.AddPeers("link", seed.at())
		got.finishes(10 * time.Second)
		if !got.store.holds(full) {
			t.Error("the copy differs")
		}
		if s := got.Status(); len(s.Sources) != 1 || s.Sources[seed.host.ID().Short()] != 2_000_000 {
			t.Errorf("sources %v", s.Sources)
		}
	})
}

func TestMagnetFetchesMetadataAndLayers(t *testing.T) {
	files := testFiles(40<<20/8, 100)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 16<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				var saved *metainfo.Torrent
				got := w.start(tor, nil, func(cfg *Config) {
					cfg.Torrent = nil
					cfg.SaveTorrent = func(tor *metainfo.Torrent) error { saved = tor; return nil }
				})
				got.AddPeers("link", seed.at())
				got.finishes(20 * time.Second)
				if !got.store.holds(full) {
					t.Error("the copy differs")
				}
				got.cancel()
				<-got.ended
				if saved == nil || (f.v2 && !saved.Layers.Complete()) {
					t.Error("metadata and layers were not kept")
				}
			})
		})
	}
}

func TestTenNodesThatKnowOnlyTheSharerFindEachOther(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		seed := w.start(tor, full, func(cfg *Config) { cfg.Up = limiter(100_000) })
		var all []*node
		for range 10 {
			n := w.start(tor, nil, nil)
			n.AddPeers("link", seed.at())
			all = append(all, n)
		}
		began := time.Now()
		w.until(1500*time.Millisecond, "everybody is connected to everybody", func() bool {
			for _, n := range all {
				if len(n.Status().Peers) < 10 {
					return false
				}
			}
			return true
		})
		t.Logf("full mesh after %v", time.Since(began))
		for _, n := range all {
			n.finishes(60 * time.Second)
			if !n.store.holds(full) {
				t.Error("a copy differs")
			}
		}
		for _, n := range all { // no pair keeps two connections
			seen := map[peer.Key]bool{}
			for _, p := range n.Status().Peers {
				if seen[p.Key] {
					t.Errorf("two connections to %v", p.Key)
				}
				seen[p.Key] = true
			}
		}
	})
}

// A hybrid has two swarm keys. A node that knows one of them only is reached, even
// by a node that tries the other first.
func TestAHybridIsReachedByEitherKey(t *testing.T) {
	files := testFiles(500_000)
	for i, name := range []string{"v1", "v2"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[2], 32<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				seed := w.start(tor, full, nil)
				got := w.start(nil, nil, func(cfg *Config) { cfg.Keys = tor.Manifest.Keys()[i : i+1] })
				seed.AddPeers("link", got.at())
				got.finishes(20 * time.Second)
				if !got.store.holds(full) {
					t.Error("the copy differs")
				}
			})
		})
	}
}
