package client

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/origin/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server with one collection, c, that misbehaves as it is told.
type fake struct {
	t    *testing.T
	mu   sync.Mutex // guards everything below
	tree map[string]string
	ups  map[string]*fakeUpload
	log  []string // METHOD path

	// before may answer a request itself; it reports whether it did.
	before func(w http.ResponseWriter, r *http.Request, n int) bool
	// keep is how many bytes of a PATCH are kept before the connection is cut; -1: all of them.
	keep func(patch int) int64
	// mute makes the answer to the PATCH that completes an upload get lost.
	mute     bool
	forget   bool // finished uploads are unknown
	damage   func(path, content string) string
	patches  int
	gets     int
	received int64
	extra    []api.Entry // listed beside the tree
}

type fakeUpload struct {
	path string
	size int64
	data []byte
}

func newFake(t *testing.T) (*fake, *Client) {
	t.Helper()
	f := &fake{t: t, tree: map[string]string{}, ups: map[string]*fakeUpload{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	c := newClient(t, s.URL, nil)
	return f, c
}

// clock is a clock that only waiting moves.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	waits []time.Duration
}

func (k *clock) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at
}

func (k *clock) wait(ctx context.Context, d time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = k.at.Add(d)
	k.waits = append(k.waits, d)
	return ctx.Err()
}

func newClient(t *testing.T, url string, k *clock) *Client {
	t.Helper()
	if k == nil {
		k = &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	}
	c, err := New(Config{URL: url, Secret: "s", Now: k.now, Wait: k.wait})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) requests(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, l := range f.log {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Status: status, Kind: kind, Detail: detail})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.log = append(f.log, r.Method+" "+r.URL.Path)
	n, before := len(f.log), f.before
	f.mu.Unlock()
	if before != nil && before(w, r, n) {
		return
	}
	p := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	switch {
	case strings.HasPrefix(p, "uploads"):
		f.tus(w, r, path.Base(p))
	case strings.HasPrefix(p, "collections/c/content/"):
		f.content(w, r, strings.TrimPrefix(p, "collections/c/content/"))
	case strings.HasPrefix(p, "collections/c/entries/"):
		f.entries(w, r, strings.TrimPrefix(p, "collections/c/entries/"))
	case strings.HasPrefix(p, "collections/c/batch/"):
		f.batch(w, r, strings.TrimPrefix(p, "collections/c/batch/"))
	case strings.HasPrefix(p, "collections/c/archive/"):
		f.archive(w)
	case strings.HasPrefix(p, "collections/c/fetch/"):
		f.fetch(w, r, strings.TrimPrefix(p, "collections/c/fetch/"))
	default:
		problem(w, 404, "not-found", "no such route")
	}
}

func (f *fake) tus(w http.ResponseWriter, r *http.Request, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodPost {
		size, _ := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
		up := &fakeUpload{size: size}
		for pair := range strings.SplitSeq(r.Header.Get("Upload-Metadata"), ",") {
			if v, ok := strings.CutPrefix(pair, "path "); ok {
				text, _ := base64.StdEncoding.DecodeString(v)
				up.path = string(text)
			}
		}
		id = fmt.Sprintf("up%d", len(f.ups)+1)
		f.ups[id] = up
		w.Header().Set("Location", "/api/v1/uploads/"+id)
		w.WriteHeader(http.StatusCreated)
		return
	}
	up := f.ups[id]
	if up == nil {
		problem(w, 404, "not-found", "no such upload")
		return
	}
	if r.Method == http.MethodPatch && !f.patch(w, r, id, up) {
		return
	}
	w.Header().Set("Upload-Offset", strconv.Itoa(len(up.data)))
	w.Header().Set("Upload-Length", strconv.FormatInt(up.size, 10))
	w.WriteHeader(http.StatusNoContent)
}

// patch reports whether the request is to be answered.
func (f *fake) patch(w http.ResponseWriter, r *http.Request, id string, up *fakeUpload) bool {
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(up.data)) {
		problem(w, 409, "precondition", "another offset")
		return false
	}
	f.patches++
	most := int64(-1)
	if f.keep != nil {
		most = f.keep(f.patches)
	}
	body := io.Reader(r.Body)
	if most >= 0 {
		body = io.LimitReader(body, most)
	}
	data, _ := io.ReadAll(body)
	f.received += int64(len(data))
	up.data = append(up.data, data...)
	if int64(len(up.data)) == up.size {
		f.tree[up.path] = string(up.data)
		if f.damage != nil {
			f.tree[up.path] = f.damage(up.path, string(up.data))
		}
		w.Header().Set("ETag", `"`+sumOf([]byte(f.tree[up.path]))+`"`)
		if f.forget {
			delete(f.ups, id)
		}
	}
	if most >= 0 || f.mute {
		cut(w)
		return false
	}
	return true
}

