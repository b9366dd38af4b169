package rest

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// statusError is an error whose status is not that of its kind.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// withStatus makes err answer with status; nil stays nil.
func withStatus(status int, err error) error {
	if err == nil {
		return nil
	}
	return &statusError{status, err}
}

// statusClosed is what the log says of a client that went away; nobody is left to
// read it.
const statusClosed = 499

// statusChecksum is tus's answer to a chunk that does not match its checksum.
const statusChecksum = 460

// meaning is what a kind of failure is to a client.
type meaning struct {
	status int
	title  string
}

func meaningOf(k fault.Kind) meaning {
	switch k {
	case fault.Invalid, fault.Protocol:
		return meaning{http.StatusBadRequest, "The request is malformed"}
	case fault.Unauthenticated:
		return meaning{http.StatusUnauthorized, "Sign in first"}
	case fault.Permission:
		return meaning{http.StatusForbidden, "You may not do this"}
	case fault.Refused:
		return meaning{http.StatusForbidden, "The request was refused"}
	case fault.NotFound:
		return meaning{http.StatusNotFound, "There is no such thing here"}
	case fault.Exists, fault.Conflict:
		return meaning{http.StatusConflict, "Something else is there already"}
	case fault.Busy:
		return meaning{http.StatusLocked, "In use by somebody else"}
	case fault.Gone:
		return meaning{http.StatusGone, "This has ended"}
	case fault.Precondition, fault.Changed:
		return meaning{http.StatusPreconditionFailed, "It is not as the request expects"}
	case fault.Quota:
		return meaning{http.StatusRequestEntityTooLarge, "Over quota"}
	case fault.Corrupt:
		return meaning{http.StatusUnprocessableEntity, "The content does not match its hash"}
	case fault.Limited:
		return meaning{http.StatusTooManyRequests, "Too many attempts"}
	case fault.Full:
		return meaning{http.StatusInsufficientStorage, "The server has no room left"}
	case fault.Unreachable:
		return meaning{http.StatusServiceUnavailable, "The server cannot reach its database or its storage"}
	case fault.Closed:
		return meaning{http.StatusServiceUnavailable, "The server is stopping"}
	case fault.Timeout:
		return meaning{http.StatusRequestTimeout, "Nothing came in time"}
	}
	return meaning{http.StatusInternalServerError, "Something went wrong on the server"}
}

// ProblemOf describes err to a client: status, kind, a plain sentence, and
// nothing of what only the log may know.
func ProblemOf(err error) api.Problem {
	kind := fault.KindOf(err)
	m := meaningOf(kind)
	var own *statusError
	if errors.As(err, &own) {
		m.status = own.status
	}
	p := api.Problem{Title: m.title, Status: m.status, Kind: kind.String()}
	p.Type = "tag:tandem,2026:problem/" + p.Kind
	if m.status < 500 || kind == fault.Full {
		p.Detail = err.Error()
	}
	p.RetryAfter = retryAfter(kind, err)
	return p
}

// retryAfter returns the seconds after which trying again makes sense, 0: never
// the same way.
func retryAfter(kind fault.Kind, err error) int {
	if wait, ok := origin.RetryAfter(err); ok {
		return max(1, int(math.Ceil(wait.Seconds())))
	}
	switch kind {
	case fault.Limited, fault.Busy:
		return 1
	case fault.Unreachable, fault.Closed:
		return 5
	}
	return 0
}

// fail answers with err as a problem, or breaks the answer off when its header is
// out already.
func (x *exchange) fail(err error) {
	x.err = err
	if x.gone() {
		if x.status == 0 {
			x.status = statusClosed
		}
		x.abort = true
		return
	}
	if x.status != 0 {
		x.abort = true
		return
	}
	p := ProblemOf(err)
	p.Request = x.id
	h := x.Header()
	for _, name := range [...]string{"Content-Length", "Content-Disposition", "Content-Range", "Etag", "Last-Modified", "Repr-Digest"} {
		delete(h, name)
	}
	h["Cache-Control"] = noStore
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", x.challenge())
	}
	if show := x.h.cfg.ProblemPage; show != nil && x.route.browsed && wantsHTML(x.r) {
		h.Del("WWW-Authenticate") // the page asks; the browser's own window would hide it
		show(x, x.r, p)
		return
	}
	h.Set("Content-Type", "application/problem+json")
	x.writeJSON(p.Status, p)
}

// gone reports whether nobody is left to read an answer. That is also how it looks to
// net/http when we ended the reading of the body ourselves.
func (x *exchange) gone() bool {
	if b, ok := x.r.Body.(*body); ok && b.ended.Load() {
		return false
	}
	return x.r.Context().Err() != nil
}

// challenge says how to prove who one is.
func (x *exchange) challenge() string {
	if x.route.auth == byLink {
		return `Basic realm="link", charset="UTF-8"`
	}
	return `Bearer realm="tandem"`
}

// wantsHTML reports whether r comes from somebody who looks at pages.
func wantsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// json answers with v.
func (x *exchange) json(status int, v any) error {
	h := x.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	x.writeJSON(status, v)
	return nil
}

func (x *exchange) writeJSON(status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // only what this package made is written
		panic(err)
	}
	x.WriteHeader(status)
	_, _ = x.Write(append(b, '\n')) // a client that is gone is noticed by net/http
}

// nothing answers that it is done.
func (x *exchange) nothing() error {
	x.Header()["Cache-Control"] = noStore
	x.WriteHeader(http.StatusNoContent)
	return nil
}

// expiry returns when as a pointer, nil for never.
func expiry(when time.Time) *time.Time {
	if when.IsZero() {
		return nil
	}
	when = when.UTC()
	return &when
}
