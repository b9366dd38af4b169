package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"tandem/internal/origin/api"
)

// tus asks with the header that all but OPTIONS need.
func (o *house) tus(who, method, path string, body any, header ...string) *reply {
	o.t.Helper()
	return o.do(who, method, path, body, append([]string{"Tus-Resumable", "1.0.0"}, header...)...)
}

func meta(pairs ...string) string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pairs[i]+" "+b64(pairs[i+1]))
	}
	return strings.Join(list, ",")
}

// begin makes an upload of size bytes to photos/f and returns its URL.
func (o *house) begin(size int, pairs ...string) string {
	o.t.Helper()
	m := meta(append([]string{"collection", "photos", "path", "f"}, pairs...)...)
	r := o.tus("ann", "POST", "uploads", nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", m).want(201)
	return o.location(r)
}

func (o *house) location(r *reply) string {
	o.t.Helper()
	at, ok := strings.CutPrefix(r.Header().Get("Location"), "http://localhost")
	if !ok {
		o.t.Fatalf("Location is %q", r.Header().Get("Location"))
	}
	return at
}

const chunkType = "application/offset+octet-stream"

func (o *house) patch(path string, offset int, body string, header ...string) *reply {
	o.t.Helper()
	return o.tus("ann", "PATCH", path, body, append([]string{"Content-Type", chunkType, "Upload-Offset", strconv.Itoa(offset)}, header...)...)
}

func TestTus(t *testing.T) {
	o := newHouse(t)
	for _, root := range []string{"uploads", "shared/x/uploads", "/s/x/uploads"} {
		o.do("", "OPTIONS", root, nil).want(204).header("Tus-Version", "1.0.0").header("Tus-Resumable", "1.0.0").
			header("Tus-Extension", tusExtensions).header("Tus-Checksum-Algorithm", "sha1,sha256")
	}
	at := o.begin(10, "modified", "2020-01-02T03:04:05Z", "filetype", "text/plain")
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "0").header("Upload-Length", "10").
		header("Cache-Control", "no-store").header("Tus-Resumable", "1.0.0")
	r := o.patch(at, 0, "0123").want(204).header("Upload-Offset", "4").header("Etag", "")
	if _, err := http.ParseTime(r.Header().Get("Upload-Expires")); err != nil {
		t.Errorf("Upload-Expires: %v", err)
	}
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "4")
	o.patch(at, 5, "x").problem(409, "precondition")
	o.do("ann", "GET", "collections/photos/content/f", nil).problem(404, "not-found")
	sum := sha256.Sum256([]byte("0123456789"))
	o.patch(at, 4, "456789").want(204).header("Upload-Offset", "10").header("Repr-Digest", digestField(sum)).
		header("Etag", etag(sum)).header("Tandem-Path", "f")
	if got := o.do("ann", "GET", "collections/photos/content/f", nil).want(200).Body.String(); got != "0123456789" {
		t.Errorf("became %q", got)
	}
	// The answer to the last chunk was lost: asked again, it is the same.
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "10")
	o.patch(at, 10, "").want(204).header("Upload-Offset", "10").header("Etag", etag(sum))
	o.tus("eve", "HEAD", at, nil).want(404)
	o.tus("eve", "PATCH", at, "x", "Content-Type", chunkType, "Upload-Offset", "0").problem(404, "not-found")
}