func (f *fake) entry(p string) api.Entry {
	content := f.tree[p]
	return api.Entry{
		ID: int64(len(p)), Name: path.Base(p), Path: p, Kind: "file", Size: int64(len(content)), SHA256: sumOf([]byte(content)),
		Modified: time.Date(2025, 5, 5, 5, 5, 5, 0, time.UTC),
	}
}

func (f *fake) entries(w http.ResponseWriter, r *http.Request, p string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p = strings.Trim(p, "/")
	if r.Method == http.MethodPost {
		f.tree[p+"/"] = ""
		_ = json.NewEncoder(w).Encode(api.Entry{Path: p, Kind: "folder"})
		return
	}
	if r.URL.Query().Get("recursive") != "" {
		e := json.NewEncoder(w)
		for _, x := range f.extra {
			_ = e.Encode(x)
		}
		for _, name := range f.names() {
			if _, ok := below(name, p); ok {
				_ = e.Encode(f.entry(name))
			}
		}
		return
	}
	if _, ok := f.tree[p]; ok {
		_ = json.NewEncoder(w).Encode(api.Listing{Folder: f.entry(p)})
		return
	}
	for name := range f.tree {
		if _, ok := below(name, p); ok {
			_ = json.NewEncoder(w).Encode(api.Listing{Folder: api.Entry{Kind: "folder", Path: p, Name: path.Base(p)}})
			return
		}
	}
	problem(w, 404, "not-found", p+": no such file or folder")
}

func (f *fake) names() []string {
	var list []string
	for name := range f.tree {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (f *fake) content(w http.ResponseWriter, r *http.Request, p string) {
	f.mu.Lock()
	f.gets++
	content, ok := f.tree[p]
	damage := f.damage
	if r.Method == http.MethodPut {
		data, _ := io.ReadAll(r.Body)
		f.tree[p] = string(data)
		e := f.entry(p)
		f.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(e)
		return
	}
	f.mu.Unlock()
	if !ok {
		problem(w, 404, "not-found", p)
		return
	}
	w.Header().Set("ETag", `"`+sumOf([]byte(content))+`"`)
	if damage != nil {
		content = damage(p, content)
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
}

func (f *fake) batch(w http.ResponseWriter, r *http.Request, base string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []api.BatchResult
	in := tar.NewReader(r.Body)
	for {
		h, err := in.Next()
		if err != nil {
			break
		}
		data, _ := io.ReadAll(in)
		if sumOf(data) != h.PAXRecords["TANDEM.sha256"] {
			f.t.Errorf("%s came with the hash of something else", h.Name)
		}
		if strings.HasSuffix(h.Name, ".refused") {
			out = append(out, api.BatchResult{Path: h.Name, Problem: &api.Problem{Status: 409, Kind: "exists", Detail: "taken"}})
			continue
		}
		p := strings.Trim(base+"/"+h.Name, "/")
		f.tree[p] = string(data)
		e := f.entry(p)
		out = append(out, api.BatchResult{Path: h.Name, Entry: &e})
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fake) fetch(w http.ResponseWriter, r *http.Request, base string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var want api.Fetch
	_ = json.NewDecoder(r.Body).Decode(&want)
	var buf bytes.Buffer
	out := tar.NewWriter(&buf)
	for _, rel := range want.Paths {
		content, ok := f.tree[strings.Trim(base+"/"+rel, "/")]
		if !ok || strings.HasSuffix(rel, ".left-out") {
			continue
		}
		if f.damage != nil {
			content = f.damage(rel, content)
		}
		_ = out.WriteHeader(&tar.Header{Name: rel, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg})
		_, _ = io.WriteString(out, content)
	}
	_ = out.Close()
	_, _ = w.Write(buf.Bytes())
}

// archive gives everything as a tar, below the name "top".
func (f *fake) archive(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := tar.NewWriter(w)
	for _, name := range f.names() {
		content := f.tree[name]
		if strings.HasSuffix(name, ".left-out") {
			continue
		}
		if f.damage != nil {
			content = f.damage(name, content)
		}
		_ = out.WriteHeader(&tar.Header{Name: "top/" + name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg})
		_, _ = io.WriteString(out, content)
	}
	_ = out.Close()
}

// random returns content that does not repeat.
func random(n int, seed byte) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// left returns the names of everything below dir.
func left(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
