package hybrid

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/peers"
)

// TestWhenTheCrowdIsGoneTheServerAloneGives: two who come together are a crowd for a
// server that knows no uplink of its own, and take from each other; who comes when
// they have had it for a while fetches from the server as if nobody else were there.
func TestWhenTheCrowdIsGoneTheServerAloneGives(t *testing.T) {
	t.Parallel()
	const content = 2 << 20
	s := newStage(t)
	_, file, l := s.serve(real.Link{Up: 16e6, Apart: true}, content)
	job := func() peers.Job {
		return peers.Job{Host: s.host(real.Link{Up: 16e6, Down: 80e6, Apart: true}), Magnet: l.Link, Args: []string{"--verbose"}}
	}
	jobs := []peers.Job{job(), job(), job()}
	a, b := s.start(peers.Tandem, jobs[0]), s.start(peers.Tandem, jobs[1])
	s.wait(file, a, b)
	if x, y := s.sources(a), s.sources(b); x.FromPeers+y.FromPeers == 0 {
		t.Errorf("a crowd of two took nothing from each other: %+v, %+v", x, y)
	}
	s.said(a, "peers that are not near", "used=false") // at the server's word: both are complete
	late := s.start(peers.Tandem, jobs[2])
	s.wait(file, late)
	if e := s.sources(late); e.FromOrigin != content || e.FromPeers != 0 {
		t.Errorf("alone, it got %d bytes from the server and %d from peers", e.FromOrigin, e.FromPeers)
	}
}

// sources is what a node said when it was complete.
func (s *stage) sources(p *peers.Proc) event {
	s.t.Helper()
	log, err := os.ReadFile(p.LogPath())
	if err != nil {
		s.t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Event == "complete" {
			return e
		}
	}
	s.t.Fatalf("%s did not say that it is complete", p.Job.Host.Name)
	return event{}
}

// said waits until the last line of a node's log with the words has the others too.
func (s *stage) said(p *peers.Proc, words, and string) {
	s.t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for over := time.After(patience); ; {
		log, err := os.ReadFile(p.LogPath())
		if err != nil {
			s.t.Fatal(err)
		}
		last := ""
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, words) {
				last = line
			}
		}
		if strings.Contains(last, and) {
			return
		}
		select {
		case <-look.C:
		case <-over:
			s.t.Fatalf("%s has not said %q of %q after %s: %q", p.Job.Host.Name, and, words, patience, last)
		}
	}
}

// TestADetachedGetGoesOnWithoutItsServer: a running node was given the link, the server
// dies, and the node is killed and started again: it goes on from what it had written
// down, with a node that has the rest.
func TestADetachedGetGoesOnWithoutItsServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 5)
	holder := w.get("holder", l.Link, "--up-limit", "2MiB")
	holder.complete(file)
	got := filepath.Join(w.dir, "got", filepath.Base(file))
	first := w.start("node", "node")
	first.addr()
	begun := make(chan struct{})
	w.front.after(size/8, func() { close(begun) })
	given := w.start("node", "get", l.Link, "--detach", "--dir", filepath.Dir(got), "--down-limit", "2MiB", "--peer", holder.addr())
	if w.until("it is handed over", given.done); given.err != nil {
		t.Fatalf("%v: %s", given.err, given.errs.String())
	}
	w.until("the server gives", begun)
	w.Server.Kill()
	w.front.cut()
	first.kill()
	if _, err := os.Stat(got); err == nil {
		t.Fatal("it was complete before the server died")
	}

	w.start("node", "node").addr()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for over := time.After(patience); ; {
		if _, err := os.Stat(got); err == nil {
			break
		}
		select {
		case <-look.C:
		case <-over:
			t.Fatalf("not complete %s after the node was started again", patience)
		}
	}
	same(t, file, got)
}
