package faults

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/test/servers"
)

const collection = "work"

// crowd puts files of random content and remembers what it tried and what was
// acknowledged. Names are never used twice, so that each has one right content.
type crowd struct {
	login string // value of Authorization

	mu    sync.Mutex
	next  int
	tried map[string]string // path to hex SHA-256
	acked map[string]bool
	bad   map[int]int    // statuses that were refusals
	said  map[int]string // what the first of each status said
}

func newCrowd(t *testing.T, s *servers.Server) *crowd {
	t.Helper()
	return &crowd{login: signIn(t, s.URL), tried: map[string]string{}, acked: map[string]bool{}, bad: map[int]int{}, said: map[int]string{}}
}

func signIn(t *testing.T, url string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"user": "admin", "password": servers.Password})
	r, err := http.Post(url+"/api/v1/sessions", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var session struct{ Secret string }
	if err := json.NewDecoder(r.Body).Decode(&session); err != nil || session.Secret == "" {
		t.Fatalf("sign in: status %d, %v", r.StatusCode, err)
	}
	return "Bearer " + session.Secret
}

// run lets n clients put files to the servers until ctx ends. Errors are what
// a dying server gives; what matters is what was acknowledged.
func (c *crowd) run(ctx context.Context, n int, urls ...string) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			hc := &http.Client{Transport: &http.Transport{}}
			defer hc.CloseIdleConnections()
			for ctx.Err() == nil {
				c.one(ctx, hc, urls[i%len(urls)])
			}
		})
	}
	wg.Wait()
}

// one puts one file, by a plain PUT or by tus in several parts.
func (c *crowd) one(ctx context.Context, hc *http.Client, url string) {
	c.mu.Lock()
	c.next++
	n := c.next
	c.mu.Unlock()
	rnd := rand.New(rand.NewPCG(uint64(n), 17))
	size := rnd.IntN(60 << 10)
	if n%4 == 0 {
		size = rnd.IntN(3 << 20)
	}
	body := make([]byte, size)
	var key [32]byte
	copy(key[:], strconv.Itoa(n))
	_, _ = rand.NewChaCha8(key).Read(body)
	path := fmt.Sprintf("d%d/f%d", n%7, n)
	sum := sha256.Sum256(body)
	c.mu.Lock()
	c.tried[path] = hex.EncodeToString(sum[:])
	c.mu.Unlock()
	var status int
	if n%2 == 0 {
		status = c.tus(ctx, hc, url, path, body, rnd)
	} else {
		status = c.put(ctx, hc, url, path, body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == http.StatusCreated || status == http.StatusNoContent || status == http.StatusOK:
		c.acked[path] = true
	case status != 0:
		c.bad[status]++
	}
}

// do returns the status and header of an answer, 0 when there was none.
func (c *crowd) do(ctx context.Context, hc *http.Client, method, url string, body []byte, header ...string) (int, http.Header) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Authorization", c.login)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := hc.Do(req)
	if err != nil {
		return 0, nil
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil // an acknowledgement that broke off is none
	}
	if r.StatusCode >= 300 {
		c.mu.Lock()
		if _, ok := c.said[r.StatusCode]; !ok {
			c.said[r.StatusCode] = method + " " + url + ": " + string(text)
		}
		c.mu.Unlock()
	}
	return r.StatusCode, r.Header
}

func (c *crowd) put(ctx context.Context, hc *http.Client, url, path string, body []byte) int {
	status, _ := c.do(ctx, hc, http.MethodPut, contentURL(url, path), body)
	return status
}

func contentURL(url, path string) string {
	return url + "/api/v1/collections/" + collection + "/content/" + path
}

// tus uploads in parts of random size.
func (c *crowd) tus(ctx context.Context, hc *http.Client, url, path string, body []byte, rnd *rand.Rand) int {
	b64 := base64.StdEncoding.EncodeToString
	status, header := c.do(ctx, hc, http.MethodPost, url+"/api/v1/uploads", nil, "Tus-Resumable", "1.0.0",
		"Upload-Length", strconv.Itoa(len(body)),
		"Upload-Metadata", "collection "+b64([]byte(collection))+",path "+b64([]byte(path)))
	if status != http.StatusCreated {
		return status
	}
	if len(body) == 0 {
		return status
	}
	at := header.Get("Location")
	if strings.HasPrefix(at, "/") {
		at = url + at
	}
	for off := 0; off < len(body); {
		end := min(len(body), off+1+rnd.IntN(1<<20))
		status, _ = c.do(ctx, hc, http.MethodPatch, at, body[off:end], "Tus-Resumable", "1.0.0",
			"Upload-Offset", strconv.Itoa(off), "Content-Type", "application/offset+octet-stream")
		if status != http.StatusNoContent {
			return status
		}
		off = end
	}
	return status
}

