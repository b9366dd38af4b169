package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Upload is one file on its way to the server.
type Upload struct {
	Path     string
	Content  io.ReaderAt
	Size     int64
	Modified time.Time
	IfAbsent bool   // fault.Precondition when the name is taken
	SHA256   string // hex, if known already: the server refuses other content; "": not known

	ID    string          // of an upload that broke off earlier, to go on with; "": none
	Began func(id string) // told the ID to remember; "": there is nothing to go on with any more. nil: nobody
	Seen  func(n int64)   // bytes on their way; negative when some have to be sent again. nil: nobody
}

// Upload sends a file over a connection that may break at any point (tus 1.0)
// and returns the SHA-256 of what was sent, which the server has confirmed. Beside
// the server's problems, errors are of kind fault.Changed (the file changed meanwhile)
// and fault.Corrupt (the server received something else).
func (t Tree) Upload(ctx context.Context, u Upload) (string, error) {
	if u.Began == nil {
		u.Began = func(string) {}
	}
	if u.Seen == nil {
		u.Seen = func(int64) {}
	}
	s := &sending{t: t, u: u, id: u.ID, patience: t.c.patience()}
	resumed := u.ID != ""
	for {
		done, err := s.step(ctx)
		if done {
			u.Began("")
			return s.confirm(ctx)
		}
		gone := s.id != "" && (errors.Is(err, fault.NotFound) || errors.Is(err, fault.Gone))
		if gone && s.arrived(ctx) { // only the answer to the last byte was lost
			u.Began("")
			return s.sum, nil
		}
		if gone && resumed { // it waited too long: begin anew, once
			resumed = false
			s.restart()
			u.Began("")
			continue
		}
		if err != nil {
			if gone || errors.Is(err, fault.Corrupt) {
				u.Began("")
			}
			return "", err
		}
	}
}

// sending is one Upload.
type sending struct {
	t        Tree
	u        Upload
	id       string
	patience *patience

	offset    int64 // the server's
	known     bool  // offset is
	conflicts int   // in a row
	mark      snapshot
	sent      int64  // of u.Seen
	sum       string // of everything, at the end
	server    string // the SHA-256 that the server named at the end, "" when it did not
}

// step creates the upload, asks how far it is, or sends what is missing. A failure
// that may pass is waited for and no error.
func (s *sending) step(ctx context.Context) (done bool, err error) {
	switch {
	case s.id == "":
		err = s.create(ctx)
	case !s.known:
		err = s.ask(ctx)
	case s.offset == s.u.Size:
		return true, s.hashUpTo(ctx, s.u.Size)
	default:
		before := s.offset
		if err = s.patch(ctx); err == nil && s.offset == before {
			err = fault.Errorf(fault.Protocol, "the server took nothing and said that all is well")
		}
	}
	if err == nil {
		return false, nil
	}
	s.known = false
	if p := (*Problem)(nil); errors.As(err, &p) && p.Status == http.StatusConflict && s.id != "" && s.conflicts < 5 {
		s.conflicts++ // another offset than ours: ask again
		return false, nil
	}
	// A creation whose answer was lost is made again; the server clears away
	// what nobody goes on with.
	return false, s.patience.again(ctx, err)
}

func (s *sending) restart() {
	s.id, s.known, s.offset, s.mark, s.server = "", false, 0, snapshot{}, ""
	s.seen(0)
}

// seen makes u.Seen add up to at.
func (s *sending) seen(at int64) {
	s.u.Seen(at - s.sent)
	s.sent = at
}

func (s *sending) route(id string) request {
	root := "uploads"
	if s.t.token != "" {
		root = "shared/" + escape(s.t.token) + "/uploads"
	}
	r := verb("", root)
	if id != "" {
		r = verb("", "uploads/"+escape(id))
	}
	r.header = http.Header{"Tus-Resumable": {"1.0.0"}}
	if s.t.token != "" {
		r.header["Tandem-Link"] = []string{s.t.token}
	}
	return s.t.request(r)
}

