package transfer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/content"
	"tandem/internal/wire"
)

// everyMessage is one message of each kind, with numbers that fit and with
// numbers that do not, and extension messages of every number.
func everyMessage() []wire.Message {
	var all []wire.Message
	for _, n := range []uint32{0, 1, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		for id := range wire.ID(30) {
			m := wire.Message{ID: id, Index: n, Begin: n, Length: n, Port: uint16(n)}
			switch id {
			case wire.Piece:
				m.Payload = make([]byte, 1+n%content.BlockSize)
			case wire.Bitfield:
				m.Payload = make([]byte, 1+n%3)
			case wire.HashRequest, wire.Hashes, wire.HashReject:
				k := int(n & (1<<31 - 1))
				m.Range = content.HashRange{Base: k % 40, Index: k, Length: k, ProofLayers: k % 50}
				m.Hashes = make([]content.Hash, n%5)
			case wire.Extended:
				m.Payload = []byte("d1:md11:ut_metadatai1e6:ut_pexi2eee")
			}
			if id == wire.Extended {
				for ext := range uint8(5) {
					m.Ext = ext
					all = append(all, m)
				}
				continue
			}
			all = append(all, m)
		}
	}
	for _, kind := range []wire.MetadataType{wire.MetadataRequest, wire.MetadataData, wire.MetadataReject, 9} {
		msg := wire.MetadataMsg{Type: kind, TotalSize: 10, Data: nil}
		if kind == wire.MetadataData {
			msg.Data = make([]byte, 10)
		}
		all = append(all, wire.Message{ID: wire.Extended, Ext: wire.ExtMetadata, Payload: wire.AppendMetadata(nil, &msg)})
	}
	return append(all, wire.Message{ID: wire.KeepAlive}, extHello(100), extHello(1<<20))
}

// N27: a message may come in any state; the worst that happens is that its
// connection is closed.
func TestEveryMessageInEveryState(t *testing.T) {
	files := testFiles(300_000, 20_000)
	for _, f := range forms {
		tor := makeTorrent(t, f, 32<<10, files, false)
		for state, begin := range map[string]func(w *world) *node{
			"before metadata": func(w *world) *node {
				return w.start(nil, nil, func(cfg *Config) { cfg.Keys = tor.Manifest.Keys() })
			},
			"with nothing": func(w *world) *node { return w.start(tor, nil, nil) },
			"complete":     func(w *world) *node { return w.start(tor, fullMemory(tor.Manifest, files), nil) },
			"checking": func(w *world) *node {
				s := fullMemory(tor.Manifest, files)
				s.suspect, s.have = s.have, content.NewBitfield(tor.Manifest.NumPieces())
				return w.start(bare(t, tor), s, nil)
			},
		} {
			t.Run(f.name+" "+state, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					n := begin(w)
					synctest.Wait()
					for i, m := range everyMessage() {
						features := []wire.Feature{0, allFeatures}[i%2]
						r := w.dialRaw(n, fmt.Sprintf("peer%04d", i), features)
						r.send(m, m, wire.Message{ID: wire.Interested}, m)
						synctest.Wait()
						_ = r.nc.Close()
					}
					select {
					case <-n.ended:
						t.Fatalf("ended: %v", n.err)
					default:
					}
					if s := n.Status(); s.State == Failed || s.Swarm.Corrupt != 0 {
						t.Errorf("state %s, err %v", s.State, s.Err)
					}
				})
			})
		}
	}
}