func TestTusCreationWithUpload(t *testing.T) {
	o := newHouse(t)
	m := meta("collection", "photos", "path", "a/ü b")
	r := o.tus("ann", "POST", "uploads", "0123", "Upload-Length", "10", "Upload-Metadata", m, "Content-Type", chunkType).
		want(201).header("Upload-Offset", "4")
	o.patch(o.location(r), 4, "456789").want(204).header("Tandem-Path", "a/%C3%BC%20b")
	r = o.tus("ann", "POST", "uploads", "0123", "Upload-Length", "4", "Upload-Metadata", m, "Content-Type", chunkType).
		want(201).header("Upload-Offset", "4").header("Etag", etag(sha256.Sum256([]byte("0123"))))
	o.tus("ann", "HEAD", o.location(r), nil).want(200).header("Upload-Offset", "4")
	// Of nothing there is nothing more to send.
	o.tus("ann", "POST", "uploads", nil, "Upload-Length", "0", "Upload-Metadata", meta("collection", "photos", "path", "empty")).
		want(201).header("Upload-Offset", "0").header("Repr-Digest", emptyDigest)
	o.do("ann", "GET", "collections/photos/content/empty", nil).want(200)
	o.tus("ann", "POST", "uploads", "toolong", "Upload-Length", "3", "Upload-Metadata", m, "Content-Type", chunkType).problem(413, "invalid")
}

func TestTusChecksum(t *testing.T) {
	o := newHouse(t)
	at := o.begin(4)
	right := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "sha256 " + base64.StdEncoding.EncodeToString(sum[:])
	}
	o.patch(at, 0, "01", "Upload-Checksum", right("xx")).problem(460, "corrupt")
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "0")
	o.patch(at, 0, "01", "Upload-Checksum", "md5 "+b64("x")).problem(400, "invalid")
	o.patch(at, 0, "01", "Upload-Checksum", right("01")).want(204).header("Upload-Offset", "2")
	o.patch(at, 2, "23", "Upload-Checksum", right("23")).want(204).header("Upload-Offset", "4")
	at = o.begin(maxChecked + 1)
	o.tus("ann", "PATCH", at, sized{io.LimitReader(zeros{}, maxChecked+1), maxChecked + 1}, "Content-Type", chunkType, "Upload-Offset", "0",
		"Upload-Checksum", right("")).problem(413, "invalid")
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "0")
	if o.memory.free != maxBuffered {
		t.Errorf("%d bytes of memory were not given back", maxBuffered-o.memory.free)
	}
}

// The whole file is not what the client said it would be: nothing of it is left.
func TestTusWrongWhole(t *testing.T) {
	o := newHouse(t)
	at := o.begin(4, "sha256", strings.Repeat("0a", 32))
	o.patch(at, 0, "0123").problem(422, "corrupt")
	o.tus("ann", "HEAD", at, nil).want(404)
	o.do("ann", "GET", "collections/photos/content/f", nil).problem(404, "not-found")
}

func TestTusTermination(t *testing.T) {
	o := newHouse(t)
	at := o.begin(4)
	o.patch(at, 0, "01").want(204)
	o.tus("eve", "DELETE", at, nil).problem(404, "not-found")
	o.tus("ann", "DELETE", at, nil).want(204)
	o.tus("ann", "HEAD", at, nil).want(404)
	o.patch(at, 2, "23").problem(404, "not-found")
	at = o.begin(4)
	o.pass(8 * 24 * time.Hour)
	o.patch(at, 0, "01").problem(404, "not-found")
}

