package node

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"tandem/internal/discover/tracker"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/origin/rest"
)

// DefaultServerListen is where a server listens unless told otherwise: at this machine only.
const DefaultServerListen = "127.0.0.1:7780"

// DefaultDrain is how long transfers may go on after a server was told to end.
const DefaultDrain = 30 * time.Second

// ServerConfig is what a server is made from.
type ServerConfig struct {
	DataConfig
	Listen         string // "host:port"; empty: DefaultServerListen
	PublicURL      string // under which people reach it; empty: as they asked
	TLSCert        string // PEM files, read again when they change; both empty: no TLS
	TLSKey         string
	TrustedProxies []netip.Prefix // whose forwarded headers are believed
	Drain          time.Duration  // 0: DefaultDrain; negative: cut at once
	Budget         origin.Budget  // of content that is sent

	// Pages makes what answers people's browsers; nil: nothing does.
	Pages func(*origin.Server, ServerPages) Pages
}

// ServerPages is what pages need to know of the server they are part of.
type ServerPages struct {
	PublicURL string // without a slash at the end; empty: as the request says
	Log       *slog.Logger
}

// Pages answer people's browsers.
type Pages struct {
	Handler http.Handler
	// Problem shows what went wrong with a download.
	Problem func(http.ResponseWriter, *http.Request, api.Problem)
}

// ServerStatus is what a server says of itself when it is ready.
type ServerStatus struct {
	Addr      netip.AddrPort
	URL       string // of Addr
	PublicURL string // "": none was set
	Setup     string // one-time URL that makes the first admin; "": there is one
	Warnings  []string
}

// heapBallast is never touched, so that it takes no memory; the collector believes that it is in use and waits until there is
// as much garbage. A server's heap of some MB would be collected a few times a second under load, a sixth of what small
// downloads cost, and this, unlike a higher GOGC, multiplies no large heap.
const heapBallast = 48 << 20

// Serve runs a server until ctx ends, then lets what runs go on for a while (Drain), and
// returns nil. ready is called once, when it answers. Errors are of kind fault.Busy (ErrListen,
// ErrServerRuns), fault.Invalid (ErrAddress, ErrPlace, ErrTLS), fault.Permission, fault.Unreachable
// or fault.Other.
func Serve(ctx context.Context, cfg ServerConfig, ready func(ServerStatus)) error {
	s, err := newServer(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.close()
	ballast := make([]byte, heapBallast)
	defer runtime.KeepAlive(ballast)
	status, err := s.status(ctx)
	if err != nil {
		return err
	}
	for _, w := range status.Warnings {
		s.cfg.Log.Warn(w)
	}
	return s.run(ctx, func() { ready(status) })
}

// server is one run of Serve.
type server struct {
	cfg      ServerConfig
	public   *url.URL // nil: not set
	data     *Data
	origin   *origin.Server
	gate     *origin.Gate
	handler  *rest.Handler
	http     *http.Server
	listener net.Listener
	release  closers // in the order of closing
}

func newServer(ctx context.Context, cfg ServerConfig) (_ *server, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Listen == "" {
		cfg.Listen = DefaultServerListen
	}
	if cfg.Drain == 0 {
		cfg.Drain = DefaultDrain
	}
	s := &server{cfg: cfg}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.public, err = publicURL(cfg.PublicURL); err != nil {
		return nil, err
	}
	secured, err := s.tls()
	if err != nil {
		return nil, err
	}
	if s.listener, err = listenServer(ctx, cfg.Listen); err != nil { // first: it is the cheapest to fail
		return nil, err
	}
	s.release = append(s.release, s.listener)
	lock, err := cfg.Lock()
	if err != nil {
		return nil, err
	}
	s.release = append(s.release, lock)
	if s.data, err = OpenData(ctx, cfg.DataConfig); err != nil {
		return nil, err
	}
	s.release = append(s.release, s.data)
	s.origin, err = origin.New(ctx, origin.Config{
		Catalog: s.data.Catalog, Blobs: s.data.Blobs, Now: time.Now, Rand: rand.Reader, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	s.gate = origin.NewGate(s.origin, cfg.Budget, time.Now)
	return s, s.route(secured)
}

// trackEvery is how often BitTorrent clients are to announce themselves.
const trackEvery = 2 * time.Minute

// route puts the HTTP interface over the origin.
func (s *server) route(secured *tls.Config) (err error) {
	c := rest.Config{
		Server: s.origin, Gate: s.gate, PublicURL: s.public, Hosts: machineNames(), TrustedProxies: s.cfg.TrustedProxies,
		Tracker: tracker.NewServer(tracker.ServerOptions{Interval: trackEvery, Allow: s.origin.Tracks}),
		Log:     s.cfg.Log, Now: time.Now, Version: Version,
	}
	if s.cfg.Pages != nil {
		p := s.cfg.Pages(s.origin, ServerPages{PublicURL: s.base(""), Log: s.cfg.Log})
		c.Pages, c.ProblemPage = p.Handler, p.Problem
	}
	if s.handler, err = rest.New(c); err != nil {
		return err
	}
	s.http = &http.Server{
		Handler: s.handler, TLSConfig: secured,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // what strangers do wrong
	}
	s.handler.ConfigureServer(s.http)
	return nil
}

// machineNames are what the machine calls itself.
func machineNames() []string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return nil
	}
	return []string{name}
}

func publicURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Trim(u.Path, "/") != "" {
		return nil, fault.Errorf(fault.Invalid, "public URL %q: not of the form https://HOST", text)
	}
	u.Path = ""
	return u, nil
}

