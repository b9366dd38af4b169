package rest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

func TestDownload(t *testing.T) {
	o := newHouse(t)
	e := o.put("a/grün.html", "0123456789")
	const path = "collections/photos/content/a/gr%C3%BCn.html"
	tag, day := `"`+e.SHA256+`"`, e.Modified.Format(http.TimeFormat)
	sum := sha256.Sum256([]byte("0123456789"))
	for _, method := range []string{"GET", "HEAD"} {
		r := o.do("ann", method, path, nil).want(200).
			header("Etag", tag).header("Last-Modified", day).header("Accept-Ranges", "bytes").header("Content-Length", "10").
			header("Repr-Digest", digestField(sum)).header("X-Content-Type-Options", "nosniff").
			header("Content-Disposition", `attachment; filename="gr__n.html"; filename*=UTF-8''gr%C3%BCn.html`)
		if policy := r.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox;") {
			t.Errorf("policy %q", policy)
		}
	}
	for _, c := range []struct {
		name   string
		header []string
		status int
		body   string
		ranges string
	}{
		{"whole", nil, 200, "0123456789", ""},
		{"from a byte on", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"between", []string{"Range", "bytes=2-3"}, 206, "23", "bytes 2-3/10"},
		{"beyond the end", []string{"Range", "bytes=7-99"}, 206, "789", "bytes 7-9/10"},
		{"the last ones", []string{"Range", "bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{"behind the end", []string{"Range", "bytes=10-"}, 416, "", "bytes */10"},
		{"nonsense", []string{"Range", "bytes=x-"}, 416, "", ""},
		{"turned around", []string{"Range", "bytes=5-2"}, 416, "", ""},
		{"another unit", []string{"Range", "lines=1-2"}, 416, "", ""},
		{"if it is still that", []string{"Range", "bytes=7-", "If-Range", tag}, 206, "789", "bytes 7-9/10"},
		{"if it were another", []string{"Range", "bytes=7-", "If-Range", `"x"`}, 200, "0123456789", ""},
		{"a weak tag is no proof", []string{"Range", "bytes=7-", "If-Range", "W/" + tag}, 200, "0123456789", ""},
		{"known already", []string{"If-None-Match", tag}, 304, "", ""},
		{"known already, among others", []string{"If-None-Match", `"x", ` + tag}, 304, "", ""},
		{"anything known", []string{"If-None-Match", "*"}, 304, "", ""},
		{"not changed since", []string{"If-Modified-Since", day}, 304, "", ""},
		{"only that one", []string{"If-Match", tag}, 200, "0123456789", ""},
		{"only another one", []string{"If-Match", `"x"`}, 412, "", ""},
		{"more ranges than anybody needs", []string{"Range", "bytes=" + strings.Repeat("0-0,", 64) + "1-1"}, 200, "0123456789", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := o.do("ann", "GET", path, nil, c.header...).want(c.status)
			if got := r.Body.String(); c.body != "" && got != c.body {
				t.Errorf("got %q, want %q", got, c.body)
			}
			if c.ranges != "" {
				r.header("Content-Range", c.ranges)
			}
			head := o.do("ann", "HEAD", path, nil, c.header...).want(c.status)
			if head.Body.Len() > 0 && c.status < 400 {
				t.Errorf("HEAD has a body: %q", head.Body)
			}
		})
	}
	r := o.do("ann", "GET", path, nil, "Range", "bytes=0-1,8-9").want(206)
	_, params, err := mime.ParseMediaType(r.Header().Get("Content-Type"))
	check(t, err)
	parts := multipart.NewReader(r.Body, params["boundary"])
	for _, want := range []string{"01", "89"} {
		p, err := parts.NextPart()
		check(t, err)
		if got, err := io.ReadAll(p); err != nil || string(got) != want {
			t.Errorf("part %q, %v", got, err)
		}
	}
	o.do("ann", "GET", "collections/photos/content/a", nil).problem(400, "invalid")
	o.do("ann", "GET", "collections/photos/content/none", nil).problem(404, "not-found")
	o.do("ann", "GET", path+"?version=99", nil).problem(404, "not-found")
	o.do("ann", "GET", "collections/photos/content/%2e%2e/x", nil).problem(400, "invalid")
	o.do("ann", "HEAD", "collections/photos/content/a", nil).want(400)
}