func (s *sending) create(ctx context.Context) error {
	r := s.route("")
	r.method = http.MethodPost
	meta := []string{pair("path", s.u.Path)}
	if s.t.token == "" {
		meta = append(meta, pair("collection", s.t.collection))
	} else {
		meta = append(meta, pair("link", s.t.token))
	}
	if s.u.SHA256 != "" {
		meta = append(meta, pair("sha256", s.u.SHA256))
	}
	if !s.u.Modified.IsZero() {
		meta = append(meta, pair("modified", s.u.Modified.UTC().Format(time.RFC3339Nano)))
	}
	if s.u.IfAbsent {
		meta = append(meta, pair("if_absent", "true"))
	}
	r.header.Set("Upload-Metadata", strings.Join(meta, ","))
	r.header.Set("Upload-Length", number(s.u.Size))
	res, err := s.t.c.try(ctx, r)
	if err != nil {
		return err
	}
	defer drain(res.Body)
	id := path.Base(res.Header.Get("Location"))
	if !plainID(id) {
		return fault.Errorf(fault.Protocol, "the server's answer names no upload")
	}
	s.id, s.offset, s.known = id, 0, true
	s.server = digestOf(res.Header)
	s.u.Began(id)
	return nil
}

func pair(key, value string) string {
	return key + " " + base64.StdEncoding.EncodeToString([]byte(value))
}

// plainID reports whether id can be a part of a URL as it is.
func plainID(id string) bool {
	return id != "" && len(id) <= 128 && strings.IndexFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// ask learns how much the server has.
func (s *sending) ask(ctx context.Context) error {
	r := s.route(s.id)
	r.method = http.MethodHead
	res, err := s.t.c.try(ctx, r)
	if err != nil {
		return err
	}
	defer drain(res.Body)
	offset, err := s.offsetOf(res.Header)
	if err != nil {
		return err
	}
	if length := res.Header.Get("Upload-Length"); length != "" && length != number(s.u.Size) {
		return fault.Errorf(fault.Gone, "the server's unfinished upload is of another size")
	}
	s.advance(offset)
	s.known = true
	return nil
}

// advance takes over the server's offset.
func (s *sending) advance(offset int64) {
	if offset > s.offset {
		s.patience.progress()
		s.conflicts = 0
	}
	s.offset = offset
	s.seen(offset)
}

func (s *sending) offsetOf(h http.Header) (int64, error) {
	offset, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 || offset > s.u.Size {
		return 0, fault.Errorf(fault.Protocol, "the server says it has %q bytes of %d", h.Get("Upload-Offset"), s.u.Size)
	}
	return offset, nil
}

// hashUpTo brings the hash of what was sent to offset.
func (s *sending) hashUpTo(ctx context.Context, offset int64) error {
	if s.mark.at > offset {
		s.mark = snapshot{} // the server lost what it had: rare, so hash again
	}
	h, err := hashOn(ctx, s.mark.hash(), io.NewSectionReader(s.u.Content, s.mark.at, offset-s.mark.at), nil)
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	s.mark = take(h, offset)
	if offset == s.u.Size {
		s.sum = hexSum(h)
	}
	return nil
}

// patch sends everything from the offset on.
func (s *sending) patch(ctx context.Context) error {
	if err := s.hashUpTo(ctx, s.offset); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watch(cancel)
	defer dog.stop()
	body := &sendReader{from: s.u.Content, off: s.offset, end: s.u.Size, s: newSummer(s.mark.hash())}
	body.seen = func(n int64) {
		s.seen(s.sent + n)
		if dog.moved(); s.sent == s.u.Size {
			dog.stop() // the server makes it durable
		}
	}
	r := s.route(s.id)
	r.method, r.length = http.MethodPatch, s.u.Size-s.offset
	r.header.Set("Content-Type", "application/offset+octet-stream")
	r.header.Set("Upload-Offset", number(s.offset))
	closed := &closing{from: body, closed: make(chan struct{})}
	r.body = func() (io.Reader, error) { return closed, nil }
	res, err := s.t.c.try(ctx, r)
	if err != nil {
		err = stalled(ctx, err)
		cancel(nil) // the transport may send on after an early answer
	}
	<-closed.closed
	h := body.finish()
	if err != nil {
		return err
	}
	defer drain(res.Body)
	offset, err := s.offsetOf(res.Header)
	if err != nil {
		return err
	}
	s.advance(offset)
	if offset == s.u.Size && body.off == s.u.Size {
		s.mark, s.sum, s.server = take(h, offset), hexSum(h), digestOf(res.Header)
	}
	return nil
}

// arrived reports whether the file is what was to be sent.
func (s *sending) arrived(ctx context.Context) bool {
	if s.t.token != "" {
		return false // an upload link shows nothing
	}
	e, err := s.t.Stat(ctx, s.u.Path)
	return err == nil && e.Kind == "file" && e.Size == s.u.Size &&
		s.hashUpTo(ctx, s.u.Size) == nil && e.SHA256 == s.sum
}

// confirm compares what the server has with what was sent.
func (s *sending) confirm(ctx context.Context) (string, error) {
	if s.server == "" && s.t.token == "" {
		e, err := s.t.Stat(ctx, s.u.Path)
		if err != nil {
			return "", fmt.Errorf("ask for what was uploaded: %w", err)
		}
		s.server = e.SHA256
	}
	if s.server != "" && s.server != s.sum { // an upload link shows nothing
		return "", fault.Errorf(fault.Corrupt, "the server has SHA-256 %s, sent was %s", s.server, s.sum)
	}
	return s.sum, nil
}

// closing is a body that tells when the transport is done with it.
type closing struct {
	mu     sync.Mutex // guards the fields below, and reading
	from   io.Reader
	done   bool
	closed chan struct{}
}

func (c *closing) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return 0, io.ErrClosedPipe
	}
	return c.from.Read(p)
}