func TestMessagesThatCloseTheConnection(t *testing.T) {
	files := testFiles(300_000)
	tor := makeTorrent(t, forms[2], 32<<10, files, false)
	bits := content.FullBitfield(tor.Manifest.NumPieces()).Bytes()
	for _, c := range []struct {
		name     string
		features wire.Feature
		ms       []wire.Message
	}{
		{"have of a piece that does not exist", allFeatures, []wire.Message{{ID: wire.Have, Index: 1000}}},
		{"a second have-none", allFeatures, []wire.Message{{ID: wire.HaveNone}, {ID: wire.HaveNone}}},
		{"have-all after a bitfield", allFeatures, []wire.Message{{ID: wire.Bitfield, Payload: bits}, {ID: wire.HaveAll}}},
		{"a bitfield with spare bits", allFeatures, []wire.Message{{ID: wire.Bitfield, Payload: []byte{0xff, 0xff}}}},
		{"a short bitfield", allFeatures, []wire.Message{{ID: wire.Bitfield, Payload: []byte{0}}}},
		{"have-all without the Fast extension", wire.FeatureExtended, []wire.Message{{ID: wire.HaveAll}}},
		{"an extension message without the extension protocol", wire.FeatureFast, []wire.Message{extHello(0)}},
		{"a hash request on a v1 connection", wire.FeatureFast, []wire.Message{{ID: wire.HashRequest}}},
		{"an extension handshake that is no dictionary", allFeatures, []wire.Message{{ID: wire.Extended, Payload: []byte("le")}}},
		{"endless messages of no use", allFeatures, make([]wire.Message, 2*maxStrikes)},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				n := w.start(tor, nil, nil)
				r := w.dialRaw(n, "raw", c.features)
				for i := range c.ms {
					if c.ms[i].ID == wire.Choke && len(c.ms) > 100 {
						c.ms[i].ID = wire.KeepAlive
					}
				}
				r.send(c.ms...)
				if !r.closed(5 * time.Second) {
					t.Error("still connected")
				}
			})
		})
	}
}

// N13: peers that say nothing, or one byte now and then, go away by themselves.
func TestSilentAndDrippingPeersAreClosed(t *testing.T) {
	files := testFiles(300_000)
	tor := makeTorrent(t, forms[2], 32<<10, files, false)
	bubble(t, func(t *testing.T, w *world) {
		n := w.start(tor, nil, func(cfg *Config) { cfg.MaxConns = 1000 })
		synctest.Wait()
		before := ours()
		var last *raw
		for i := range 200 {
			last = w.dialRaw(n, fmt.Sprintf("silent%03d", i), allFeatures)
			last.drain(w)
		}
		drip := wire.AppendMessage(nil, &wire.Message{ID: wire.Bitfield, Payload: make([]byte, 2)})
		dripper := w.dialRaw(n, "dripper", allFeatures)
		dripper.drain(w)
		w.every(30*time.Second, func() { // less than a message in the time allowed (N34)
			if len(drip) > 0 {
				_, _ = dripper.nc.Write(drip[:1])
				drip = drip[1:]
			}
		})
		if got := len(n.Status().Peers); got != 201 {
			t.Fatalf("%d connections", got)
		}
		<-time.After(idleTimeout + 5*time.Second)
		if got := len(n.Status().Peers); got != 0 {
			t.Errorf("%d connections after %v of silence", got, idleTimeout)
		}
		synctest.Wait()
		if after := ours(); after > before+1 { // the one that drips
			t.Errorf("%d goroutines, before %d", after, before)
		}
	})
}

// ours counts the goroutines that run code of this program. The runtime starts others
// when it likes, such as for finalizers.
func ours() (n int) {
	all := make([]byte, 4<<20)
	all = all[:runtime.Stack(all, true)]
	for one := range bytes.SplitSeq(all, []byte("\n\n")) {
		if bytes.Contains(one, []byte("tandem/internal/")) {
			n++
		}
	}
	return n
}

