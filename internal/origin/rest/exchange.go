package rest

import (
	"io"
	"net/http"
	"net/netip"
	"time"

	"tandem/internal/origin"
)

// exchange is one request and its answer. It is the ResponseWriter that every
// route writes to, and counts what passes. It keeps ReadFrom, without which
// net/http would copy files through memory instead of having the kernel send
// them.
type exchange struct {
	inner http.ResponseWriter
	h     *Handler
	r     *http.Request

	route  *route
	begun  time.Time
	id     string
	remote netip.Addr
	secure bool // TLS, to here or to a trusted proxy
	// proxied says that somebody claims to forward for somebody else, believed or not.
	proxied bool
	socket  *socket   // nil when ConfigureServer was not used
	out     *outgoing // nil: what is written is no content

	status int   // 0: header not written
	sent   int64 // bytes of the body
	broken error // of the first write that failed
	err    error // what became a problem, for the log
	abort  bool  // break the connection off: the answer cannot be completed

	caller origin.Caller
	asked  bool // caller is set
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.inner.Header() }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.inner.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	write := x.inner.Write
	if x.gives() {
		write = x.writeOut
	}
	n, err := write(p)
	x.sent += int64(n)
	x.failed(err)
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that files go from the page cache to
// the socket.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	read := x.copyOut
	if x.gives() {
		read = x.readOut
	}
	n, err := read(src)
	x.sent += n
	x.failed(err)
	return n, err
}

func (x *exchange) failed(err error) {
	if err != nil && x.broken == nil {
		x.broken = err
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.inner }

// Flush implements http.Flusher.
func (x *exchange) Flush() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if f, ok := x.inner.(http.Flusher); ok {
		f.Flush()
	}
}

// asker returns who asks, by bearer secret or session cookie. A secret that
// does not hold is an error; none at all is not, and gives nobody.
func (x *exchange) asker() (origin.Caller, error) {
	if x.asked {
		return x.caller, nil
	}
	c := x.nobody()
	if secret := secretOf(x.r); secret != "" {
		var err error
		if c, err = x.h.cfg.Server.Authenticate(x.r.Context(), c, secret); err != nil {
			return x.nobody(), err
		}
	}
	x.caller, x.asked = c, true
	return c, nil
}

func (x *exchange) nobody() origin.Caller {
	return origin.Caller{Remote: x.remote, Request: x.id}
}
