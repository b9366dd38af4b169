package interop

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/test/peers"
)

// TestDHT finds the seeder with no tracker: the seeder announces first, then
// the leecher starts. Both know the same third node.
func TestDHT(t *testing.T) {
	for _, c := range []struct{ seeder, leecher, router peers.Kind }{
		{peers.Tandem, peers.Aria2, peers.Libtorrent},
		{peers.Tandem, peers.Libtorrent, peers.Tandem},
		{peers.Aria2, peers.Tandem, peers.Libtorrent},
		{peers.Libtorrent, peers.Tandem, peers.Tandem},
		{peers.Tandem, peers.Tandem, peers.Libtorrent},
	} {
		t.Run(fmt.Sprintf("%s to %s by %s", c.seeder, c.leecher, c.router), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			dir, tor, path := a.content(false, peers.V1)
			// The router is an ordinary client busy with other content.
			other := &arena{Star: a.Star, t: t, dir: filepath.Join(a.dir, "other"), salt: 1000}
			otherDir, _, otherPath := other.content(false, peers.V1)
			router := other.start(c.router, peers.Job{Host: a.host(), Torrent: otherPath, Dir: otherDir, Seed: true, DHT: true, Trace: *keep})
			node := netip.AddrPortFrom(router.Job.Host.Addr, 6881)
			nodes := []string{node.String()}
			a.start(c.seeder, peers.Job{Host: a.host(), Torrent: path, Dir: dir, Seed: true, DHT: true, DHTNodes: nodes, Trace: *keep})
			a.awaitAnnounced(deadline(t, 90*time.Second), node, tor.Manifest.InfoHash1)
			leech := a.start(c.leecher, peers.Job{Host: a.host(), Magnet: magnetOf(tor), DHT: true, DHTNodes: nodes, Trace: *keep})
			if err := leech.Wait(deadline(t, 60*time.Second)); err != nil {
				t.Fatal(err)
			}
			a.same(dir, leech)
		})
	}
}

// awaitAnnounced asks a DHT node for peers of key until it knows one. Every
// answer must carry a token.
func (a *arena) awaitAnnounced(ctx context.Context, node netip.AddrPort, key content.SHA1) {
	a.t.Helper()
	conn, err := a.host().ListenPacket(6881)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	query := bencode.Append(nil, map[string]any{
		"t": "tt", "y": "q", "q": "get_peers", "ro": 1, // BEP 43: not a node to remember
		"a": map[string]any{"id": strings.Repeat("q", 20), "info_hash": key[:]},
	})
	buf, answers := make([]byte, 2048), 0
	for ctx.Err() == nil {
		if _, err := conn.WriteTo(query, net.UDPAddrFromAddrPort(node)); err != nil {
			a.t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			continue // not up yet
		}
		answer, err := bencode.Decode(buf[:n], bencode.Options{Unsorted: true})
		if err != nil {
			continue
		}
		r, ok := answer.Dict("r")
		if !ok {
			continue // a query of its own
		}
		answers++
		if _, ok := r.Dict("token"); !ok {
			a.t.Fatalf("%s answers get_peers without a token: %q", node, buf[:n])
		}
		if _, ok := r.Dict("values"); ok {
			return
		}
		<-time.After(300 * time.Millisecond)
	}
	a.t.Fatalf("nobody announced to %s, which answered %d times: %v", node, answers, ctx.Err())
}