// A peer that asks and does not read must not hold a connection for ever.
func TestAPeerThatDoesNotReadIsClosed(t *testing.T) {
	files := testFiles(4 << 20)
	tor := makeTorrent(t, forms[2], 32<<10, files, false)
	bubble(t, func(t *testing.T, w *world) {
		n := w.start(tor, fullMemory(tor.Manifest, files), nil)
		r := w.dialRaw(n, "deaf", allFeatures)
		r.send(wire.Message{ID: wire.HaveNone}, wire.Message{ID: wire.Interested})
		for i := range 120 { // more than fits on the way
			r.send(wire.Message{ID: wire.Request, Index: uint32(i), Length: content.BlockSize})
		}
		w.every(time.Second, func() { r.send(wire.Message{ID: wire.KeepAlive}) }) // it is not silent
		<-time.After(slowPatience*slowWindow + 10*time.Second)
		if got := len(n.Status().Peers); got != 0 {
			t.Error("still connected")
		}
	})
}

// N26: what hostile peers make us remember is bounded.
func TestHostileRecordsStayBounded(t *testing.T) {
	files := testFiles(100_000)
	tor := makeTorrent(t, forms[2], 32<<10, files, false)
	bubble(t, func(t *testing.T, w *world) {
		n := w.start(tor, nil, nil)
		flood := func(from, to int) {
			for i := from; i < to; i++ {
				r := w.dialRaw(n, fmt.Sprintf("h%06d", i), allFeatures)
				var p wire.PEX
				for k := range wire.MaxPEX {
					a := netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), byte(k + 1)})
					p.Added = append(p.Added, wire.PexPeer{Addr: netip.AddrPortFrom(a, uint16(1+i%60000))})
				}
				pex := wire.Message{ID: wire.Extended, Ext: wire.ExtPEX, Payload: wire.AppendPEX(nil, &p)}
				r.send(extHello(i), pex, pex, wire.Message{ID: wire.HashRequest, Range: content.HashRange{Length: 2}})
				_ = r.nc.Close()
			}
			synctest.Wait()
		}
		heap := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		flood(0, 500)
		before := heap()
		flood(500, 1200)
		if grown := heap() - before; grown > 2<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		n.cancel()
		<-n.ended // the owner's state may be looked at now
		if got := len(n.book.order); got > maxKnown {
			t.Errorf("%d addresses", got)
		}
		if len(n.byID) != len(n.conns) || len(n.byKey) > len(n.byID) || len(n.sources)+len(n.sinks) > 2*maxNames {
			t.Errorf("%d connections by ID, %d by key, of %d", len(n.byID), len(n.byKey), len(n.conns))
		}
	})
}

// TestPoisonersAreBannedByIdentity has bad peers among good ones: what they send
// is found out, they are banned, the rest completes.
func TestPoisonersAreBannedByIdentity(t *testing.T) {
	files := testFiles(2 << 20)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, f, 128<<10, files, false)
				full := fullMemory(tor.Manifest, files)
				evil := fullMemory(tor.Manifest, files)
				r := rand.New(rand.NewPCG(1, 2))
				for i := range evil.data { // one bad block in every piece
					d := append([]byte(nil), evil.data[i]...)
					d[r.IntN(len(d))] ^= 1
					evil.data[i] = d
				}
				good := w.start(tor, full, func(cfg *Config) { cfg.Up = limiter(400_000) })
				bad := w.start(tor, evil, func(cfg *Config) { cfg.Up = limiter(400_000) })
				got := w.start(tor, nil, nil)
				got.AddPeers("link", good.at(), bad.at())
				got.finishes(2 * time.Minute)
				if !got.store.holds(full) {
					t.Fatal("the copy differs")
				}
				s := got.Status()
				if s.Swarm.Corrupt == 0 {
					t.Error("nothing was found corrupt: the test proves nothing")
				}
				for _, p := range s.Peers {
					if p.Addr == bad.at() {
						t.Error("the poisoner is still connected")
					}
				}
				got.cancel()
				<-got.ended
				if len(got.bans.order) != 1 || got.bans.order[0].BT != bad.cfg.PeerID {
					t.Errorf("banned: %v", got.bans.order)
				}
			})
		})
	}
}

