package rest

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// outgoing is content on its way out through the gate.
type outgoing struct {
	x       *exchange
	c       origin.Caller
	request context.Context
	asked   origin.Asked
	share   content.Hash // that it is part of, for the ledger
	pass    *origin.Pass // nil: before the first byte, of who is no node

	mu    sync.Mutex      // guards the fields below
	ctx   context.Context // ends with the request, and when its permission ends; nil: nobody has waited yet
	stop  context.CancelCauseFunc
	ended error // why nothing more is to go out
	over  bool
}

// waiting returns the context of whoever waits for something. Most answers go out without.
func (o *outgoing) waiting() context.Context {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx == nil {
		o.ctx, o.stop = context.WithCancelCause(o.request)
		if o.ended != nil {
			o.stop(o.ended)
		}
	}
	return o.ctx
}

// end ends waiting; nil: it is all over.
func (o *outgoing) end(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = why
	if o.stop != nil {
		o.stop(why)
	}
}

// What the kernel may hold unsent of a connection before more is asked for: who does not take what
// it was given holds up nobody else's, and what waits there leaves in one burst.
const (
	maxUnsent = 64 << 10
	lookEvery = 20 * time.Millisecond
)

// lets makes what is written from now on go through the gate. Its close is to be called when it is over, and its cut
// when the permission ends.
func (x *exchange) lets(c origin.Caller) *outgoing {
	o := &outgoing{x: x, c: c, request: x.r.Context(), asked: origin.Asked{Remote: x.remote}}
	x.out = o
	return o
}

// cut ends the answer at once; it is called from another goroutine.
func (o *outgoing) cut() {
	o.end(fault.Errorf(fault.Permission, "the permission has ended"))
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over { // the connection may carry somebody else's request
		return
	}
	// A writer that knows no deadlines is one of a test; nothing can be ended there.
	if http.NewResponseController(o.x.inner).SetWriteDeadline(time.Unix(1, 0)) == nil {
		o.x.h.metrics.cut.Inc()
	}
}

// close counts what went out.
func (o *outgoing) close() {
	o.mu.Lock()
	o.over = true
	o.mu.Unlock()
	o.end(nil)
	if o.pass == nil {
		return
	}
	x := o.x
	gives := x.gives()
	o.pass.Close(gives && x.broken == nil && x.sent >= o.asked.Bytes)
	if gives && x.sent > 0 {
		x.h.cfg.Server.Sent(o.c, o.share, o.asked.Node, x.sent)
	}
}

// gives reports whether the answer is content, rather than what stands for it.
func (x *exchange) gives() bool {
	return x.out != nil && (x.status == http.StatusOK || x.status == http.StatusPartialContent)
}

// take waits until some of n bytes of content may be sent, and returns how many.
func (x *exchange) take(n int64) (int64, error) {
	o := x.out
	if o.pass == nil {
		if size, err := strconv.ParseInt(x.Header().Get("Content-Length"), 10, 64); err == nil {
			o.asked.Bytes = size
		}
		o.pass, _ = x.h.cfg.Gate.Admit(o.asked) // browsers are always let in
	}
	if x.h.cfg.Gate.Paced() {
		if err := x.drained(); err != nil {
			return 0, err
		}
	}
	if now, err := o.pass.Ask(n); now > 0 || err != nil {
		return now, err
	}
	x.Flush() // the header goes first, so that the client knows that it is being served
	return o.pass.Wait(o.waiting())
}

// drained waits until the client has taken most of what it was sent.
func (x *exchange) drained() error {
	if x.socket == nil {
		return nil
	}
	for {
		if unsent, ok := x.h.watch.unsent(x.socket.conn); !ok || unsent <= maxUnsent {
			return nil
		}
		t := time.NewTimer(lookEvery)
		select {
		case <-t.C:
		case <-x.out.waiting().Done():
			t.Stop()
			return context.Cause(x.out.waiting())
		}
	}
}

// writeOut is Write for content.
func (x *exchange) writeOut(p []byte) (sent int, err error) {
	for len(p) > 0 && err == nil {
		var may int64
		if may, err = x.take(int64(len(p))); err != nil {
			break
		}
		var n int
		n, err = x.inner.Write(p[:may])
		x.out.pass.Sent(int64(n))
		p, sent = p[n:], sent+n
	}
	return sent, err
}

