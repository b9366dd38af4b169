// Package client speaks to a central server over its REST interface: calls with
// retries, uploads and downloads that go on where they stopped, whole folders.
//
// Sources: RFC 9110 (ranges, conditions, Retry-After), RFC 9457 (problems), RFC
// 9530 (Repr-Digest), tus 1.0 (resumable uploads); the shapes are package api's.
// Every byte that arrives is checked against the SHA-256 the server names before
// it gets its final name.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"tandem/internal/fault"
)

// Config is what a Client is made from.
type Config struct {
	URL    string // of the server, such as https://files.example
	Secret string // of a session or an API token; "": nobody
	Agent  string // what we call ourselves
	CA     []byte // PEM of certificates to trust beside the system's; nil: none

	// Notice is told, in a sentence, why nothing happens for a while. It may be
	// called from several goroutines at once. nil: nobody.
	Notice func(string)
	// Patience is how long to try in vain, since the server last answered; 0: a
	// minute.
	Patience time.Duration

	Now       func() time.Time                           // nil: time.Now
	Wait      func(context.Context, time.Duration) error // nil: a timer
	Transport http.RoundTripper                          // nil: our own
}

// Limits of what is read into memory.
const (
	maxProblem = 64 << 10
	maxAnswer  = 64 << 20 // a JSON document; listings are pages
)

// Timeouts. A server may take long over the end of an upload: it makes the
// content durable before it answers.
const (
	dialTime   = 10 * time.Second
	answerTime = 5 * time.Minute
	stallTime  = time.Minute // no byte for this long: the connection is dead
)

// Client is a server as one caller sees it. It is safe for concurrent use.
type Client struct {
	cfg      Config
	base     *url.URL // its path ends in "/"
	http     *http.Client
	answered atomic.Bool // the server has answered at least once
	ends     atomic.Pointer[Ends]
}

// Ends are the addresses of a connection to a server, or to the proxy before it.
type Ends struct{ Local, Server netip.Addr }

// Ends returns those of the newest connection that our own transport made; zero: there was none yet.
func (c *Client) Ends() Ends {
	if e := c.ends.Load(); e != nil {
		return *e
	}
	return Ends{}
}

// noting notes the ends of each connection that dial makes.
func (c *Client) noting(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		local, lerr := netip.ParseAddrPort(conn.LocalAddr().String())
		remote, rerr := netip.ParseAddrPort(conn.RemoteAddr().String())
		if lerr == nil && rerr == nil {
			c.ends.Store(&Ends{local.Addr().Unmap(), remote.Addr().Unmap()})
		}
		return conn, nil
	}
}