func TestALiarAboutMetadataIsBanned(t *testing.T) {
	files := make([][]byte, 900) // 66 KB of info: five pieces
	for i := range files {
		files[i] = []byte{byte(i), byte(i >> 8), 1}
	}
	tor := makeTorrent(t, forms[1], 16<<10, files, false)
	if len(tor.Info) < 2*content.BlockSize {
		t.Fatalf("%d bytes of metadata are too little for this test", len(tor.Info))
	}
	bubble(t, func(t *testing.T, w *world) {
		full := fullMemory(tor.Manifest, files)
		got := w.start(nil, nil, func(cfg *Config) {
			cfg.Keys = tor.Manifest.Keys()
			cfg.Select = func(m *content.Manifest) []bool { return make([]bool, len(m.Files)) }
		})
		liar := w.dialRaw(got, "liar", allFeatures)
		liar.send(extHello(len(tor.Info)))
		var hungUp atomic.Bool
		go func() {
			defer hungUp.Store(true)
			for {
				var m wire.Message
				if liar.rd.Read(&m) != nil {
					return
				}
				msg, err := wire.ParseMetadata(m.Payload)
				if m.ID != wire.Extended || m.Ext != wire.ExtMetadata || err != nil || msg.Type != wire.MetadataRequest {
					continue
				}
				at := msg.Piece * content.BlockSize
				lie := append([]byte(nil), tor.Info[at:min(at+content.BlockSize, len(tor.Info))]...)
				lie[len(lie)/2] ^= 1
				msg = wire.MetadataMsg{Type: wire.MetadataData, Piece: msg.Piece, TotalSize: len(tor.Info), Data: lie}
				liar.send(wire.Message{ID: wire.Extended, Ext: wire.ExtMetadata, Payload: wire.AppendMetadata(nil, &msg)})
			}
		}()
		<-time.After(time.Second)
		seed := w.start(tor, full, nil)
		got.AddPeers("link", seed.at())
		select {
		case <-got.Ready():
		case <-time.After(time.Minute):
			t.Fatal("no metadata")
		}
		w.until(time.Second, "the liar is gone", hungUp.Load)
	})
}

func TestALiarAboutHashesIsBanned(t *testing.T) {
	files := testFiles(3 << 20)
	tor := makeTorrent(t, forms[1], 16<<10, files, false)
	bubble(t, func(t *testing.T, w *world) {
		full := fullMemory(tor.Manifest, files)
		got := w.start(bare(t, tor), nil, nil)
		liar := w.dialRaw(got, "liar", allFeatures)
		liar.send(wire.Message{ID: wire.HaveAll})
		m := liar.await(wire.HashRequest)
		liar.send(wire.Message{ID: wire.Hashes, Range: m.Range, Hashes: make([]content.Hash, m.Range.Length+m.Range.ProofLayers)})
		if !liar.closed(5 * time.Second) {
			t.Error("the liar is still connected")
		}
		seed := w.start(tor, full, nil)
		got.AddPeers("link", seed.at())
		got.finishes(time.Minute)
		if !got.store.holds(full) {
			t.Error("the copy differs")
		}
	})
}

// What a peer at a global address names must not lead into our network.
func TestPeerExchangeCannotReachLocalAddresses(t *testing.T) {
	b := newBook(nil)
	for _, c := range []struct {
		addr   string
		global bool
		ok     bool
	}{
		{"192.168.1.1:80", true, false},
		{"127.0.0.1:22", true, false},
		{"[fe80::1]:22", true, false},
		{"[::ffff:10.0.0.1]:80", true, false},
		{"10.0.0.1:80", false, true},
		{"8.8.8.8:80", true, true},
		{"224.0.0.1:80", false, false},
		{"0.0.0.0:80", false, false},
		{"8.8.8.8:0", true, false},
	} {
		if e := b.add(netip.MustParseAddrPort(c.addr), "pex", c.global); (e != nil) != c.ok {
			t.Errorf("add(%s, global %v) = %v", c.addr, c.global, e)
		}
	}
}

