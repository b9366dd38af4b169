package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"tandem/internal/fault"
)

// Download is one file on its way from the server.
type Download struct {
	Path     string
	Version  int64 // 0: the current one
	Size     int64
	SHA256   string // hex
	Modified time.Time

	Root   *os.Root    // where it goes
	Name   string      // below Root, "/" between names
	Suffix string      // of the file while it is on its way; "": .part
	Force  bool        // replace what is there
	Seen   func(int64) // bytes that arrived or were there; negative when they come again. nil: nobody
}

// Download fetches a file into NAME.part, goes on with what an earlier try left there, and
// gives it its name when its SHA-256 is right. Beside the server's problems, errors are of
// kind fault.Exists (something else has the name), fault.Corrupt, fault.Full and
// fault.Permission.
func (t Tree) Download(ctx context.Context, d Download) error {
	if d.Suffix == "" {
		d.Suffix = ".part"
	}
	if d.Seen == nil {
		d.Seen = func(int64) {}
	}
	if err := checkName(d.Name); err != nil {
		return err
	}
	p, err := openPart(d.Root, d.Name+d.Suffix, partState{SHA256: d.SHA256, Size: d.Size})
	if err != nil {
		return err
	}
	defer p.file.Close()
	r := &receiving{t: t, d: d, part: p, patience: t.c.patience()}
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	if err := r.run(ctx); err != nil {
		return err
	}
	return p.finish(d.Name, d.Modified, d.Force)
}

// receiving is one Download.
type receiving struct {
	t         Tree
	d         Download
	part      *part
	patience  *patience
	s         *summer // has seen the part's first at bytes; nil: ended
	at        int64
	restarted bool // because of a wrong hash
}

// begin hashes what is there.
func (r *receiving) begin(ctx context.Context) error {
	size, err := r.part.size()
	if err != nil {
		return err
	}
	if size > r.part.state.Size {
		if err := r.part.file.Truncate(0); err != nil {
			return fileFault(err)
		}
		size = 0
	}
	h, err := hashOn(ctx, sha256.New(), io.NewSectionReader(r.part.file, 0, size), r.d.Seen)
	if err != nil {
		return fileFault(err)
	}
	r.s, r.at = newSummer(h), size
	return nil
}

func (r *receiving) end() {
	if r.s != nil {
		r.s.sum()
		r.s = nil
	}
}

// again empties the part; want is the content that will be in it.
func (r *receiving) again(want partState) error {
	r.end()
	r.d.Seen(-r.at)
	r.s, r.at = newSummer(sha256.New()), 0
	return r.part.become(want)
}

// run receives until the content is whole and right.
func (r *receiving) run(ctx context.Context) error {
	for {
		for r.at < r.part.state.Size {
			before := r.at
			err := r.receive(ctx)
			if r.at > before {
				r.patience.progress()
			}
			if err == nil {
				continue
			}
			if err := r.patience.again(ctx, err); err != nil {
				return err
			}
		}
		sum := hexSum(r.s.sum())
		r.s = nil
		if sum == r.part.state.SHA256 {
			return nil
		}
		if r.restarted {
			return fault.Errorf(fault.Corrupt, "%s arrived with SHA-256 %s instead of %s, twice", r.d.Name, sum, r.part.state.SHA256)
		}
		r.restarted = true
		if err := r.again(r.part.state); err != nil {
			return err
		}
	}
}

// receive asks for what is missing and takes what comes.
func (r *receiving) receive(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watch(cancel)
	defer dog.stop()
	req := r.t.request(request{method: http.MethodGet, path: r.t.contentPath(r.d.Path), header: http.Header{}})
	if r.d.Version != 0 {
		req.query = url.Values{"version": {number(r.d.Version)}}
	}
	if r.at > 0 {
		req.header.Set("Range", fmt.Sprintf("bytes=%d-", r.at))
		req.header.Set("If-Range", `"`+r.part.state.SHA256+`"`)
	}
	res, err := r.t.c.try(ctx, req)
	if p := (*Problem)(nil); errors.As(err, &p) && p.Status == http.StatusRequestedRangeNotSatisfiable && r.at > 0 {
		return r.again(r.part.state)
	}
	if err != nil {
		return stalled(ctx, err)
	}
	defer res.Body.Close()
	if err := r.check(res); err != nil {
		return err
	}
	return r.take(ctx, res.Body, dog)
}

// check looks whether what comes continues what is there, and begins anew when
// the content is another one by now.
func (r *receiving) check(res *http.Response) error {
	sum := digestOf(res.Header)
	if res.StatusCode == http.StatusPartialContent {
		start, size, ok := contentRange(res.Header.Get("Content-Range"))
		if !ok || start != r.at || size != r.part.state.Size || sum != "" && sum != r.part.state.SHA256 {
			return fault.Errorf(fault.Protocol, "the server sent %q of %s, asked for was %d on", res.Header.Get("Content-Range"), sum, r.at)
		}
		return nil
	}
	if sum == "" || res.ContentLength < 0 {
		return fault.Errorf(fault.Protocol, "the server names no hash or size of what it sends")
	}
	now := partState{Tandem: 1, SHA256: sum, Size: res.ContentLength}
	if r.at == 0 && now == r.part.state {
		return nil
	}
	return r.again(now)
}

// contentRange reads "bytes 5-9/10".
func contentRange(v string) (start, size int64, ok bool) {
	start, _, size, ok = contentSpan(v)
	return start, size, ok
}

// contentSpan is contentRange with the last byte.
func contentSpan(v string) (start, end, size int64, ok bool) {
	v, ok = strings.CutPrefix(v, "bytes ")
	span, total, ok2 := strings.Cut(v, "/")
	first, last, ok3 := strings.Cut(span, "-")
	start, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	ok = ok && ok2 && ok3 && err1 == nil && err2 == nil && err3 == nil
	return start, end, size, ok && 0 <= start && start <= end && end < size
}

// take appends what arrives; what arrived before a failure stays.
func (r *receiving) take(ctx context.Context, body io.Reader, dog watchdog) error {
	for r.at < r.part.state.Size {
		b := r.s.block()
		n, err := body.Read(b[:min(int64(len(b)), r.part.state.Size-r.at)])
		if n > 0 {
			dog.moved()
			if _, werr := r.part.file.WriteAt(b[:n], r.at); werr != nil {
				r.s.add(b[:0])
				return fileFault(werr)
			}
			r.at += int64(n)
			r.d.Seen(int64(n))
		}
		r.s.add(b[:n])
		if err != nil && r.at < r.part.state.Size {
			return r.broke(ctx, err)
		}
	}
	_, _ = io.CopyN(io.Discard, body, 1) // sees the end, so that the connection can be used again
	return nil
}

func (r *receiving) broke(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errStalled) {
		return fault.Wrap(fault.Closed, cause)
	}
	return stalled(ctx, fault.Wrap(fault.Unreachable, &lost{err: fmt.Errorf("the download broke off: %w", err)}))
}