type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// New makes a Client. Nothing is sent yet. Errors are of kind fault.Invalid.
func New(cfg Config) (*Client, error) {
	base, err := ParseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	if cfg.Notice == nil {
		cfg.Notice = func(string) {}
	}
	if cfg.Patience == 0 {
		cfg.Patience = time.Minute
	}
	c := &Client{base: base}
	if cfg.Transport == nil {
		t, err := transport(cfg.CA)
		if err != nil {
			return nil, err
		}
		t.DialContext = c.noting(t.DialContext)
		cfg.Transport = t
	}
	c.cfg = cfg
	c.http = &http.Client{
		Transport: cfg.Transport,
		// A redirect would take the secret along, or silently drop it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// ParseURL reads the URL of a server and brings it into the form in which two of
// one server are equal. Errors are of kind fault.Invalid.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fault.Errorf(fault.Invalid, "server %q: not a URL", text)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fault.Errorf(fault.Invalid, "server %q: not of the form https://HOST", u.Redacted())
	case u.User != nil:
		return nil, fault.Errorf(fault.Invalid, "server %q: a URL is no place for a password", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fault.Errorf(fault.Invalid, "server %q: has more than a host and a path", text)
	}
	u.Host = strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	u.RawPath, u.Path = "", strings.TrimRight(u.Path, "/")+"/"
	return u, nil
}

// transport returns our own HTTP/1.1: its bodies are as fast as the connection,
// and each of the parallel transfers has one to itself.
func transport(ca []byte) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second, Control: dialControl}).DialContext,
		TLSHandshakeTimeout:   dialTime,
		ResponseHeaderTimeout: answerTime,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   16,
		WriteBufferSize:       256 << 10,
		ReadBufferSize:        64 << 10,
		DisableCompression:    true,
		Protocols:             new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if ca != nil {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(ca) {
			return nil, fault.Errorf(fault.Invalid, "the CA file holds no certificate")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return t, nil
}

// URL returns the server's URL, without a slash at the end.
func (c *Client) URL() string { return strings.TrimSuffix(c.base.String(), "/") }

// Close ends connections that wait for more to do.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// auth is how a request proves itself when it is not by the Client's secret.
type auth struct {
	none     bool
	password string // of a link
}

// request is one request, which may be sent several times.
type request struct {
	method string
	path   string // escaped, below the server's URL
	query  url.Values
	header http.Header
	auth   auth
	body   func() (io.Reader, error) // made anew for each try; nil: none
	length int64                     // of the body
	// once says that the server must not do it twice: after the request was sent and no
	// answer came, it is not sent again.
	once bool
	// single says that it is sent once and no more, whatever comes of it.
	single bool
	// ranged says that 300 Multiple Choices is an *Elsewhere.
	ranged bool
}

// send sends r until the server has answered it or patience has run out. The
// answer's status is below 400; the caller closes its body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	p := c.patience()
	for {
		res, err := c.try(ctx, r)
		if err == nil {
			return res, nil
		}
		if r.single || r.once && !unsent(err) {
			return nil, err
		}
		if err := p.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

// try sends r once.
func (c *Client) try(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		var err error
		if body, err = r.body(); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base.String()+r.path, body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err)
	}
	if len(r.query) > 0 {
		req.URL.RawQuery = r.query.Encode()
	}
	if body != nil {
		req.ContentLength = r.length
		if r.length == 0 {
			req.Body = http.NoBody
		}
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if c.cfg.Agent != "" {
		req.Header.Set("User-Agent", c.cfg.Agent)
	}
	switch {
	case r.auth.password != "":
		req.SetBasicAuth("link", r.auth.password)
	case !r.auth.none && c.cfg.Secret != "":
		req.Header.Set("Authorization", "Bearer "+c.cfg.Secret)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, networkFault(ctx, err)
	}
	c.answered.Store(true)
	if res.StatusCode < 300 || res.StatusCode == http.StatusNotModified {
		return res, nil
	}
	defer res.Body.Close()
	if r.ranged && res.StatusCode == http.StatusMultipleChoices {
		return nil, readElsewhere(res)
	}
	return nil, readProblem(res)
}

// call sends in as JSON, unless it is nil, and reads the answer into out, unless
// that is nil.
func (c *Client) call(ctx context.Context, r request, in, out any) error {
	res, err := c.post(ctx, r, in)
	if err != nil {
		return err
	}
	defer drain(res.Body)
	if out == nil {
		return nil
	}
	return readJSON(res.Body, out)
}

// post is call for an answer that is read as it comes.
func (c *Client) post(ctx context.Context, r request, in any) (*http.Response, error) {
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err)
		}
		r.header = cloned(r.header)
		r.header.Set("Content-Type", "application/json")
		r.body = func() (io.Reader, error) { return bytes.NewReader(data), nil }
		r.length = int64(len(data))
	}
	return c.send(ctx, r)
}

func cloned(h http.Header) http.Header {
	if h == nil {
		return http.Header{}
	}
	return h.Clone()
}

func readJSON(from io.Reader, out any) error {
	data, err := io.ReadAll(io.LimitReader(from, maxAnswer+1))
	switch {
	case err != nil:
		return fault.Wrap(fault.Unreachable, fmt.Errorf("read the server's answer: %w", err))
	case len(data) > maxAnswer:
		return fault.Errorf(fault.Protocol, "the server's answer is longer than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fault.Errorf(fault.Protocol, "the server's answer is not what this client knows: %w", err)
	}
	return nil
}

// drain lets the connection be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxProblem)
	_ = body.Close()
}

// escape writes a path of names for a URL; "" stays "".
func escape(path string) string {
	names := strings.Split(path, "/")
	for i, n := range names {
		names[i] = url.PathEscape(n)
	}
	return strings.Join(names, "/")
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// plainAnswer is how net/http says that plain HTTP answered to TLS: without a type.
const plainAnswer = "server gave HTTP response to HTTPS client"

// networkFault gives a failure without an answer its kind.
func networkFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Closed, context.Cause(ctx))
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // its URL may hold a link's token
	}
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		header  tls.RecordHeaderError
		dns     *net.DNSError
	)
	switch {
	case fault.KindOf(err) != fault.Other:
		return err // of the body we send
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid):
		return fault.Wrap(fault.Refused, fmt.Errorf("%w: %w", ErrCertificate, err))
	case errors.As(err, &header), strings.Contains(err.Error(), plainAnswer):
		return fault.Wrap(fault.Protocol, fmt.Errorf("%w: %w", ErrNoTLS, err))
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.Wrap(fault.NotFound, err)
	}
	return fault.Wrap(fault.Unreachable, &lost{err: err, unsent: isDial(err)})
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
