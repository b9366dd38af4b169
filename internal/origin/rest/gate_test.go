package rest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"tandem/internal/origin"
)

// bare is a Handler over a Server that is never reached.
func bare(t *testing.T, change func(*Config)) *Handler {
	t.Helper()
	cfg := Config{Server: &origin.Server{}, Pages: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Seen-Remote", Remote(r.Context()).String())
		w.Header().Set("Seen-Request", RequestID(r.Context()))
		w.Header().Set("Seen-Base", BaseURL(r))
		if Secure(r) {
			w.Header().Set("Seen-Secure", "yes")
		}
	})}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "192.0.2.1:1234"
	r.Host = "localhost"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// N1: a name that was made to lead here does not get in, whoever asks.
func TestHost(t *testing.T) {
	public, err := url.Parse("https://Files.example:8443")
	if err != nil {
		t.Fatal(err)
	}
	h := bare(t, func(c *Config) { c.PublicURL, c.Hosts = public, []string{"Box"} })
	for _, c := range []struct {
		host string
		want int
	}{
		{"files.example", 200},
		{"files.example:8443", 200},
		{"FILES.example.:1", 200},
		{"box", 200},
		{"localhost:80", 200},
		{"127.0.0.1:80", 200},
		{"[::1]:80", 200},
		{"::1", 403},
		{"evil.example", 403},
		{"files.example.evil.example", 403},
		{"files.example@evil.example", 403},
		{"evil.example:8443", 403},
		{"localhost.evil.example", 403},
		{"127.0.0.1.evil.example", 403},
		{"", 403},
		{"files.example/x", 403},
		{"a b", 403},
	} {
		t.Run(c.host, func(t *testing.T) {
			for _, credential := range []string{"", "Bearer tds_x"} {
				w := ask(h, "GET", "/", func(r *http.Request) {
					r.Host = c.host
					r.Header.Set("Authorization", credential)
				})
				if w.Code != c.want {
					t.Errorf("with credential %q: %d, want %d", credential, w.Code, c.want)
				}
			}
			if w := ask(h, "GET", healthPath, func(r *http.Request) { r.Host = c.host }); w.Code != 200 {
				t.Errorf("health is asked for by any name, and answers %d", w.Code)
			}
		})
	}
}

// N2: what a page of another site has a browser send changes nothing.
func TestOrigin(t *testing.T) {
	public, err := url.Parse("https://files.example")
	if err != nil {
		t.Fatal(err)
	}
	h := bare(t, func(c *Config) { c.PublicURL = public })
	for _, c := range []struct {
		name, method, site, origin string
		want                       int
	}{
		{"a program sends neither", "POST", "", "", 200},
		{"our own page", "POST", "same-origin", "http://localhost", 200},
		{"our own page in an old browser", "POST", "", "http://localhost", 200},
		{"our own page, by the public name, through a proxy", "POST", "", "https://files.example", 200},
		{"typed by the user", "POST", "none", "", 200},
		{"another site", "POST", "cross-site", "https://evil.example", 403},
		{"another site beside ours", "POST", "same-site", "https://x.files.example", 403},
		{"another site in an old browser", "POST", "", "https://evil.example", 403},
		{"a page without an origin", "POST", "", "null", 403},
		{"another site may link here", "GET", "cross-site", "https://evil.example", 200},
		{"another site deletes", "DELETE", "cross-site", "https://evil.example", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(h, c.method, "/", func(r *http.Request) {
				if c.site != "" {
					r.Header.Set("Sec-Fetch-Site", c.site)
				}
				if c.origin != "" {
					r.Header.Set("Origin", c.origin)
				}
			})
			if w.Code != c.want {
				t.Errorf("%d, want %d", w.Code, c.want)
			}
		})
	}
}

func TestWhoAsks(t *testing.T) {
	const proxy, inner = "192.0.2.1", "10.0.0.7"
	h := bare(t, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(proxy + "/32"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, c := range []struct {
		name, peer string
		header     http.Header
		want       string
		base       string
	}{
		{"nobody in between", "203.0.113.5", nil, "203.0.113.5", "http://localhost"},
		{"IPv4 in IPv6", "[::ffff:203.0.113.5]", nil, "203.0.113.5", "http://localhost"},
		{"a stranger says who it is", "203.0.113.5", http.Header{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}}, "203.0.113.5", "http://localhost"},
		{"a stranger says it the new way", "203.0.113.5", http.Header{"Forwarded": {"for=198.51.100.1;proto=https;host=evil.example"}}, "203.0.113.5", "http://localhost"},
		{"a proxy says", proxy, http.Header{"X-Forwarded-For": {"203.0.113.5"}, "X-Forwarded-Proto": {"https"}}, "203.0.113.5", "https://localhost"},
		{"the client invented some before", proxy, http.Header{"X-Forwarded-For": {"198.51.100.1, 203.0.113.5"}}, "203.0.113.5", "http://localhost"},
		{"in two lines", proxy, http.Header{"X-Forwarded-For": {"198.51.100.1", "203.0.113.5"}}, "203.0.113.5", "http://localhost"},
		{"two proxies", proxy, http.Header{"X-Forwarded-For": {"198.51.100.1, 203.0.113.5, " + inner}}, "203.0.113.5", "http://localhost"},
		{"only proxies", proxy, http.Header{"X-Forwarded-For": {inner}}, inner, "http://localhost"},
		{"nothing that is an address", proxy, http.Header{"X-Forwarded-For": {"unknown"}}, proxy, "http://localhost"},
		{"the new way", proxy, http.Header{"Forwarded": {`for="[2001:db8::1]:4711";proto=https;host="127.0.0.1:8"`}}, "2001:db8::1", "https://127.0.0.1:8"},
		{"the new way, twice", proxy, http.Header{"Forwarded": {`for=198.51.100.1, for=203.0.113.5;proto=http`}}, "203.0.113.5", "http://localhost"},
		{"the new way goes before the old", proxy, http.Header{"Forwarded": {"for=203.0.113.5"}, "X-Forwarded-For": {"198.51.100.1"}}, "203.0.113.5", "http://localhost"},
		{"a hidden name", proxy, http.Header{"Forwarded": {"for=_hidden"}}, proxy, "http://localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(h, "GET", "/", func(r *http.Request) {
				r.RemoteAddr = c.peer + ":4711"
				for k, v := range c.header {
					r.Header[k] = v
				}
			})
			if got := w.Header().Get("Seen-Remote"); got != c.want {
				t.Errorf("took the client for %s, it is %s", got, c.want)
			}
			if got := w.Header().Get("Seen-Base"); got != c.base {
				t.Errorf("links begin with %s, want %s", got, c.base)
			}
		})
	}
}

