package node

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin"
)

// serving runs a server until the test ends.
type serving struct {
	ServerStatus
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, cfg ServerConfig) *serving {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &serving{stop: stop, ended: make(chan error, 1)}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Data == "" {
		cfg.Data = filepath.Join(t.TempDir(), "data")
	}
	ready := make(chan ServerStatus, 1)
	go func() {
		s.ended <- Serve(ctx, cfg, func(st ServerStatus) { ready <- st })
		close(s.ended)
	}()
	t.Cleanup(func() {
		stop()
		<-s.ended
	})
	select {
	case s.ServerStatus = <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, c *http.Client, url string) (status int, body string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// browser returns a client that keeps no connections.
func browser(t *testing.T, conf *tls.Config) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true, TLSClientConfig: conf}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestAServerOnNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := ServerConfig{DataConfig: DataConfig{Data: dir}}
	s := serve(t, cfg)
	if !s.Addr.Addr().IsLoopback() || len(s.Warnings) != 0 {
		t.Errorf("it listens at %s and warns of %q", s.Addr, s.Warnings)
	}
	if !strings.HasPrefix(s.Setup, s.URL+"/setup?token=") {
		t.Errorf("it is set up at %q", s.Setup)
	}
	if status, _ := get(t, browser(t, nil), s.URL+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz answers %d", status)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the data folder has mode %v (%v)", st.Mode(), err)
	}
	if err := Serve(t.Context(), ServerConfig{DataConfig: cfg.DataConfig, Listen: "127.0.0.1:0"}, nil); !errors.Is(err, ErrServerRuns) || fault.KindOf(err) != fault.Busy {
		t.Errorf("a second server says %v", err)
	}
	if err := Serve(t.Context(), ServerConfig{DataConfig: DataConfig{Data: t.TempDir()}, Listen: s.Addr.String()}, nil); !errors.Is(err, ErrListen) {
		t.Errorf("a server at the same address says %v", err)
	}
	if err := MakeAdmin(t.Context(), cfg.DataConfig, "ann", "correct horse battery"); err != nil {
		t.Errorf("an admin cannot be made beside it: %v", err)
	}
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	if again := serve(t, cfg); again.Setup != "" {
		t.Error("it asks to be set up though there is an admin")
	}
}

