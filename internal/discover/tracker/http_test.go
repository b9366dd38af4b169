package tracker

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

const onePeer = "d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x50e"

// ask announces once to rawURL. In names, global.test is at 203.0.113.7, which
// leads to at, and local.test is at 127.0.0.1.
func ask(t *testing.T, rawURL, at string) ([]discover.Found, error) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New([][]string{{rawURL}}, Options{Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "global.test":
			return []netip.Addr{netip.MustParseAddr("203.0.113.7")}, nil
		case "local.test":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return nil, fmt.Errorf("no such name")
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "203.0.113.7:") {
			address = at
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	var found []discover.Found
	_, err = c.announceTo(t.Context(), u, sample, "", func(f discover.Found) { found = append(found, f) })
	return found, err
}

// serve runs an HTTP server that answers with body.
func serve(t *testing.T, h http.HandlerFunc) (host string) {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func body(b string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(b)) }
}

func TestAnnounceTellsEverything(t *testing.T) {
	var query, agent, path string
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query, agent, path = r.URL.RawQuery, r.UserAgent(), r.URL.Path
		w.Write([]byte(onePeer))
	})
	found, err := ask(t, "http://"+host+"/x/announce?passkey=a%20b", "")
	if err != nil || len(found) != 1 || found[0].Addr.String() != "1.2.3.4:80" || found[0].Global {
		t.Fatal(found, err)
	}
	want := "passkey=a%20b&info_hash=%01%02%03" + strings.Repeat("%00", 17) + "&peer_id=-TD" + strings.Repeat("%00", 17) +
		"&port=6881&uploaded=9&downloaded=1099511627776&left=7&numwant=-1&compact=1&no_peer_id=1&key=deadbeef&event=started"
	if query != want || agent != "tandem" || path != "/x/announce" {
		t.Fatalf("%s\n%s\n%s", query, agent, path)
	}
	r, compact, err := parseQuery(query)
	if err != nil || !compact || r.Key != sample.Key || r.PeerID != sample.PeerID || r.Port != 6881 || r.Left != 7 || r.Event != eventStarted || r.NumWant != -1 {
		t.Fatalf("the server reads %+v, %v", r, err)
	}
}

func TestAnnounceRefusesBadAnswers(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 3<<20))
	z.Close()
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		kind    fault.Kind
		text    string
	}{
		{"an answer without end is cut", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, fault.Protocol, "larger"},
		{"a gzip bomb is cut", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, fault.Protocol, "larger"},
		{"a page is not an answer", body("<html><script>"), fault.Protocol, "tracker's answer"},
		{"a failure is printable", body("d14:failure reason6:\x1b[2Jx\ne"), fault.Refused, "tracker says: ?[2Jx?"},
		{"a failure counts with any status", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte("d14:failure reason2:noe"))
		}, fault.Refused, "tracker says: no"},
		{"another status is named", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) }, fault.Protocol, "status 404"},
		{"a redirect loop ends", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, fault.Protocol, "redirects"},
		{"a redirect to a file is refused", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, fault.Refused, "scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := ask(t, "http://"+serve(t, c.handler)+"/secret", "")
			if len(found) != 0 || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%v, kind %v: %v", found, fault.KindOf(err), err)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "info_hash") {
				t.Fatalf("the error tells the URL: %v", err)
			}
		})
	}
}

func TestGzipIsRead(t *testing.T) {
	found, err := ask(t, "http://"+serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write([]byte(onePeer))
		z.Close()
	}), "")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
}

// A tracker on the Internet must not steer us at our own network, neither by
// its peers nor by a redirect (security.md, section 3).
func TestTheInternetDoesNotLeadIntoTheLocalNetwork(t *testing.T) {
	mixed := body("d5:peers24:\x01\x02\x03\x04\x00\x50\x7f\x00\x00\x01\x00\x50\x0a\x00\x00\x01\x00\x50\xa9\xfe\xa9\xfe\x00\x50e")
	at := serve(t, mixed)
	_, port, _ := net.SplitHostPort(at)

	found, err := ask(t, "http://global.test/announce", at)
	if err != nil || len(found) != 1 || found[0].Addr.String() != "1.2.3.4:80" || !found[0].Global {
		t.Fatalf("a global tracker named %v, %v", found, err)
	}
	found, err = ask(t, "http://local.test:"+port+"/announce", "")
	if err != nil || len(found) != 4 || found[0].Global {
		t.Fatalf("a local tracker named %v, %v", found, err)
	}

	asked := false
	victim := serve(t, func(w http.ResponseWriter, r *http.Request) { asked = true })
	_, port, _ = net.SplitHostPort(victim)
	for _, target := range []string{"http://" + victim + "/admin", "http://local.test:" + port + "/admin"} {
		lure := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		if found, err := ask(t, "http://global.test/announce", lure); !errors.Is(err, fault.Refused) || len(found) != 0 {
			t.Fatalf("redirect to %s: %v, %v", target, found, err)
		}
	}
	if asked {
		t.Fatal("the local server was asked")
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	to := serve(t, body(onePeer))
	from := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+to+"/?"+r.URL.RawQuery, http.StatusFound)
	})
	if found, err := ask(t, "http://"+from, ""); err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
}

func TestUnknownCertificateIsRefused(t *testing.T) {
	srv := httptest.NewUnstartedServer(body(onePeer))
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	t.Cleanup(srv.Close)
	if found, err := ask(t, srv.URL, ""); err == nil || len(found) != 0 {
		t.Fatal("a tracker with an unknown certificate was believed:", found)
	}
}

func TestAnAbsentTrackerIsUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := ask(t, "http://"+l.Addr().String(), ""); !errors.Is(err, fault.Unreachable) {
		t.Fatal(err)
	}
	if _, err := ask(t, "http://nowhere.test", ""); !errors.Is(err, fault.Unreachable) {
		t.Fatal(err)
	}
}

func TestTheLimitIsShared(t *testing.T) {
	limit := NewLimit(1)
	limit <- struct{}{} // somebody else announces
	c, err := New([][]string{{"http://127.0.0.1:1"}}, Options{Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.announceTo(ctx, c.tiers[0][0], sample, "", nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
