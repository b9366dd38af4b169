package web

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/origin"
	"tandem/internal/origin/rest"
	"tandem/internal/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a whole server in memory and on one temporary file.
type house struct {
	t      *testing.T
	origin *origin.Server
	url    string
}

const passphrase = "correct horse battery"

func newHouse(t *testing.T) *house {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), catalogtest.Blank(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cat.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := origin.New(t.Context(), origin.Config{
		Catalog: cat, Blobs: mem.NewBlobs(time.Now), MinFree: 1,
		Passwords: origin.Argon2{Time: 1, Memory: 64, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := New(Config{Origin: s})
	h, err := rest.New(rest.Config{Server: s, Pages: pages, ProblemPage: pages.Problem})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	return &house{t, s, front.URL}
}

// browser is somebody with cookies; it follows redirects.
type browser struct {
	*house
	client http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	b := &browser{house: h}
	b.client.Jar = jar
	b.client.Transport = &http.Transport{}
	h.t.Cleanup(b.client.CloseIdleConnections)
	return b
}

// seen is a page as it came.
type seen struct {
	status int
	path   string // where redirects led
	text   string
	header http.Header
}

func (b *browser) do(method, path string, form url.Values, header ...string) seen {
	b.t.Helper()
	to := path
	if !strings.HasPrefix(path, "http") {
		to = b.url + path
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.url)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) seen {
	b.t.Helper()
	w, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen{w.StatusCode, w.Request.URL.RequestURI(), string(body), w.Header}
}

func (b *browser) get(path string) seen { b.t.Helper(); return b.do("GET", path, nil) }

// post sends a form and wants the page it leads to.
func (b *browser) post(path string, pairs ...string) seen {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do("POST", path, form)
}

// put stores a file by the interface that scripts use.
func (b *browser) put(collection, path, text string) {
	b.t.Helper()
	to := b.url + "/api/v1/collections/" + url.PathEscape(collection) + "/content/" + escape(path)
	r, err := http.NewRequestWithContext(b.t.Context(), "PUT", to, bytes.NewReader([]byte(text)))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Origin", b.url)
	if s := b.send(r); s.status != http.StatusCreated && s.status != http.StatusOK {
		b.t.Fatalf("put %s: %d %s", path, s.status, s.text)
	}
}

// want checks a page's status and that it holds the words.
func (s seen) want(t *testing.T, status int, words ...string) seen {
	t.Helper()
	text := s.plain(t)
	if s.status != status {
		t.Fatalf("%s: status %d, want %d\n%s", s.path, s.status, status, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", s.path, w, text)
		}
	}
	return s
}

// without checks that a page does not hold the words.
func (s seen) without(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(s.plain(t), w) {
			t.Errorf("%s says %q", s.path, w)
		}
	}
}

// plain is a page's text and the addresses it leads to.
func (s seen) plain(t *testing.T) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(strings.TrimSpace(n.Data) + " ")
		}
		for _, key := range []string{"href", "action", "value"} {
			if v, ok := attr(n, key); ok {
				b.WriteString("[" + v + "] ")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	return strings.Join(strings.Fields(b.String()), " ")
}

// value returns what stands between two marks in a page.
func (s seen) between(t *testing.T, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s.text, before)
	v, _, ok2 := strings.Cut(rest, after)
	if !ok || !ok2 {
		t.Fatalf("%s holds no %q...%q:\n%s", s.path, before, after, s.text)
	}
	return html.UnescapeString(v)
}

// setUp makes the admin ann and returns her browser.
func (h *house) setUp() *browser {
	h.t.Helper()
	token, err := h.origin.SetupToken(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	b.get("/setup?token="+token).want(h.t, http.StatusOK, "Set up this server")
	b.post("/setup", "token", token, "name", "ann", "password", passphrase, "again", passphrase).want(h.t, http.StatusOK, "Files", "New collection")
	return b
}