// The answer to a range of another version is the whole of the new one.
func TestRangeOfReplacedFile(t *testing.T) {
	o := newHouse(t)
	first := o.put("f", "first")
	o.put("f", "other")
	r := o.do("ann", "GET", "collections/photos/content/f", nil, "Range", "bytes=3-", "If-Range", `"`+first.SHA256+`"`).want(200)
	if r.Body.String() != "other" {
		t.Errorf("got %q", r.Body)
	}
}

func TestEmptyFile(t *testing.T) {
	o := newHouse(t)
	o.put("empty", "")
	o.do("ann", "GET", "collections/photos/content/empty", nil).want(200).header("Content-Length", "0").
		header("Repr-Digest", emptyDigest)
	o.do("ann", "GET", "collections/photos/content/empty", nil, "Range", "bytes=0-").want(200)
}

func TestArchives(t *testing.T) {
	o := newHouse(t)
	o.put("trip/a.txt", "aa")
	o.put("trip/sub/b.txt", "bb")
	r := o.do("ann", "GET", "collections/photos/archive/trip", nil).want(200).
		header("Content-Type", typeZip).header("Content-Disposition", `attachment; filename="trip.zip"; filename*=UTF-8''trip.zip`)
	z, err := zip.NewReader(bytes.NewReader(r.Body.Bytes()), int64(r.Body.Len()))
	check(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	if !strings.Contains(strings.Join(names, " "), "trip/sub/b.txt") {
		t.Errorf("in the zip: %q", names)
	}
	r = o.do("ann", "GET", "collections/photos/archive/?format=tar", nil).want(200).
		header("Content-Type", typeTar).header("Content-Disposition", `attachment; filename="photos.tar"; filename*=UTF-8''photos.tar`)
	if got := tarNames(t, r.Body); !strings.Contains(got, "photos/trip/a.txt") {
		t.Errorf("in the tar: %s", got)
	}
	if r := o.do("ann", "HEAD", "collections/photos/archive/trip", nil).want(200).header("Content-Type", typeZip); r.Body.Len() > 0 {
		t.Errorf("HEAD makes the archive: %d bytes", r.Body.Len())
	}
	o.do("ann", "GET", "collections/photos/archive/trip?format=rar", nil).problem(400, "invalid")
	o.do("ann", "GET", "collections/photos/archive/none", nil).problem(404, "not-found")
	r = o.do("ann", "POST", "collections/photos/fetch/trip", api.Fetch{Paths: []string{"a.txt", "none", "sub/b.txt"}}).want(200).header("Content-Type", typeTar)
	if got := tarNames(t, r.Body); got != "a.txt sub/b.txt" {
		t.Errorf("fetched: %s", got)
	}
}

func tarNames(t *testing.T, from io.Reader) string {
	t.Helper()
	var names []string
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		check(t, err)
		names = append(names, h.Name)
	}
}

