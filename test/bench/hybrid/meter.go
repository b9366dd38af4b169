package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"tandem/internal/lab/real"
)

// meter is a proxy before a server, on the same host, which counts the content
// that the server sends: bodies of 200 and 206 to GET, but for the API's.
type meter struct {
	content atomic.Int64
	server  *http.Server
}

// startMeter listens on the host for clients of the server at backend.
func startMeter(host *real.Host, port int, backend string) (*meter, error) {
	l, err := host.Listen(port)
	if err != nil {
		return nil, err
	}
	m := &meter{}
	to := &url.URL{Scheme: "http", Host: backend}
	m.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // of clients that leave
		Transport: &http.Transport{
			DialContext:        func(context.Context, string, string) (net.Conn, error) { return host.Dial(backend) },
			DisableCompression: true, MaxIdleConnsPerHost: 256,
		},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			ok := r.StatusCode == http.StatusOK || r.StatusCode == http.StatusPartialContent
			if ok && r.Request.Method == http.MethodGet && !strings.HasPrefix(r.Request.URL.Path, "/api/") {
				r.Body = metered{r.Body, m}
			}
			return nil
		},
	}}
	go func() { _ = m.server.Serve(l) }()
	return m, nil
}

func (m *meter) close() { _ = m.server.Close() }

type metered struct {
	io.ReadCloser
	m *meter
}

func (b metered) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.m.content.Add(int64(n))
	return n, err
}
