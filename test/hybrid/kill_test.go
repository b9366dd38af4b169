package hybrid

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

const size = 6 << 20

// TestTheShareOutlivesItsServer kills the server at three moments, counted in what
// it has sent (or, when others give too, a node has got), with and without a full copy
// among the nodes that live.
func TestTheShareOutlivesItsServer(t *testing.T) {
	for _, part := range []float64{0, 0.40, 0.95} {
		for _, full := range []bool{true, false} {
			name := fmt.Sprintf("killed at %.0f %%, with a full copy among live nodes", 100*part)
			if !full {
				name = fmt.Sprintf("killed at %.0f %%, without a full copy", 100*part)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				killed(t, part, full)
			})
		}
	}
}

func killed(t *testing.T, part float64, full bool) {
	w := newWorld(t)
	file, l := w.publish(size, 1)
	var args []string
	if full {
		holder := w.get("holder", l.Link, "--up-limit", "2MiB")
		holder.complete(file)
		args = []string{"--peer", holder.addr()} // what the DHT or the LAN would tell
	} else {
		args = []string{"--patience", "4s"}
	}
	dead := make(chan struct{})
	kill := sync.OnceFunc(func() {
		w.Server.Kill()
		w.front.cut()
		close(dead)
	})
	if part == 0 {
		kill()
	} else {
		w.front.after(int64(part*size), kill)
	}
	// Slow enough that the server is needed until it dies.
	nodes := []*node{w.get("b", l.Link, append(args, "--down-limit", "2MiB")...), w.get("c", l.Link, append(args, "--down-limit", "2MiB")...)}
	if full {
		nodes[0].past(part) // the holder gives too: the server may never come to send so much
		kill()
	}
	w.until("the server is dead", dead)
	for _, n := range nodes {
		if full {
			n.complete(file)
			continue
		}
		said := n.fails()
		if part == 0 {
			continue // nothing was ever there: an error, and no more is known
		}
		for _, want := range []string{"missing", "piece", w.front.addr} { // the server had them last
			if !strings.Contains(said, want) {
				t.Errorf("%s ends without %q: %s", n.name, want, said)
			}
		}
	}
}

// TestTheLastNodeThatHadAPieceIsNamed: first the server goes, then the only node
// that had the rest.
func TestTheLastNodeThatHadAPieceIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 4)
	holder := w.get("holder", l.Link, "--up-limit", "512KiB")
	holder.complete(file)
	who := holder.await("listening", func(e event) bool { return e.Event == "listening" }).Node
	b := w.get("b", l.Link, "--peer", holder.addr(), "--down-limit", "1MiB", "--patience", "7s")
	b.past(0.2)
	w.Server.Kill()
	w.front.cut()
	b.past(0.5)
	holder.kill()
	ev := b.await("missing pieces", func(e event) bool { return e.Event == "missing" && len(e.Pieces) > 0 })
	for _, p := range ev.Pieces {
		if p.Holder != who || p.Last < p.First || p.First < 0 {
			t.Errorf("pieces %d to %d were last at %q, not at %s", p.First, p.Last, p.Holder, who)
		}
	}
	if said := b.fails(); !strings.Contains(said, "missing") || !strings.Contains(said, who) {
		t.Errorf("the user is not told who had them: %s", said)
	}
}

// TestALateNodeNeedsOnlyTheLink joins when the server is gone, from the link's text
// alone as it was handed out last.
func TestALateNodeNeedsOnlyTheLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 2)
	first := w.get("first", l.Link)
	first.complete(file)
	fresh, err := w.ShowLink(t.Context(), l) // names who is there now
	if err != nil {
		t.Fatal(err)
	}
	w.Server.Kill()
	w.front.cut()
	late := w.get("late", fresh.Link)
	if ev := late.complete(file); ev.FromOrigin != 0 || ev.FromPeers != size {
		t.Errorf("%d bytes from the server, %d from peers", ev.FromOrigin, ev.FromPeers)
	}
}

// TestTheServerComesBack: what was waiting goes on unasked.
func TestTheServerComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 3)
	gone := make(chan struct{})
	w.front.after(size/2, func() {
		w.front.to("")
		w.front.cut()
		close(gone)
	})
	n := w.get("b", l.Link)
	w.until("the server has sent half", gone)
	n.await("waiting for the server", func(e event) bool {
		return e.Event == "missing" || e.Event == "warning" && strings.Contains(e.Message, "the server is away")
	})
	w.front.to(strings.TrimPrefix(w.URL, "http://"))
	n.complete(file)
}
