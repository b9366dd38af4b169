package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// scripted answers with its steps in turn, the last one again and again.
func scripted(t *testing.T, k *clock, steps ...http.HandlerFunc) *Client {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		step := steps[min(n, len(steps)-1)]
		n++
		step(w, r)
	}))
	t.Cleanup(s.Close)
	return newClient(t, s.URL, k)
}

func refusing(status int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		problem(w, status, "", "not now")
	}
}

func fine(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(api.Me{}) }

func broken(w http.ResponseWriter, _ *http.Request) { cut(w) }

func TestWhatPassesIsWaitedFor(t *testing.T) {
	const works = fault.Kind(255)
	sec := time.Second
	for _, c := range []struct {
		name  string
		steps []http.HandlerFunc
		waits []time.Duration
		kind  fault.Kind
	}{
		{"the server says how long", []http.HandlerFunc{refusing(503, "7"), fine}, []time.Duration{7 * sec}, works},
		{"too many attempts, soon over", []http.HandlerFunc{refusing(429, "30"), fine}, []time.Duration{30 * sec}, works},
		{"too many attempts, over much later", []http.HandlerFunc{refusing(429, "300"), fine}, nil, fault.Limited},
		{"waits add up to a minute", []http.HandlerFunc{refusing(423, "25")}, []time.Duration{25 * sec, 25 * sec}, fault.Busy},
		{"without a word it waits longer each time", []http.HandlerFunc{refusing(423, ""), refusing(502, ""), refusing(504, ""), fine}, []time.Duration{sec / 4, sec / 2, sec}, works},
		{"a connection that breaks", []http.HandlerFunc{broken, fine}, []time.Duration{sec / 4}, works},
		{"an error of the server's is not tried again", []http.HandlerFunc{refusing(500, ""), fine}, nil, fault.Other},
		{"nor is a refusal", []http.HandlerFunc{refusing(403, "5"), fine}, nil, fault.Permission},
		{"nonsense is no time", []http.HandlerFunc{refusing(503, "soon"), fine}, []time.Duration{sec / 4}, works},
		{"nor is a time of the past", []http.HandlerFunc{refusing(503, "-5"), fine}, []time.Duration{sec / 4}, works},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			_, err := scripted(t, k, c.steps...).Me(t.Context())
			if (c.kind == works) != (err == nil) || c.kind != works && fault.KindOf(err) != c.kind {
				t.Errorf("got %v", err)
			}
			if len(k.waits) != len(c.waits) {
				t.Fatalf("waited %v, want %v", k.waits, c.waits)
			}
			for i := range c.waits {
				if k.waits[i] != c.waits[i] {
					t.Fatalf("waited %v, want %v", k.waits, c.waits)
				}
			}
		})
	}
}

func TestWhatMayHaveBeenDoneIsNotDoneTwice(t *testing.T) {
	var n atomic.Int32
	c := scripted(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		cut(w)
	})
	if _, err := c.CreateCollection(t.Context(), "x"); fault.KindOf(err) != fault.Unreachable || n.Load() != 1 {
		t.Fatalf("%v after %d requests", err, n.Load())
	}
}

func TestNobodyThereIsSaidSoon(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	k := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	began := k.at
	_, err = newClient(t, url, k).Me(t.Context())
	if fault.KindOf(err) != fault.Unreachable || !IsLost(err) {
		t.Errorf("got %v", err)
	}
	if took := k.at.Sub(began); took > firstPatience {
		t.Errorf("it took %s", took)
	}
}

func TestPlainHTTPBehindHTTPSIsSaid(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(fine))
	defer s.Close()
	_, err := newClient(t, strings.Replace(s.URL, "http:", "https:", 1), nil).Me(t.Context())
	if !errors.Is(err, ErrNoTLS) || IsLost(err) {
		t.Fatalf("got %v", err)
	}
}

func TestAnInterruptEndsWaiting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	c := scripted(t, nil, func(w http.ResponseWriter, r *http.Request) {
		stop()
		refusing(503, "5")(w, r)
	})
	_, err := c.Me(ctx)
	if !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Closed {
		t.Fatalf("got %v", err)
	}
}