// A connection that breaks off leaves what arrived.
func TestTusBrokenBody(t *testing.T) {
	o := newHouse(t)
	at := o.begin(10)
	r := httptest.NewRequest("PATCH", at, io.MultiReader(strings.NewReader("0123"), broken{}))
	r.Host, r.ContentLength = "localhost", 10
	for k, v := range map[string]string{"Authorization": "Bearer " + o.secret["ann"], "Tus-Resumable": "1.0.0", "Content-Type": chunkType, "Upload-Offset": "0"} {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "4")
	o.patch(at, 4, "456789").want(204).header("Upload-Offset", "10")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestTusProtocolErrors(t *testing.T) {
	o := newHouse(t)
	at := o.begin(10)
	good := meta("collection", "photos", "path", "g")
	for _, c := range []struct {
		name, method, path string
		body               any
		header             []string
		want               int
	}{
		{"no version", "HEAD", at, nil, []string{"Tus-Resumable", ""}, 412},
		{"another version", "HEAD", at, nil, []string{"Tus-Resumable", "0.2.2"}, 412},
		{"creation without version", "POST", "uploads", nil, []string{"Tus-Resumable", "", "Upload-Length", "1", "Upload-Metadata", good}, 412},
		{"no length", "POST", "uploads", nil, []string{"Upload-Metadata", good}, 400},
		{"length is no number", "POST", "uploads", nil, []string{"Upload-Length", "ten", "Upload-Metadata", good}, 400},
		{"length is negative", "POST", "uploads", nil, []string{"Upload-Length", "-1", "Upload-Metadata", good}, 400},
		{"length has a sign", "POST", "uploads", nil, []string{"Upload-Length", "+1", "Upload-Metadata", good}, 400},
		{"length does not fit", "POST", "uploads", nil, []string{"Upload-Length", "9223372036854775808", "Upload-Metadata", good}, 400},
		{"length is larger than any file", "POST", "uploads", nil, []string{"Upload-Length", "9223372036854775807", "Upload-Metadata", good}, 400},
		{"length comes later", "POST", "uploads", nil, []string{"Upload-Defer-Length", "1", "Upload-Metadata", good}, 400},
		{"no metadata", "POST", "uploads", nil, []string{"Upload-Length", "1"}, 400},
		{"broken metadata", "POST", "uploads", nil, []string{"Upload-Length", "1", "Upload-Metadata", "path !"}, 400},
		{"no path", "POST", "uploads", nil, []string{"Upload-Length", "1", "Upload-Metadata", meta("collection", "photos")}, 400},
		{"a path that leads out", "POST", "uploads", nil, []string{"Upload-Length", "1", "Upload-Metadata", meta("collection", "photos", "path", "../x")}, 400},
		{"no such collection", "POST", "uploads", nil, []string{"Upload-Length", "1", "Upload-Metadata", meta("collection", "none", "path", "x")}, 404},
		{"a hash that is none", "POST", "uploads", nil, []string{"Upload-Length", "1", "Upload-Metadata", good + ",sha256 " + b64("x")}, 400},
		{"bytes of another type at creation", "POST", "uploads", "x", []string{"Upload-Length", "1", "Upload-Metadata", good, "Content-Type", "text/plain"}, 415},
		{"bytes without a type at creation", "POST", "uploads", "x", []string{"Upload-Length", "1", "Upload-Metadata", good}, 415},
		{"no offset", "PATCH", at, "x", []string{"Content-Type", chunkType}, 400},
		{"a negative offset", "PATCH", at, "x", []string{"Content-Type", chunkType, "Upload-Offset", "-1"}, 400},
		{"an offset behind what is there", "PATCH", at, "x", []string{"Content-Type", chunkType, "Upload-Offset", "3"}, 409},
		{"an offset behind the end", "PATCH", at, "x", []string{"Content-Type", chunkType, "Upload-Offset", "30"}, 409},
		{"bytes without a type", "PATCH", at, "x", []string{"Upload-Offset", "0"}, 415},
		{"bytes of another type", "PATCH", at, "x", []string{"Upload-Offset", "0", "Content-Type", "application/octet-stream"}, 415},
		{"no such upload", "PATCH", "uploads/none", "x", []string{"Content-Type", chunkType, "Upload-Offset", "0"}, 404},
		{"an upload that is no name", "HEAD", "uploads/NO%20NE", nil, nil, 404},
		{"POST without the method that is meant", "POST", at, nil, nil, 405},
		{"POST that means GET", "POST", at, nil, []string{"X-HTTP-Method-Override", "GET"}, 405},
		{"nobody", "HEAD", at, nil, []string{"Authorization", ""}, 401},
		{"a link that is none", "HEAD", at, nil, []string{"Tandem-Link", "abcdefghijklmnopqrstuv"}, 404},
		{"a link that is none, in the path", "HEAD", "shared/abcdefghijklmnopqrstuv/uploads/x", nil, nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := o.tus("ann", c.method, c.path, c.body, c.header...)
			if r.Code != c.want {
				t.Errorf("%d %s, want %d", r.Code, r.Body, c.want)
			}
			r.header("Tus-Resumable", "1.0.0")
			if c.want == 412 {
				r.header("Tus-Version", "1.0.0")
			}
		})
	}
	o.tus("ann", "HEAD", at, nil).want(200).header("Upload-Offset", "0")
	var c api.Collection
	o.do("ann", "GET", "collections/photos", nil).want(200).into(&c)
	if c.Reserved != 10 {
		t.Errorf("%d bytes are set aside for an upload of 10", c.Reserved)
	}
}