func TestADrainLetsRequestsEnd(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "whole")
	})
	s := serve(t, ServerConfig{Pages: func(*origin.Server, ServerPages) Pages { return Pages{Handler: slow} }})
	answer := make(chan string, 1)
	c := browser(t, nil)
	go func() {
		res, err := c.Get(s.URL + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-begun
	s.stop()
	refused := time.NewTicker(5 * time.Millisecond)
	defer refused.Stop()
	for range refused.C {
		if conn, err := net.Dial("tcp", s.Addr.String()); err != nil {
			break // it takes no more
		} else {
			_ = conn.Close()
		}
	}
	close(goOn)
	if got := <-answer; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func TestADrainIsNotForever(t *testing.T) {
	begun := make(chan struct{})
	stuck := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	s := serve(t, ServerConfig{Drain: 20 * time.Millisecond, Pages: func(*origin.Server, ServerPages) Pages { return Pages{Handler: stuck} }})
	c := browser(t, nil)
	cut := make(chan error, 1)
	go func() {
		res, err := c.Get(s.URL + "/stuck")
		if err == nil {
			_ = res.Body.Close()
		}
		cut <- err
	}()
	<-begun
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if <-cut == nil {
		t.Error("the request that would not end got an answer")
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	l := &guardedListener{held: map[netip.Addr]int{}}
	global, private := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.0.0.1")
	for i := range serverPerAddr {
		if !l.admit(global) {
			t.Fatalf("connection %d of one address is refused", i+1)
		}
	}
	if l.admit(global) {
		t.Error("one address may have any number of connections")
	}
	n := serverPerAddr
	for ; l.admit(private); n++ {
	}
	if n != serverConns {
		t.Errorf("there may be %d connections", n)
	}
	for range serverPerAddr {
		l.leave(global)
	}
	for range serverConns - serverPerAddr {
		l.leave(private)
	}
	if l.total != 0 || len(l.held) != 0 {
		t.Errorf("%d connections and %d addresses are remembered though all are gone", l.total, len(l.held))
	}
}

func TestAListenerCountsUntilClosed(t *testing.T) {
	l, err := listenServer(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := in.(io.ReaderFrom); !ok {
		t.Error("files would be copied through memory: there is no ReadFrom")
	}
	if got := l.(*guardedListener).total; got != 1 {
		t.Errorf("%d connections are counted", got)
	}
	_ = in.Close()
	_ = in.Close()
	if got := l.(*guardedListener).total; got != 0 {
		t.Errorf("%d connections are counted after closing", got)
	}
}

func TestWarnings(t *testing.T) {
	cert, key, _ := certificate(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name string
		cfg  ServerConfig
		want string
	}{
		{"this machine only", ServerConfig{Listen: "127.0.0.1:0"}, ""},
		{"everybody without TLS", ServerConfig{Listen: "0.0.0.0:0"}, "without TLS"},
		{"everybody with TLS", ServerConfig{Listen: "0.0.0.0:0", TLSCert: cert, TLSKey: key}, ""},
		{"everybody behind a proxy", ServerConfig{Listen: "0.0.0.0:0", TrustedProxies: proxies, PublicURL: "https://files.example"}, ""},
		{"a proxy that nobody named", ServerConfig{Listen: "127.0.0.1:0", PublicURL: "https://files.example"}, "--trusted-proxy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.cfg)
			if got := strings.Join(s.Warnings, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("it warns of %q, want %q in it", got, c.want)
			}
			s.stop()
			<-s.ended
		})
	}
}

func TestWhatCannotBeServed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  ServerConfig
		want error
	}{
		{"an unknown database", ServerConfig{DataConfig: DataConfig{Data: dir, Database: "mysql://u:hidden@h/d"}}, ErrPlace},
		{"an unknown store", ServerConfig{DataConfig: DataConfig{Data: dir, Blobs: "ftp://u:hidden@h/d"}}, ErrPlace},
		{"half a certificate", ServerConfig{TLSCert: file}, ErrTLS},
		{"no certificate", ServerConfig{TLSCert: file, TLSKey: file}, ErrTLS},
		{"a certificate that is not there", ServerConfig{TLSCert: file + "x", TLSKey: file}, fault.NotFound},
		{"no address", ServerConfig{Listen: "nowhere"}, ErrServerAddress},
		{"a public URL with a path", ServerConfig{PublicURL: "https://a.example/x"}, fault.Invalid},
		{"a public URL without a scheme", ServerConfig{PublicURL: "a.example"}, fault.Invalid},
		{"no folder", ServerConfig{DataConfig: DataConfig{Data: ""}}, fault.NotFound},
		{"a file in place of the folder", ServerConfig{DataConfig: DataConfig{Data: file}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.cfg.Listen == "" {
				c.cfg.Listen = "127.0.0.1:0"
			}
			err := Serve(t.Context(), c.cfg, func(ServerStatus) { t.Error("it serves") })
			if err == nil || c.want != nil && !errors.Is(err, c.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestOnlyAnEmptyFolderIsClosedToOthers(t *testing.T) {
	for name, files := range map[string][]string{"an empty one": nil, "somebody's": {"theirs"}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			want := os.FileMode(0o700)
			for _, f := range files {
				want = 0o755
				if err := os.WriteFile(filepath.Join(dir, f), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			d, err := OpenData(t.Context(), DataConfig{Data: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != want {
				t.Errorf("its mode is %v (%v), want %v", st.Mode(), err, want)
			}
			for _, ours := range []string{d.SQLite, d.Content} {
				if st, err := os.Stat(ours); err != nil || st.Mode().Perm()&0o077 != 0 {
					t.Errorf("others can open %s: %v (%v)", ours, st.Mode(), err)
				}
			}
		})
	}
}

func TestSecretsOfURLsAreNotShown(t *testing.T) {
	for _, text := range []string{
		"postgres://u:hidden@h/d", "s3://KEY:hidden@h:1/b?secure=0", "postgres://h/d?user=u&password=hidden", "postgres://u:hid%zzden@h",
	} {
		if got := Redacted(text); strings.Contains(got, "hid") {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}