func TestProblemsKeepWhatTheServerSaid(t *testing.T) {
	for _, c := range []struct {
		name, kind, detail string
		status             int
		want               fault.Kind
		text               string
	}{
		{"the kind that was named", "quota", "10 B too many", 413, fault.Quota, "10 B too many"},
		{"a kind of the future goes by the status", "sunspots", "", 410, fault.Gone, "410 Gone"},
		{"another's page goes by the status", "", "", 507, fault.Full, "507"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := scripted(t, nil, func(w http.ResponseWriter, _ *http.Request) { problem(w, c.status, c.kind, c.detail) })
			_, err := cl.Me(t.Context())
			if fault.KindOf(err) != c.want || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got %v of kind %s", err, fault.KindOf(err))
			}
		})
	}
}

func TestASecretIsNotTakenElsewhere(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(other.Close)
	c := scripted(t, nil, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Me(t.Context()); !errors.Is(err, ErrElsewhere) || asked != 0 {
		t.Fatalf("%v; the other was asked %d times", err, asked)
	}
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"https://Files.Example":      "https://files.example",
		"https://files.example:443/": "https://files.example",
		"http://127.0.0.1:7780":      "http://127.0.0.1:7780",
		"https://a.example/tandem//": "https://a.example/tandem",
		"ftp://a.example":            "",
		"a.example":                  "",
		"https://u:p@a.example":      "",
		"https://":                   "",
		"https://a.example/?x=1":     "",
	} {
		c, err := New(Config{URL: text})
		if want == "" {
			if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), ":p@") {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil || c.URL() != want {
			t.Errorf("%s is %v (%v), want %s", text, c, err, want)
		}
	}
}

func TestLinks(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example/s/TOK":              "https://a.example TOK",
		"https://a.example/s/TOK/download":     "https://a.example TOK",
		"https://a.example/s/TOK.torrent":      "https://a.example TOK",
		"http://a.example:1/x/s/TOK/files/a/b": "http://a.example:1/x TOK",
		"https://a.example/s/":                 "",
		"https://a.example/x":                  "",
		"team/s/report":                        "",
		"magnet:?xt=urn:btih:00":               "",
	} {
		server, token, ok := SplitLink(text)
		if got := strings.TrimSpace(server + " " + token); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

// FuzzAnswers feeds everything that reads what a server says.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"kind":"quota","detail":"x","status":413}`, "bytes 5-9/10", "sha-256=:AAAA:")
	f.Add("[]", "bytes 0-0/1", `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`)
	f.Add(`{"peers":["1.2.3.4:5"],"taken":"AA==","after":-5}`, "", "")
	f.Add(`{"type":"tag:tandem,2026:problem/full","status":507}`, "bytes */3", "")
	f.Fuzz(func(t *testing.T, body, span, digest string) {
		header := http.Header{"Content-Type": {"application/problem+json"}, "Repr-Digest": {digest}, "Etag": {digest}, "Retry-After": {span}}
		rec := httptest.NewRecorder()
		_, _ = rec.WriteString(body)
		res := rec.Result()
		res.StatusCode, res.Header = 503, header
		if err := readProblem(res); err == nil || err.Error() == "" {
			t.Fatal("a failure is none")
		}
		if start, size, ok := contentRange(span); ok && (start < 0 || start >= size) {
			t.Fatalf("%q is %d of %d", span, start, size)
		}
		if sum := digestOf(header); sum != "" && !isSum(sum) {
			t.Fatalf("%q is no hash", sum)
		}
		if s := seconds(header); s < 0 {
			t.Fatal("a time of the past")
		}
		_ = readJSON(strings.NewReader(body), new(api.Listing))
		var away *Elsewhere
		if err := readElsewhere(&http.Response{Body: io.NopCloser(strings.NewReader(body))}); err == nil ||
			errors.As(err, &away) && (away.Pause() < 0 || len(away.Addrs()) > maxAddrs) {
			t.Fatalf("elsewhere is %v", err)
		}
	})
}
