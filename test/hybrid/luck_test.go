package hybrid

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/internal/metainfo"
	"tandem/test/peers"
)

// TestAProxyThatStripsRanges: whole files are all that gets through it.
func TestAProxyThatStripsRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Range")
		r.Out.Header.Del("If-Range")
	}})
	t.Cleanup(proxy.Close)
	file, l := w.publish(size, 11)
	w.front.to(strings.TrimPrefix(proxy.URL, "http://"))
	n := w.get("b", l.Link)
	n.complete(file)
	if sent := w.front.sent.Load(); sent > 3*size {
		t.Errorf("the server sent %d bytes for a file of %d", sent, size)
	}
}

// TestAFileReplacedOnTheServer: the link's own version arrives, or the user hears
// of a newer one; never a mix.
func TestAFileReplacedOnTheServer(t *testing.T) {
	for _, full := range []bool{true, false} {
		name := "nobody has the old one"
		if full {
			name = "a node has the old one"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			file, l := w.publish(size, 12)
			args := []string{"--down-limit", "512KiB"} // ten seconds are left to replace it
			if full {
				h := w.get("holder", l.Link, "--up-limit", "3MiB")
				h.complete(file)
				args = []string{"--down-limit", "2MiB", "--peer", h.addr()}
			}
			other := filepath.Join(w.dir, "other", "file.bin")
			if err := peers.WriteRandom(other, size, 13); err != nil {
				t.Fatal(err)
			}
			n := w.get("b", l.Link, append(args, "--patience", "5s")...)
			n.past(0.1)
			w.must("put", other, "c")
			if full {
				n.complete(file)
				return
			}
			if said := n.fails(); !strings.Contains(said, "newer") {
				t.Errorf("the user is not told of a newer version: %s", said)
			}
			if _, err := os.Stat(filepath.Join(n.got, "file.bin")); err == nil {
				t.Error("a file of two versions was put in place")
			}
		})
	}
}

// TestATrackerFloodedWithFakePeers: addresses that nobody answers at cost little.
func TestATrackerFloodedWithFakePeers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file, l := w.publish(size, 14, "--audience", "public")
	tor := fetchTorrent(t, l.URL+".torrent")
	if len(tor.Trackers) == 0 || len(tor.WebSeeds) == 0 {
		t.Fatalf("the .torrent names the trackers %v and the web seeds %v", tor.Trackers, tor.WebSeeds)
	}
	for i := range 300 {
		q := url.Values{
			"info_hash": {string(tor.Manifest.InfoHash1[:])}, "peer_id": {fmt.Sprintf("-XX0000-%012d", i)},
			"port": {fmt.Sprint(2 + i)}, "uploaded": {"0"}, "downloaded": {"0"}, "left": {"0"}, "compact": {"1"}, "event": {"started"},
		}
		r, err := http.Get(tor.Trackers[0][0] + "?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	holder := w.get("holder", l.Link)
	n := w.get("b", l.Link)
	holder.complete(file)
	n.complete(file)
}

func fetchTorrent(t *testing.T, url string) *metainfo.Torrent {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, r.Status)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return tor
}