func TestPrivateContentHasNoPeerExchange(t *testing.T) {
	files := testFiles(300_000)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, true)
		n := w.start(tor, nil, nil)
		r := w.dialRaw(n, "raw", allFeatures)
		m := r.await(wire.Extended)
		h, err := wire.ParseExtHandshake(m.Payload)
		if err != nil || h.M[wire.NamePEX] != 0 {
			t.Errorf("extension handshake %v, %v", h, err)
		}
		p := wire.PEX{Added: []wire.PexPeer{{Addr: netip.MustParseAddrPort("10.7.7.7:7")}}}
		r.send(extHello(0), wire.Message{ID: wire.Extended, Ext: wire.ExtPEX, Payload: wire.AppendPEX(nil, &p)})
		<-time.After(time.Second)
		n.cancel()
		<-n.ended
		if _, known := n.book.byAddr[p.Added[0].Addr]; known {
			t.Error("an address from peer exchange was taken")
		}
	})
}

// A piece that two peers sent blocks of is judged block by block: v2 by the leaf
// hashes, of which the poisoner tells wrong ones; v1 by fetching it again.
func TestTheSenderOfABadBlockIsFoundAmongSeveral(t *testing.T) {
	for _, c := range []struct {
		name string
		f    form
		size int
	}{
		{"v1", forms[0], 512 << 10},
		{"v2, a file of one piece", forms[1], 512 << 10},
		{"v2, a file of three pieces", forms[1], 1100 << 10},
		{"hybrid", forms[2], 1100 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				files := testFiles(c.size)
				tor := makeTorrent(t, c.f, 512<<10, files, false)
				full, evil := fullMemory(tor.Manifest, files), fullMemory(tor.Manifest, files)
				for i := range evil.data { // every block is bad
					evil.data[i] = make([]byte, len(evil.data[i]))
				}
				good := w.start(tor, full, func(cfg *Config) { cfg.Up = limiter(100_000) })
				bad := w.start(tor, evil, func(cfg *Config) { cfg.Up = limiter(100_000) })
				got := w.start(tor, nil, nil)
				got.AddPeers("link", bad.at(), good.at())
				got.finishes(3 * time.Minute)
				if !got.store.holds(full) {
					t.Fatal("the copy differs")
				}
				s := got.Status()
				if s.Sources[good.at().String()] == 0 || s.Sources[bad.at().String()] == 0 || s.Swarm.Corrupt == 0 {
					t.Errorf("sources %v, %d bytes corrupt: the test proves nothing", s.Sources, s.Swarm.Corrupt)
				}
				got.cancel()
				<-got.ended
				for _, k := range got.bans.order {
					if k.BT != bad.cfg.PeerID {
						t.Errorf("banned %v", k)
					}
				}
				if len(got.judging) != 0 {
					t.Errorf("%d judgements never ended", len(got.judging))
				}
			})
		})
	}
}

// Peers that take metadata and hash requests and never answer them must not hold
// up a transfer that others can serve.
func TestSilenceAboutMetadataAndHashesIsWorkedAround(t *testing.T) {
	files := testFiles(2 << 20)
	tor := makeTorrent(t, forms[1], 16<<10, files, false)
	for _, size := range []int{len(tor.Info), 5 * content.BlockSize} {
		bubble(t, func(t *testing.T, w *world) {
			full := fullMemory(tor.Manifest, files)
			got := w.start(nil, nil, func(cfg *Config) { cfg.Keys = tor.Manifest.Keys() })
			for _, name := range []string{"mute1", "mute2"} {
				mute := w.dialRaw(got, name, allFeatures)
				mute.send(extHello(size), wire.Message{ID: wire.HaveAll})
				mute.drain(w)
			}
			<-time.After(time.Second)
			seed := w.start(tor, full, nil)
			got.AddPeers("link", seed.at())
			got.finishes(30 * time.Second)
			if !got.store.holds(full) {
				t.Error("the copy differs")
			}
		})
	}
}