// Close may be called more than once.
func (c *closing) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.done = true
		close(c.closed)
	}
	return nil
}

// errStalled is why the watchdog cuts a connection.
var errStalled = errors.New("nothing has moved for a minute")

// stalled makes a failure of what the watchdog has cut one that may pass.
func stalled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return fault.Wrap(fault.Unreachable, &lost{err: errStalled})
	}
	return err
}

// digestOf returns the SHA-256 of a file, in hex, from Repr-Digest or the ETag, which
// is one; "" when there is none.
func digestOf(h http.Header) string {
	for _, part := range strings.Split(strings.Join(h.Values("Repr-Digest"), ","), ",") {
		v, ok := strings.CutPrefix(strings.TrimSpace(part), "sha-256=:")
		if !ok {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(v, ":"))
		if err == nil && len(sum) == sha256.Size {
			return hex.EncodeToString(sum)
		}
	}
	if tag := strings.Trim(h.Get("ETag"), `"`); isSum(tag) {
		return tag
	}
	return ""
}

func isSum(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == sha256.Size && text == strings.ToLower(text)
}

func digestHeader(sum []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

// Put sends a file in one request; when that breaks off it begins again. It is for
// files that are not large: their hash goes ahead.
func (t Tree) Put(ctx context.Context, u Upload) (api.Entry, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(u.Content, 0, u.Size)); err != nil {
		return api.Entry{}, fmt.Errorf("read the file: %w", err)
	}
	r := request{method: http.MethodPut, path: t.contentPath(u.Path), length: u.Size, header: http.Header{
		"Content-Type": {"application/octet-stream"}, "Repr-Digest": {digestHeader(sum.Sum(nil))},
	}}
	if !u.Modified.IsZero() {
		r.query = url.Values{"modified": {u.Modified.UTC().Format(time.RFC3339Nano)}}
	}
	if u.IfAbsent {
		r.header.Set("If-None-Match", "*")
	}
	r.body = func() (io.Reader, error) { return io.NewSectionReader(u.Content, 0, u.Size), nil }
	e, err := one[api.Entry](ctx, t.c, t.request(r), nil)
	switch {
	case err != nil:
		return e, err
	case e.SHA256 != hexSum(sum):
		return e, fault.Errorf(fault.Corrupt, "the server has SHA-256 %s, sent was %s", e.SHA256, hexSum(sum))
	}
	if u.Seen != nil {
		u.Seen(u.Size)
	}
	return e, nil
}