func TestForwardedHostIsChecked(t *testing.T) {
	h := bare(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} })
	w := ask(h, "GET", "/", func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.example") })
	if w.Code != 403 {
		t.Errorf("a proxy that passes a foreign Host on gets %d", w.Code)
	}
}

func TestRequestID(t *testing.T) {
	h := bare(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")} })
	id := func(peer, sent string) string {
		return ask(h, "GET", "/", func(r *http.Request) {
			r.RemoteAddr = peer
			r.Header.Set("X-Request-ID", sent)
		}).Header().Get("Seen-Request")
	}
	if got := id("10.0.0.1:1", "from.proxy-1"); got != "from.proxy-1" {
		t.Errorf("a trusted proxy's ID became %q", got)
	}
	for _, sent := range []string{"a b", "a\nb", strings.Repeat("x", 65), ""} {
		if got := id("10.0.0.1:1", sent); got == sent || got == "" {
			t.Errorf("%q was taken for an ID, or none was made: %q", sent, got)
		}
	}
	first, second := id("192.0.2.9:1", "mine"), id("192.0.2.9:1", "mine")
	if first == "mine" || first == second {
		t.Errorf("strangers choose IDs, or share them: %q, %q", first, second)
	}
}

func TestCanonicalPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/a/": true, "/a/.b": true, "/a/..b/c": true, "/a/...": true, "/.well-known/x": true,
		"": false, "a": false, "*": false, "//": false, "/a//b": false, "/.": false, "/a/./b": false, "/a/..": false, "/../a": false, "/.b/../c": false,
	} {
		if got := canonicalPath(path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

// What everybody gets, also with a refusal.
func TestSecurityHeaders(t *testing.T) {
	h := bare(t, func(c *Config) { c.Log = slog.New(slog.DiscardHandler); c.Hosts = []string{"files.example"} })
	for _, target := range []string{"/", "/api/v1/me", "/api/v1/none", "/healthz"} {
		w := ask(h, "GET", target, nil)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: Content-Security-Policy is %q", target, policy)
		}
		if w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s: no request ID", target)
		}
		if w.Header().Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: a browser is told to use TLS where there is none", target)
		}
	}
	for host, want := range map[string]bool{"files.example": true, "localhost": false, "127.0.0.1": false, "[::1]:8443": false} {
		w := ask(h, "GET", "https://x/", func(r *http.Request) { r.Host = host })
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("TLS at %s: told to stay with it: %v, want %v", host, got, want)
		}
	}
}

func TestDraining(t *testing.T) {
	h := bare(t, nil)
	h.Drain()
	if w := ask(h, "GET", readyPath, nil); w.Code != 503 || w.Header().Get("Connection") != "close" || w.Header().Get("Retry-After") == "" {
		t.Errorf("ready answers %d %v", w.Code, w.Header())
	}
	if w := ask(h, "GET", "/", nil); w.Code != 200 || w.Header().Get("Connection") != "close" {
		t.Errorf("a page answers %d and asks to close: %q", w.Code, w.Header().Get("Connection"))
	}
}

func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{`for="[2001:db8::1]:4711";proto=https`, "for=192.0.2.1, for=unknown", `a="\",;b`, `"`, `for="\`, "10.0.0.1, 192.0.2.7"} {
		f.Add(seed)
	}
	g := &gate{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	peer := netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, field string) {
		for _, name := range []string{"Forwarded", "X-Forwarded-For"} {
			got := g.client(forwardedOf(http.Header{name: {field}}).by, peer)
			if !got.IsValid() {
				t.Errorf("%s: %q gives no address", name, field)
			}
			// Whatever a client wrote before, what the proxy appends decides.
			if last := g.client(forwardedOf(http.Header{name: {field + `", for=192.0.2.7`, "for=192.0.2.7"}}).by, peer); name == "Forwarded" && last != netip.MustParseAddr("192.0.2.7") {
				t.Errorf("%q before the proxy's own line makes it %s", field, last)
			}
		}
	})
}