// base is the public URL, or fallback.
func (s *server) base(fallback string) string {
	if s.public != nil {
		return s.public.String()
	}
	return fallback
}

// listenServer takes the address.
func listenServer(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return &guardedListener{TCPListener: l.(*net.TCPListener), held: map[netip.Addr]int{}}, nil
	case isInUse(err):
		return nil, fault.Wrap(fault.Busy, fmt.Errorf("%w: %w", ErrListen, err))
	case errors.Is(err, os.ErrPermission):
		return nil, fault.Wrap(fault.Permission, err)
	}
	return nil, fault.Wrap(fault.Invalid, fmt.Errorf("%w: %w", ErrServerAddress, err))
}

// status finds what people are told once the server is ready.
func (s *server) status(ctx context.Context) (ServerStatus, error) {
	at := s.listener.Addr().(*net.TCPAddr).AddrPort()
	status := ServerStatus{Addr: netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), PublicURL: s.base("")}
	host := status.Addr.Addr().String()
	if status.Addr.Addr().IsUnspecified() {
		host = "localhost"
		if names := machineNames(); len(names) > 0 {
			host = names[0]
		}
	}
	scheme := "http://"
	if s.http.TLSConfig != nil {
		scheme = "https://"
	}
	status.URL = scheme + net.JoinHostPort(host, strconv.Itoa(int(at.Port())))
	token, err := s.origin.SetupToken(ctx)
	if err != nil {
		return status, err
	}
	if token != "" {
		status.Setup = s.base(status.URL) + "/setup?token=" + url.QueryEscape(token)
	}
	proxied := len(s.cfg.TrustedProxies) > 0
	if s.http.TLSConfig == nil && !status.Addr.Addr().IsLoopback() && !proxied {
		status.Warnings = append(status.Warnings, "it listens at "+status.Addr.String()+
			" without TLS: passwords and files can be read on the way; use --tls-cert and --tls-key, or a proxy that does TLS and --trusted-proxy")
	}
	if s.public != nil && s.public.Scheme == "https" && s.http.TLSConfig == nil && !proxied {
		status.Warnings = append(status.Warnings,
			"its public URL begins with https and it has no TLS: name the proxy in front of it with --trusted-proxy, or it takes every client for the proxy")
	}
	return status, nil
}

// run serves until ctx ends or something breaks, then drains.
func (s *server) run(ctx context.Context, ready func()) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	broken := make(chan error, 4)
	ended := make(chan struct{}, 3)
	start := func(what string, f func(context.Context) error) {
		go func() {
			if err := f(background); err != nil {
				broken <- fmt.Errorf("%s: %w", what, err)
			}
			ended <- struct{}{}
		}()
	}
	start("keep the server in order", s.origin.Run)
	start("watch connections", s.handler.Run)
	start("keep the budget", s.gate.Run)
	served := make(chan struct{})
	go func() {
		defer close(served)
		err := s.serve()
		if !errors.Is(err, http.ErrServerClosed) {
			broken <- fmt.Errorf("serve: %w", err)
		}
	}()
	ready()
	var err error
	select {
	case <-ctx.Done():
		s.cfg.Log.Info("ending: what runs may go on", "for", s.cfg.Drain)
	case err = <-broken:
	}
	s.drain(context.WithoutCancel(ctx))
	<-served
	stop() // counts what was sent, after the last transfer
	for range cap(ended) {
		<-ended
	}
	return err
}

func (s *server) serve() error {
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(s.listener, "", "")
	}
	return s.http.Serve(s.listener)
}

// drain takes no more requests and waits for those under way, then cuts them.
func (s *server) drain(ctx context.Context) {
	s.handler.Drain()
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.Drain, 0))
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.cfg.Log.Warn("some transfers were cut: they can be taken up again")
		_ = s.http.Close()
	}
}

// close frees everything, the last first but for the listener, which is closed already.
func (s *server) close() {
	for i := len(s.release) - 1; i >= 0; i-- {
		if err := s.release[i].Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.cfg.Log.Error("closing", "err", err)
		}
	}
}
