package hybrid

import (
	"testing"

	"tandem/internal/lab/real"
	"tandem/test/peers"
)

// TestKilledOnShapedLinks kills the server when a little more than one copy has
// left its uplink: everybody finishes.
func TestKilledOnShapedLinks(t *testing.T) {
	t.Parallel()
	const n, content = 6, 8 << 20
	s := newStage(t)
	server, file, l := s.serve(real.Link{Up: 16e6, Apart: true}, content)
	var procs []*peers.Proc
	for range n {
		procs = append(procs, s.start(peers.Tandem, peers.Job{Host: s.host(real.Link{Up: 8e6, Down: 40e6, Apart: true}), Magnet: l.Link}))
	}
	for _, p := range procs { // who comes after the end finds nobody
		s.until(p.Job.Host.Name+" takes part", p.Job.Host, func(l real.Traffic) bool { return l.Received.Payload() > content/16 })
	}
	s.until("a copy is out", s.origin, func(l real.Traffic) bool { return l.Sent.Payload() > content*135/100 })
	server.Kill()
	s.wait(file, procs...)
}