// readOut is ReadFrom for content. What it hands on is as bare as what it gets, so that the kernel
// sends files by itself.
func (x *exchange) readOut(src io.Reader) (sent int64, err error) {
	const unknown = 1 << 62
	left := int64(unknown)
	if cut, ok := src.(*io.LimitedReader); ok {
		src, left = cut.R, cut.N
		defer func() { cut.N -= sent }()
	}
	for left > 0 {
		may, err := x.take(left)
		if err != nil {
			return sent, err
		}
		n, err := x.copyOut(&io.LimitedReader{R: src, N: may})
		x.out.pass.Sent(n)
		sent += n
		left -= n
		if err != nil || n < may { // the end
			return sent, err
		}
	}
	return sent, nil
}

func (x *exchange) copyOut(src io.Reader) (int64, error) {
	if to, ok := x.inner.(io.ReaderFrom); ok {
		if x.inOnePiece() {
			cork(x.socket.raw, true)
			defer cork(x.socket.raw, false)
		}
		if x.out != nil && x.out.asked.Bytes > sniffed {
			x.Flush()
		}
		return to.ReadFrom(src)
	}
	return io.Copy(x.inner, src) // HTTP/2
}

// askGate asks whether a node is to be given content of a file of size bytes; true: it was answered that it is to go
// elsewhere. Others are always let in, with their first byte.
func (x *exchange) askGate(c origin.Caller, size int64) (answered bool, _ error) {
	a, node, err := x.nodeAsks(size)
	if err != nil || !node {
		return false, err
	}
	x.out.share = a.Share
	a.Share = x.h.cfg.Server.CrowdOf(c, a.Share)
	x.out.asked = a
	pass, elsewhere := x.h.cfg.Gate.Admit(a)
	if elsewhere != nil {
		return true, x.pointElsewhere(elsewhere)
	}
	x.out.pass = pass
	return false, nil
}

// nodeAsks reads what a node says of a request for content of size bytes; false for anybody else's, who
// is served as a browser is.
func (x *exchange) nodeAsks(size int64) (a origin.Asked, _ bool, err error) {
	h := x.r.Header
	if h.Get(api.HeaderNode) == "" || h.Get(api.HeaderShare) == "" || h.Get(api.HeaderPieces) == "" {
		return a, false, nil
	}
	if a.Node, err = nodeOf(h); err != nil {
		return a, false, err
	}
	if a.Share, err = parseHash(api.HeaderShare, h.Get(api.HeaderShare)); err != nil {
		return a, false, err
	}
	first, last, ok := strings.Cut(h.Get(api.HeaderPieces), "-")
	from, good := digits(first)
	to, fine := digits(last)
	if !ok || !good || !fine || from > to || to > 1<<31-1 {
		return a, false, fault.Errorf(fault.Invalid, "%s is not of the form FIRST-LAST", api.HeaderPieces)
	}
	a.Remote, a.First, a.Last = x.remote, int(from), int(to)
	a.Bytes = oneRange(h.Get("Range"), size)
	return a, true, nil
}

// nodeOf returns the node that a request says it comes from; zero: none.
func nodeOf(h http.Header) (peer.ID, error) {
	text := h.Get(api.HeaderNode)
	if text == "" {
		return peer.ID{}, nil
	}
	id, err := peer.ParseID(text)
	if err != nil || id.IsZero() {
		return peer.ID{}, fault.Errorf(fault.Invalid, "%s is no peer ID: %q", api.HeaderNode, text)
	}
	return id, nil
}

// unchanged refuses a request for content that has other content by now, so that a node never gets a mix.
func unchanged(h http.Header, root [32]byte) error {
	if h.Get(api.HeaderRoot) == "" {
		return nil
	}
	want, err := parseHash(api.HeaderRoot, h.Get(api.HeaderRoot))
	if err != nil {
		return err
	}
	if want != root {
		return fault.Errorf(fault.Changed, "the file has other content by now: there is a newer version")
	}
	return nil
}

// pointElsewhere answers a node that is to fetch from peers, or later.
func (x *exchange) pointElsewhere(e *origin.Elsewhere) error {
	x.h.metrics.elsewhere.Inc()
	out := api.Elsewhere{Peers: addrTexts(e.Peers), After: int(max(e.After.Milliseconds(), 1))}
	if e.Taken != nil {
		out.Taken = e.Taken.Bytes()
	}
	return x.json(http.StatusMultipleChoices, out)
}
