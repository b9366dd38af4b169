package rest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// tapped hands out connections that tell how their bytes were given to them.
type tapped struct {
	*net.TCPListener
	written, bare atomic.Int64 // by Write, and by ReadFrom of a bare file
}

func (l *tapped) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return &tap{c, l}, nil
}

type tap struct {
	*net.TCPConn
	l *tapped
}

func (c *tap) Write(p []byte) (int, error) {
	c.l.written.Add(int64(len(p)))
	return c.TCPConn.Write(p)
}

// ReadFrom gets what net/http believes the kernel can send by itself, and so
// does *net.TCPConn: a bare file, perhaps cut.
func (c *tap) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	if cut, ok := r.(*io.LimitedReader); ok {
		r = cut.R
	}
	if _, ok := r.(*os.File); ok {
		c.l.bare.Add(n)
	}
	return n, err
}

// serveOn serves h until the test ends.
func serveOn(t testing.TB, l net.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: h}
	if h, ok := h.(*Handler); ok {
		h.ConfigureServer(s)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		check(t, s.Close())
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func listener(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	return l
}

// Files go from the page cache to the socket: but for the header and the first
// bytes, nothing passes through memory.
func TestFilesAreSentByTheKernel(t *testing.T) {
	const size = 64 << 20
	o := newDiskHouse(t)
	o.do("ann", "PUT", "collections/photos/content/big.bin", sized{io.LimitReader(zeros{}, size), size}).want(201)

	l := &tapped{TCPListener: listener(t)}
	over := make(chan bool, 1)
	serveOn(t, l, &watched{o.Handler, over})
	for _, c := range []struct {
		name, ranges string
		status       int
		want         int64
	}{
		{"whole", "", 200, size},
		{"from the middle on", "Range: bytes=1000000-\r\n", 206, size - 1000000},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.written.Store(0)
			l.bare.Store(0)
			conn, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
			check(t, err)
			defer func() { check(t, conn.Close()) }()
			_, err = fmt.Fprintf(conn, "GET /api/v1/collections/photos/content/big.bin HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n", o.secret["ann"], c.ranges)
			check(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			check(t, err)
			n, err := io.Copy(io.Discard, res.Body)
			if err != nil || n != c.want || res.StatusCode != c.status {
				t.Fatalf("%d, %d bytes, %v", res.StatusCode, n, err)
			}
			<-over // only then the last bytes are counted
			if bare := l.bare.Load(); bare < c.want-64<<10 {
				t.Errorf("the kernel sent %d bytes of %d", bare, c.want)
			}
			if written := l.written.Load(); written > 64<<10 {
				t.Errorf("%d bytes went through memory", written)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sized is a body whose length do can tell.
type sized struct {
	io.Reader
	size int64
}

// BenchmarkRepeatedGet compares a file that is asked for again and again with
// the same from http.FileServer. cpu-us/op is of both ends together: the difference is
// what this interface costs.
func BenchmarkRepeatedGet(b *testing.B) {
	for _, size := range []int{4 << 10, 100 << 10} {
		content := strings.Repeat("x", size)
		o := newDiskHouse(b)
		o.put("f", content)
		dir := b.TempDir()
		check(b, os.WriteFile(filepath.Join(dir, "f"), []byte(content), 0o600))
		o.cfg.Now = time.Now
		for _, c := range []struct {
			name, path string
			h          http.Handler
		}{
			{"FileServer", "/f", http.FileServer(http.Dir(dir))},
			{"tandem", "/api/v1/collections/photos/content/f", o.Handler},
		} {
			b.Run(fmt.Sprintf("%s/%dKiB", c.name, size>>10), func(b *testing.B) {
				l := listener(b)
				serveOn(b, l, c.h)
				conn, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
				check(b, err)
				defer func() { check(b, conn.Close()) }()
				in := bufio.NewReaderSize(conn, 128<<10)
				ask := "GET " + c.path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + o.secret["ann"] + "\r\n\r\n"
				b.SetBytes(int64(size))
				b.ReportAllocs()
				before, n := cpu(b), 0
				for b.Loop() {
					n++
					_, err := io.WriteString(conn, ask)
					check(b, err)
					res, err := http.ReadResponse(in, nil)
					check(b, err)
					if got, err := io.Copy(io.Discard, res.Body); err != nil || got != int64(size) {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(n), "cpu-us/op")
			})
		}
	}
}

// BenchmarkOverhead is the same without sockets and clients: cpu-us/op of an
// answer, bare and ours. What is above bare is to stay below 15.
func BenchmarkOverhead(b *testing.B) {
	o := newDiskHouse(b)
	o.put("f", strings.Repeat("x", 4<<10))
	o.cfg.Now = time.Now
	path := filepath.Join(b.TempDir(), "f")
	check(b, os.WriteFile(path, make([]byte, 4<<10), 0o600))
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		check(b, err)
		w.Header().Set("Content-Type", typeBytes)
		http.ServeContent(w, r, "", time.Unix(1e9, 0), f)
		check(b, f.Close())
	})
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"bare", bare}, {"tandem", o.Handler}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			before, n := cpu(b), 0
			for b.Loop() {
				n++
				r := httptest.NewRequest("GET", "/api/v1/collections/photos/content/f", nil)
				r.Host = "localhost"
				r.Header["Authorization"] = []string{"Bearer " + o.secret["ann"]}
				w := &sink{header: http.Header{}}
				c.h.ServeHTTP(w, r)
				if w.n != 4<<10 {
					b.Fatal(w.n)
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1000/float64(n), "cpu-us/op")
		})
	}
}

// sink takes an answer and drops it.
type sink struct {
	header http.Header
	n      int64
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	s.n += n
	return n, err
}

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
