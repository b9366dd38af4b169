package hybrid

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARevokedLinkEndsWithinSeconds: with the server up, nodes that fetch and nodes
// that hold everything stop serving; and it stays so when the server is gone.
func TestARevokedLinkEndsWithinSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 21)
	holder := w.get("holder", l.Link, "--up-limit", "256KiB")
	holder.complete(file)
	n := w.get("b", l.Link, "--peer", holder.addr(), "--down-limit", "256KiB")
	n.past(0.1)
	if err := w.Revoke(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if said := n.fails(); !strings.Contains(said, "revoked") && !strings.Contains(said, "taken back") && !strings.Contains(said, "ended") {
		t.Errorf("the user is not told why: %s", said)
	}
	w.Server.Kill()
	w.front.cut()
	late := w.get("late", l.Link, "--peer", holder.addr(), "--patience", "3s")
	late.fails()
	if _, err := os.Stat(filepath.Join(late.got, "file.bin")); err == nil {
		t.Error("a node got the file of a revoked link")
	}
}

// TestAFileOfACollectionOutlivesItsServer: who got a capability before goes on with
// others who did; who has none gets nothing from them.
func TestAFileOfACollectionOutlivesItsServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, _ := w.publish(size, 22)
	args := []string{"get", "c/file.bin", "--keep-seeding", "forever"}
	holder := w.startAs("holder", w.login, append(args, "--dir", filepath.Join(w.dir, "holder"), "--up-limit", "2MiB")...)
	holder.complete(file)
	args = append(args, "--peer", holder.addr(), "--down-limit", "2MiB")
	b := w.startAs("b", w.login, append(args, "--dir", filepath.Join(w.dir, "b"))...)
	b.past(0.2)
	w.Server.Kill()
	w.front.cut()
	b.complete(file)
	late := w.startAs("late", w.login, append(args, "--dir", filepath.Join(w.dir, "late"), "--patience", "3s")...)
	late.fails()
	if _, err := os.Stat(filepath.Join(late.got, "file.bin")); err == nil {
		t.Error("a node without a capability got a file of a collection")
	}
}

// TestALinkWithAPasswordOutlivesItsServer is the same for links that no ticket goes with.
func TestALinkWithAPasswordOutlivesItsServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 23, "--password-file", filepath.Join(w.dir, "server", "password"))
	if l.Link != l.URL && l.Link != "" {
		t.Fatalf("a link with a password has the fragment of %s", l.Link)
	}
	ask := []string{"--password-file", filepath.Join(w.dir, "server", "password"), "--down-limit", "2MiB"}
	holder := w.get("holder", l.URL, ask[0], ask[1], "--up-limit", "2MiB")
	holder.complete(file)
	b := w.get("b", l.URL, append(ask, "--peer", holder.addr())...)
	b.past(0.2)
	w.Server.Kill()
	w.front.cut()
	b.complete(file)
}

// TestASharerServesWhileItUploads: the server need not have the content yet.
func TestASharerServesWhileItUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, _ := w.publish(size, 24)
	sharer := w.startAs("sharer", w.login, "share", file, "--server", w.URL, "--to", "c/shared.bin", "--up-limit", "1MiB")
	link := sharer.await("ready", func(e event) bool { return e.Event == "ready" }).Link
	if link == "" {
		t.Fatal("share names no link")
	}
	n := w.get("b", link)
	n.await("complete", func(e event) bool { return e.Event == "complete" })
	sharer.await("stored", func(e event) bool { return e.Event == "upload" && e.State == "stored" })
}