func TestPut(t *testing.T) {
	o := newHouse(t)
	const path = "collections/photos/content/f"
	var e api.Entry
	right := digestField(sha256.Sum256([]byte("hello")))
	o.do("ann", "PUT", path+"?modified=2020-01-02T03:04:05Z", "hello", "Repr-Digest", right).want(201).header("Repr-Digest", right).into(&e)
	if !e.Modified.Equal(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("modified %v", e.Modified)
	}
	tag := `"` + e.SHA256 + `"`
	for _, c := range []struct {
		name   string
		header []string
		want   int
	}{
		{"the name is taken", []string{"If-None-Match", "*"}, 412},
		{"another tag than *", []string{"If-None-Match", tag}, 400},
		{"it is another", []string{"If-Match", `"` + strings.Repeat("0a", 32) + `"`}, 412},
		{"it is none of those", []string{"If-Match", `"x", W/` + tag}, 412},
		{"wrong hash", []string{"Repr-Digest", emptyDigest}, 422},
		{"broken hash", []string{"Content-Digest", "sha-256=x"}, 400},
		{"a part", []string{"Content-Range", "bytes 0-4/10"}, 400},
		{"compressed", []string{"Content-Encoding", "gzip"}, 415},
		{"it is this", []string{"If-Match", tag}, 200},
		{"it is one of those", []string{"If-Match", `"x", ` + tag}, 200},
		{"it is there", []string{"If-Match", "*"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) { o.do("ann", "PUT", path, "hello", c.header...).want(c.want) })
	}
	o.do("ann", "PUT", "collections/photos/content/new", "x", "If-Match", "*").problem(412, "precondition")
	o.do("ann", "PUT", "collections/photos/content/new", "x", "If-None-Match", "*").want(201)
	o.do("ann", "PUT", path, struct{ io.Reader }{strings.NewReader("chunked")}).want(411)
	o.do("ann", "PUT", path+"?modified=now", "x").problem(400, "invalid")
	o.do("ann", "PUT", "collections/photos/content/a%00b", "x").problem(400, "invalid")
	o.do("ann", "PUT", "collections/photos/content/", "x").problem(400, "invalid")
	o.do("ann", "PUT", "collections/photos/content/f/g", "x").problem(409, "exists")
	o.do("eve", "PUT", path, "x").problem(404, "not-found")
}

// Over quota is said before a client that asks first has sent anything.
func TestRefusalComesBeforeTheBody(t *testing.T) {
	o := newHouse(t)
	o.do("root", "PATCH", "collections/photos", map[string]any{"quota": 100}).want(200)
	asked := &asked{left: 1000}
	r := httptest.NewRequest("PUT", v1+"collections/photos/content/f", asked)
	r.Host, r.ContentLength = "localhost", 1000
	r.Header.Set("Authorization", "Bearer "+o.secret["ann"])
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	(&reply{w, t, "PUT over quota"}).problem(413, "quota")
	if asked.left != 1000 {
		t.Errorf("%d bytes were read before", 1000-asked.left)
	}
}

// asked is a body that knows what of it was read.
type asked struct{ left int }

func (a *asked) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), a.left)
	a.left -= n
	return n, nil
}

