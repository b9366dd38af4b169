package interop

import (
	"testing"
	"time"

	"tandem/test/peers"
)

// TestLAN finds the seeder by multicast alone (BEP 14).
func TestLAN(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	dir, tor, path := a.content(false, peers.Hybrid)
	a.start(peers.Tandem, peers.Job{Host: a.host(), Torrent: path, Dir: dir, Seed: true, LAN: true})
	leech := a.start(peers.Tandem, peers.Job{Host: a.host(), Magnet: magnetOf(tor), LAN: true})
	if err := leech.Wait(deadline(t, 60*time.Second)); err != nil {
		t.Fatal(err)
	}
	a.same(dir, leech)
}

// TestSwarmOutlivesItsSeederAndTracker starts with a tracker and a seeder, takes
// both away, and lets a late node in that knows one of those who stayed: it
// learns of the others from it (BEP 11) and finishes.
func TestSwarmOutlivesItsSeederAndTracker(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	url := a.track()
	dir, tor, path := a.content(false, peers.Hybrid, url)
	seed := a.start(peers.Tandem, peers.Job{Host: a.host(), Torrent: path, Dir: dir, Seed: true})
	first := a.start(peers.Tandem, peers.Job{Host: a.host(), Torrent: path})
	second := a.start(peers.Tandem, peers.Job{Host: a.host(), Torrent: path})
	for _, p := range []*peers.Proc{first, second} {
		if err := p.Wait(deadline(t, 60*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	seed.Kill()
	if err := a.tracker.Close(); err != nil {
		t.Fatal(err)
	}
	late := a.start(peers.Tandem, peers.Job{Host: a.host(), Magnet: magnetOf(tor), Peers: []string{first.Job.Host.Addr.String() + ":6881"}})
	if err := late.Wait(deadline(t, 60*time.Second)); err != nil {
		t.Fatal(err)
	}
	a.same(dir, first, second, late)
}