func TestTusOverride(t *testing.T) {
	o := newHouse(t)
	at := o.begin(4)
	o.tus("ann", "POST", at, "0123", "X-HTTP-Method-Override", "PATCH", "Content-Type", chunkType, "Upload-Offset", "0").want(204).header("Upload-Offset", "4")
	at = o.begin(4)
	o.tus("ann", "POST", at, nil, "X-HTTP-Method-Override", "HEAD").want(200).header("Upload-Offset", "0")
	o.tus("ann", "POST", at, nil, "X-HTTP-Method-Override", "DELETE").want(204)
}

// The same upload link works by the path, by a header, and by metadata; the
// Location leads back to where the link is known.
func TestTusByLink(t *testing.T) {
	o := newHouse(t)
	o.do("ann", "POST", "collections/photos/entries/inbox", nil).want(201)
	link, token := o.link(api.NewLink{Path: "inbox", Kind: "upload", MaxBytes: 20})
	shared := v1 + "shared/" + token + "/uploads/"
	for i, c := range []struct {
		name, root, meta string
		header           []string
		location         string
	}{
		{"below the link", "shared/" + token + "/uploads", "", nil, shared},
		{"below the page of the link", "/s/" + token + "/uploads", "", nil, "/s/" + token + "/uploads/"},
		{"by a header", "uploads", "", []string{"Tandem-Link", token}, v1 + "uploads/"},
		{"by metadata", "uploads", "," + meta("link", token), nil, shared},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := append([]string{"Upload-Length", "4", "Upload-Metadata", meta("path", "f.txt") + c.meta}, c.header...)
			r := o.tus("", "POST", c.root, nil, header...).want(201)
			at := o.location(r)
			if !strings.HasPrefix(at, c.location) {
				t.Fatalf("Location %s", at)
			}
			want := "f.txt"
			if i > 0 {
				want = fmt.Sprintf("f%%20%%28%d%%29.txt", i+1)
			}
			header = append([]string{"Content-Type", chunkType, "Upload-Offset", "0"}, c.header...)
			got := o.tus("", "PATCH", at, "0123", header...).want(204).Header().Get("Tandem-Path")
			if strings.NewReplacer("(", "%28", ")", "%29").Replace(got) != want {
				t.Errorf("became %s, want %s", got, want)
			}
			if r := o.tus("ann", "HEAD", "uploads/"+at[strings.LastIndex(at, "/")+1:], nil); r.Code != 404 {
				t.Errorf("an account reaches it without the link: %d", r.Code)
			}
		})
	}
	o.tus("", "POST", "shared/"+token+"/uploads", nil, "Upload-Length", "5", "Upload-Metadata", meta("path", "g")).problem(413, "quota")
	o.do("", "GET", "shared/"+token+"/entries/", nil).problem(403, "permission")
	o.do("", "GET", "/s/"+token+"/files/f.txt", nil).problem(403, "permission")
	o.do("ann", "DELETE", fmt.Sprintf("links/%d", link.ID), nil).want(204)
	o.tus("", "POST", "shared/"+token+"/uploads", nil, "Upload-Length", "1", "Upload-Metadata", meta("path", "g")).problem(410, "gone")
}