// entry is a line of a recursive listing.
type entry struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func (c *crowd) get(t *testing.T, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", c.login)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		t.Fatalf("GET %s: %s: %s", url, r.Status, text)
	}
	return r
}

// files lists everything that is visible.
func (c *crowd) files(t *testing.T, url string) map[string]entry {
	t.Helper()
	r := c.get(t, url+"/api/v1/collections/"+collection+"/entries/?recursive=1")
	defer r.Body.Close()
	out := map[string]entry{}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("listing: %v in %q", err, lines.Text())
		}
		if e.Kind == "file" {
			out[e.Path] = e
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// check holds what the server shows against what was tried and acknowledged.
// seen are the paths whose bytes were compared before.
func (c *crowd) check(t *testing.T, url string, seen map[string]bool) {
	t.Helper()
	visible := c.files(t, url)
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, e := range visible {
		want, ok := c.tried[path]
		if !ok || e.SHA256 != want {
			t.Errorf("%s is visible with %s, was put with %q", path, e.SHA256, want)
		}
		if seen[path] {
			continue
		}
		seen[path] = true
		r := c.get(t, contentURL(url, path))
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		r.Body.Close()
		if got := hex.EncodeToString(h.Sum(nil)); err != nil || got != want || n != e.Size {
			t.Errorf("%s: %d bytes of %d, hash %s, want %s, %v", path, n, e.Size, got, want, err)
		}
	}
	for path := range c.acked {
		if _, ok := visible[path]; !ok {
			t.Errorf("%s was acknowledged and is not there", path)
		}
	}
	c.charged(t, url)
	r := c.get(t, url+"/api/v1/audit/verify")
	defer r.Body.Close()
	var audit struct{ Entries, Broken int64 }
	if err := json.NewDecoder(r.Body).Decode(&audit); err != nil || audit.Broken != 0 || audit.Entries == 0 {
		t.Errorf("audit: %+v, %v", audit, err)
	}
}

// charged holds what the account is charged against its files. Requests whose
// clients have gone may still come to their end, so it is asked until both agree.
func (c *crowd) charged(t *testing.T, url string) {
	t.Helper()
	var used, sum int64
	waitFor(t, func() bool {
		r := c.get(t, url+"/api/v1/me")
		defer r.Body.Close()
		var me struct {
			User struct{ Used int64 }
		}
		if err := json.NewDecoder(r.Body).Decode(&me); err != nil {
			t.Fatal(err)
		}
		used, sum = me.User.Used, 0
		for _, e := range c.files(t, url) {
			sum += e.Size
		}
		return used == sum
	}, func() { t.Logf("the account is charged %d bytes, its files are %d", used, sum) })
}

func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acked)
}

// during runs the crowd for about d, or until stop says so.
func (c *crowd) during(t *testing.T, d time.Duration, n int, stop <-chan struct{}, urls ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	c.run(ctx, n, urls...)
}

// outlives takes something away from the server for ten seconds under uploads, and
// holds that files are acknowledged again when it is back, and none was lost.
func (c *crowd) outlives(t *testing.T, url string, stop, start func()) {
	t.Helper()
	var was int
	back := make(chan struct{})
	go func() {
		defer close(back)
		<-time.After(time.Second)
		stop()
		<-time.After(10 * time.Second)
		was = c.count()
		start()
		for end := time.Now().Add(30 * time.Second); c.count() == was && time.Now().Before(end); {
			<-time.After(10 * time.Millisecond)
		}
	}()
	c.during(t, time.Minute, 4, back, url)
	<-back
	c.check(t, url, map[string]bool{})
	if c.count() <= was {
		t.Errorf("%d files acknowledged before it was back, %d after: the server did not recover", was, c.count())
	}
}
