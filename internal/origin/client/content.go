package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Range is bytes of one file, for who checks them against hashes of its own.
type Range struct {
	Path     string // of the file, below the Tree's place
	Off, Len int64
	Size     int64  // of the file
	Root     string // hex BEP 52 root the file must have; "": not known

	Node, Share string // who asks, for which share: peer ID, hex info-hash; Node "": served as a browser is
	First, Last int    // pieces the bytes lie in
}

// Ranged is what a server sends of a Range.
type Ranged struct {
	io.ReadCloser
	Sequential bool // it takes no ranges here: this is the file from its beginning
}

// Elsewhere is a server's answer to a Range that peers should be asked, or later again.
type Elsewhere struct{ api.Elsewhere }

// Error implements error.
func (e *Elsewhere) Error() string { return "the server points elsewhere" }

// maxElsewhere bounds that answer: a bitfield of 2^21 pieces in base64, and addresses.
const maxElsewhere = 1 << 20

// Content asks for r, once. What comes is at most r.Len bytes, or r.Size of a sequential
// stream, may end early, and is unchecked. Errors are *Elsewhere, of kind fault.Changed
// (the server has other content there), fault.Protocol, or as of every call.
func (t Tree) Content(ctx context.Context, r Range) (*Ranged, error) {
	req := t.request(request{method: http.MethodGet, path: t.contentPath(r.Path), ranged: true, header: http.Header{
		"Range": {fmt.Sprintf("bytes=%d-%d", r.Off, r.Off+r.Len-1)},
	}})
	if r.Node != "" {
		req.header[api.HeaderNode] = []string{r.Node}
		req.header[api.HeaderShare] = []string{r.Share}
		req.header[api.HeaderPieces] = []string{fmt.Sprintf("%d-%d", r.First, r.Last)}
	}
	if r.Root != "" {
		req.header[api.HeaderRoot] = []string{r.Root}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	dog := watch(cancel)
	end := func() {
		dog.stop()
		cancel(nil)
	}
	res, err := t.c.try(ctx, req)
	if err == nil {
		var out *Ranged
		if out, err = r.check(res, &ranged{ctx: ctx, body: res.Body, dog: dog, end: end}); err == nil {
			return out, nil
		}
		_ = res.Body.Close()
	}
	err = stalled(ctx, err)
	end()
	if p := (*Problem)(nil); errors.As(err, &p) &&
		(p.Status == http.StatusPreconditionFailed || p.Status == http.StatusRequestedRangeNotSatisfiable) {
		return nil, fault.Wrap(fault.Changed, err)
	}
	return nil, err
}

// check looks whether the answer is what was asked for.
func (r Range) check(res *http.Response, body *ranged) (*Ranged, error) {
	if enc := res.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, fault.Errorf(fault.Protocol, "the server sent content encoded as %q", enc)
	}
	switch res.StatusCode {
	case http.StatusPartialContent:
		start, end, size, ok := contentSpan(res.Header.Get("Content-Range"))
		switch {
		case !ok || start != r.Off || end >= r.Off+r.Len || res.ContentLength >= 0 && res.ContentLength != end-start+1:
			return nil, fault.Errorf(fault.Protocol, "the server sent %q, asked for were %d bytes at %d", res.Header.Get("Content-Range"), r.Len, r.Off)
		case size != r.Size:
			return nil, fault.Errorf(fault.Changed, "the server's file has %d bytes, not %d", size, r.Size)
		}
		body.left = end - start + 1
		return &Ranged{ReadCloser: body}, nil
	case http.StatusOK:
		if res.ContentLength >= 0 && res.ContentLength != r.Size {
			return nil, fault.Errorf(fault.Protocol, "the server sent %d bytes of a file of %d", res.ContentLength, r.Size)
		}
		body.left = r.Size
		return &Ranged{ReadCloser: body, Sequential: true}, nil
	}
	return nil, fault.Errorf(fault.Protocol, "the server answered %s to a range", res.Status)
}

// ranged is a body that is cut when a Read of it waits for too long, and at its length.
type ranged struct {
	ctx  context.Context // of the request
	body io.ReadCloser
	left int64
	dog  watchdog
	end  func()
}

// Read implements io.Reader. Only waiting for the server counts as a stall: who reads may take their time.
func (b *ranged) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	b.dog.moved()
	n, err := b.body.Read(p[:min(int64(len(p)), b.left)])
	b.dog.stop()
	b.left -= int64(n)
	switch {
	case err == nil || errors.Is(err, io.EOF) && b.left <= 0:
		return n, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if cause := context.Cause(b.ctx); cause != nil && !errors.Is(cause, errStalled) {
		return n, fault.Wrap(fault.Closed, cause)
	}
	return n, stalled(b.ctx, fault.Wrap(fault.Unreachable, &lost{err: fmt.Errorf("the download broke off: %w", err)}))
}

// Close implements io.Closer. The connection is used again when all was read.
func (b *ranged) Close() error {
	err := b.body.Close()
	b.end()
	return err
}

// readElsewhere reads the body of 300 Multiple Choices.
func readElsewhere(res *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, maxElsewhere+1))
	if err != nil {
		return fault.Wrap(fault.Unreachable, &lost{err: fmt.Errorf("read the server's answer: %w", err)})
	}
	e := &Elsewhere{}
	if len(data) > maxElsewhere || json.Unmarshal(data, &e.Elsewhere) != nil {
		return fault.Errorf(fault.Protocol, "the server points elsewhere in a form that this client does not know")
	}
	return e
}

// most is how long a node lets itself be sent away at most.
const most = time.Minute

// Pause is how long not to ask for what was refused.
func (e *Elsewhere) Pause() time.Duration {
	return time.Duration(min(max(int64(e.After), 0), int64(most/time.Millisecond))) * time.Millisecond
}

// Addrs returns who holds it, as far as they are addresses.
func (e *Elsewhere) Addrs() []netip.AddrPort { return Addrs(e.Peers) }

// maxAddrs bounds how many addresses a server may name at a time.
const maxAddrs = 256

// Addrs reads addresses of nodes, leaving out what is none.
func Addrs(list []string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, text := range list[:min(len(list), maxAddrs)] {
		if a, err := netip.ParseAddrPort(text); err == nil && a.Port() != 0 && !a.Addr().IsUnspecified() {
			out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
		}
	}
	return out
}