func tarOf(t *testing.T, list ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range list {
		check(t, w.WriteHeader(h))
		_, err := w.Write(make([]byte, h.Size))
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}

func TestBatch(t *testing.T) {
	o := newHouse(t)
	const path = "collections/photos/batch/in"
	zero := fmt.Sprintf("%x", sha256.Sum256(make([]byte, 3)))
	body := tarOf(t,
		&tar.Header{Name: "sub/", Typeflag: tar.TypeDir},
		&tar.Header{Name: "sub/a", Size: 3, ModTime: time.Unix(1e9, 0), PAXRecords: map[string]string{shaRecord: zero}},
		&tar.Header{Name: "wrong", Size: 4, PAXRecords: map[string]string{shaRecord: zero}},
		&tar.Header{Name: "../out", Size: 1},
		&tar.Header{Name: "empty"},
	)
	var results []api.BatchResult
	o.do("ann", "POST", path, body, "Content-Type", typeTar).want(200).into(&results)
	if len(results) != 4 || results[0].Entry == nil || results[0].Entry.Path != "in/sub/a" || !results[0].Entry.Modified.Equal(time.Unix(1e9, 0)) ||
		results[1].Problem == nil || results[1].Problem.Kind != "corrupt" || results[2].Problem == nil || results[2].Problem.Kind != "invalid" || results[3].Entry == nil {
		t.Errorf("%+v", results)
	}
	for _, c := range []struct {
		name string
		kind string
		body []byte
		want int
	}{
		{"another type", typeZip, body, 415},
		{"no tar", typeTar, bytes.Repeat([]byte("x"), 1024), 400},
		{"cut in a file", typeTar, body[:512*4+1], 400},
		{"a link in it", typeTar, tarOf(t, &tar.Header{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), 400},
		{"a hash that is none", typeTar, tarOf(t, &tar.Header{Name: "l", PAXRecords: map[string]string{shaRecord: "0A"}}), 400},
		{"a file that is not small", typeTar, tarOf(t, &tar.Header{Name: "l", Size: 256<<10 + 1}), 413},
	} {
		t.Run(c.name, func(t *testing.T) { o.do("ann", "POST", path, c.body, "Content-Type", c.kind).want(c.want) })
	}
	var many []*tar.Header
	for i := range 1025 {
		many = append(many, &tar.Header{Name: fmt.Sprint(i)})
	}
	o.do("ann", "POST", path, tarOf(t, many...), "Content-Type", typeTar).want(413)
	if o.memory.free != maxBuffered {
		t.Errorf("%d bytes of memory were not given back", maxBuffered-o.memory.free)
	}
	o.memory.free = 10
	o.do("ann", "POST", path, body, "Content-Type", typeTar).problem(429, "limited")
}

func FuzzBatch(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "a", Size: 1, PAXRecords: map[string]string{shaRecord: strings.Repeat("0a", 32)}})
	_, _ = w.Write([]byte("x"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := readBatch(bytes.NewReader(body))
		total := 0
		for _, e := range list {
			total += len(e.Content)
		}
		// A sparse file is longer than its tar; the limit holds all the same.
		if err == nil && (total > origin.MaxBatchBytes || len(list) > origin.MaxBatchFiles) {
			t.Errorf("%d bytes of tar hold %d in %d files", len(body), total, len(list))
		}
	})
}

// cut ends an answer at once, whether the client reads or not.
func TestCut(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			begun, ended := make(chan func(), 1), make(chan error, 1)
			late := make(chan func(), 1)
			h := bare(t, nil)
			table := &route{method: "GET", pattern: "/try", serve: func(x *exchange) error {
				out := x.lets(x.nobody())
				defer out.close()
				late <- out.cut
				block := make([]byte, 1<<20)
				for first := true; ; first = false {
					if _, err := x.Write(block); err != nil {
						ended <- err
						return nil
					}
					if first {
						begun <- out.cut
					}
				}
			}}
			h.mount([]*route{table, {method: "GET", pattern: "/fine", serve: (*exchange).healthz}})
			s := httptest.NewUnstartedServer(nil)
			h.ConfigureServer(s.Config)
			s.EnableHTTP2 = version == "HTTP/2.0"
			s.StartTLS()
			defer s.Close()
			client := s.Client()
			res, err := get(t.Context(), client, s.URL+"/try")
			check(t, err)
			if res.Proto != version {
				t.Fatalf("speaks %s", res.Proto)
			}
			(<-begun)()
			if err := <-ended; err == nil {
				t.Error("ended well")
			}
			if _, err := io.Copy(io.Discard, res.Body); err == nil {
				t.Error("the client believes to have it all")
			}
			check(t, res.Body.Close())
			// Too late to matter to whoever uses the connection now.
			(<-late)()
			res, err = get(t.Context(), client, s.URL+"/fine")
			check(t, err)
			if b, err := io.ReadAll(res.Body); string(b) != "ok\n" || err != nil {
				t.Errorf("afterwards: %q, %v", b, err)
			}
			check(t, res.Body.Close())
		})
	}
}

func get(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(r)
}

func tarFile() *tar.Header { return &tar.Header{Name: "evil", Size: 1} }
