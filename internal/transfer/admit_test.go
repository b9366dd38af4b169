package transfer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

func TestAdmit(t *testing.T) {
	key, other := content.SHA1{1}, content.SHA1{2}
	self, id := [20]byte{9}, peer.ID{5}
	public := share{audience: peer.Public, keys: []content.SHA1{key}, self: self}
	link := share{audience: peer.Link, keys: []content.SHA1{key}, self: self}
	for _, c := range []struct {
		name string
		s    share
		nc   fakeConn
		key  content.SHA1
		id   [20]byte
		ok   bool
	}{
		{"a public peer of the same content", public, fakeConn{audience: peer.Public}, key, [20]byte{1}, true},
		{"an encrypted one that negotiated it", public, fakeConn{audience: peer.Public, key: key}, key, [20]byte{1}, true},
		{"a holder of the ticket", link, fakeConn{audience: peer.Link, key: key, id: id}, key, [20]byte{1}, true},
		{"a public connection asks for a link share", link, fakeConn{audience: peer.Public}, key, [20]byte{1}, false},
		{"a public connection with the derived key asks for a link share", link, fakeConn{audience: peer.Public, key: key, id: id}, key, [20]byte{1}, false},
		{"a link connection asks for a public share", public, fakeConn{audience: peer.Link, key: key, id: id}, key, [20]byte{1}, false},
		{"the secret of another share was proven", link, fakeConn{audience: peer.Link, key: other, id: id}, key, [20]byte{1}, false},
		{"the handshake inside names another share", link, fakeConn{audience: peer.Link, key: key, id: id}, other, [20]byte{1}, false},
		{"no identity on a link connection", link, fakeConn{audience: peer.Link, key: key}, key, [20]byte{1}, false},
		{"the public handshake names other content", public, fakeConn{audience: peer.Public}, other, [20]byte{1}, false},
		{"encryption was negotiated for other content", public, fakeConn{audience: peer.Public, key: other}, key, [20]byte{1}, false},
		{"ourselves", public, fakeConn{audience: peer.Public}, key, self, false},
		{"a connection without audience", public, fakeConn{}, key, [20]byte{1}, false},
		{"a network share, which nothing grants yet", share{audience: peer.Network, keys: []content.SHA1{key}, self: self}, fakeConn{audience: peer.Network, key: key, id: id}, key, [20]byte{1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := admit(c.nc, wire.Handshake{Key: c.key, PeerID: c.id}, c.s)
			if c.ok != (err == nil) || (err != nil && !errors.Is(err, fault.Refused)) {
				t.Errorf("admit = %v", err)
			}
		})
	}
}

func TestAConnectionForAnotherAudienceIsClosedUnanswered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		files := testFiles(100_000)
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		n := w.start(tor, fullMemory(tor.Manifest, files), linkShare(tor, 7, true))
		open := w.start(tor, fullMemory(tor.Manifest, files), nil) // accepts public connections
		nc, err := w.net.Host(w.addr()).Dial(w.ctx, transport.Target{Addr: open.at(), Audience: peer.Public, Key: tor.Manifest.Keys()[0]})
		if err != nil {
			t.Fatal(err)
		}
		accepted := &accepted{Conn: nc}
		n.AddConn(accepted, wire.Handshake{Key: n.cfg.Keys[0], PeerID: [20]byte{1}})
		w.until(time.Second, "the connection is closed", func() bool { return accepted.isClosed() })
		if len(n.Status().Peers) != 0 || accepted.wrote.Load() {
			t.Error("a public connection got something of a link share")
		}
	})
}

// Two nodes that dial each other at once must keep one connection, and the same.
func TestNodesThatDialEachOtherKeepOneConnection(t *testing.T) {
	for _, audience := range []peer.Audience{peer.Public, peer.Link} {
		t.Run(audience.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				files := testFiles(400_000)
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				change := linkShare(tor, 7, true)
				if audience == peer.Public {
					change = nil
				}
				half := content.NewBitfield(tor.Manifest.NumPieces())
				half.Set(0)
				sa, sb := newMemory(tor.Manifest), newMemory(tor.Manifest)
				sa.fill(files, half)
				sb.fill(files, half)
				a, b := w.start(tor, sa, change), w.start(tor, sb, change)
				for range 3 {
					a.AddPeers("link", b.at())
					b.AddPeers("link", a.at())
					synctest.Wait()
					<-time.After(time.Second)
					as, bs := a.Status().Peers, b.Status().Peers
					if len(as) != 1 || len(bs) != 1 {
						t.Fatalf("%d and %d connections", len(as), len(bs))
					}
				}
			})
		})
	}
}

// dials counts what is dialed.
type dials struct {
	transport.Network
	n int
}

func (d *dials) Dial(ctx context.Context, to transport.Target) (transport.Conn, error) {
	d.n++
	return d.Network.Dial(ctx, to)
}

func TestANodeDoesNotTalkToItself(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		files := testFiles(100_000)
		tor := makeTorrent(t, forms[0], 32<<10, files, false)
		d := &dials{}
		n := w.start(tor, nil, func(cfg *Config) { d.Network, cfg.Network = cfg.Network, d })
		n.AddPeers("link", n.at())
		<-time.After(30 * time.Second)
		synctest.Wait()
		if got := n.Status().Peers; len(got) != 0 {
			t.Errorf("connected to ourselves: %v", got)
		}
		if d.n != 1 {
			t.Errorf("dialed ourselves %d times in half a minute", d.n)
		}
	})
}
