package rest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"tandem/internal/origin/api"
)

// watched tells what became of each request once it is over.
type watched struct {
	*Handler
	over chan bool // whether it was broken off
}

func (w *watched) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		w.over <- p != nil
		if p != nil {
			panic(p)
		}
	}()
	w.Handler.ServeHTTP(to, r)
}

// raw is a connection on which a test writes HTTP itself.
type raw struct {
	*net.TCPConn
	t  *testing.T
	in *bufio.Reader
}

// connect serves o on a real port and dials it.
func (o *house) connect(t *testing.T) (dial func() *raw, over chan bool) {
	t.Helper()
	l := listener(t)
	over = make(chan bool, 64)
	w := &watched{o.Handler, over}
	s := &http.Server{}
	o.ConfigureServer(s)
	s.Handler = w
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // it says that it was closed
	}()
	t.Cleanup(func() {
		check(t, s.Close())
		<-done
	})
	return func() *raw {
		c, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
		check(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return &raw{c, t, bufio.NewReader(c)}
	}, over
}

func (c *raw) send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	check(c.t, err)
}

func (c *raw) answer() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	check(c.t, err)
	return res
}

// N16: a session that ends takes its downloads along, though the client does not
// even read.
func TestDownloadEndsWithItsSession(t *testing.T) {
	const size = 64 << 20
	o := newDiskHouse(t)
	o.do("ann", "PUT", "collections/photos/content/big.bin", sized{io.LimitReader(zeros{}, size), size}).want(201)
	ctx, stop := context.WithCancel(t.Context())
	run := make(chan error, 1)
	go func() { run <- o.server.Run(ctx) }()
	defer func() {
		stop()
		check(t, <-run)
	}()
	dial, over := o.connect(t)
	c := dial()
	check(t, c.SetReadBuffer(64<<10))
	c.send("GET /api/v1/collections/photos/content/big.bin HTTP/1.1\nHost: localhost\nAuthorization: Bearer " + o.secret["ann"] + "\n\n")
	res := c.answer()
	if res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	o.do("ann", "DELETE", "sessions/current", nil).want(204)
	<-over
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil || n >= size {
		t.Errorf("%d bytes arrived, %v", n, err)
	}
}

// A client that goes away: what it got is what is counted.
func TestDownloadThatBreaksOff(t *testing.T) {
	h := bare(t, nil)
	type end struct {
		sent   int64
		broken error
	}
	ended := make(chan end, 1)
	h.mount([]*route{{method: "GET", pattern: "/try", serve: func(x *exchange) error {
		http.ServeContent(x, x.r, "x.bin", h.cfg.Now(), &blank{size: 1 << 30})
		ended <- end{x.sent, x.broken}
		return nil
	}}})
	addr, _ := listen(t, h)
	c := dial(t, addr)
	_, err := io.WriteString(c, "GET /try HTTP/1.1\r\nHost: localhost\r\n\r\n")
	check(t, err)
	_, err = io.ReadFull(c, make([]byte, 1<<20))
	check(t, err)
	check(t, c.Close())
	if e := <-ended; e.broken == nil || e.sent < 1<<19 || e.sent >= 1<<30 {
		t.Errorf("%d bytes, %v", e.sent, e.broken)
	}
}

// A client that asks before it sends is told of the quota, and not to go on.
func TestExpectContinue(t *testing.T) {
	o := newHouse(t)
	o.do("root", "PATCH", "collections/photos", map[string]any{"quota": 100}).want(200)
	dial, _ := o.connect(t)
	head := "PUT /api/v1/collections/photos/content/f HTTP/1.1\nHost: localhost\nAuthorization: Bearer " + o.secret["ann"] + "\nExpect: 100-continue\nContent-Length: %d\n\n"
	c := dial()
	c.send(fmt.Sprintf(head, 1000))
	if res := c.answer(); res.StatusCode != 413 {
		t.Errorf("over quota: %s", res.Status)
	}
	c = dial()
	c.send(fmt.Sprintf(head, 5))
	if res := c.answer(); res.StatusCode != 100 {
		t.Fatalf("within quota: %s", res.Status)
	}
	c.send("hello")
	if res := c.answer(); res.StatusCode != 201 {
		t.Errorf("and then: %s", res.Status)
	}
}

func TestHeaderLimit(t *testing.T) {
	dial, _ := newHouse(t).connect(t)
	for size, want := range map[int]int{15 << 10: 200, 17 << 10: 431, 1 << 20: 431} {
		c := dial()
		// The answer may come before everything is written.
		go func() {
			_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n")
		}()
		if res := c.answer(); res.StatusCode != want {
			t.Errorf("%d bytes: %s", size, res.Status)
		}
		check(t, c.Close())
	}
}

// A client whose connection died comes back on another one: it takes the upload
// over, and the server does not wait for the dead one.
func TestUploadIsTakenOver(t *testing.T) {
	o := newDiskHouse(t)
	at := o.begin(10)
	dial, _ := o.connect(t)
	dead := dial()
	dead.send("PATCH " + at + " HTTP/1.1\nHost: localhost\nAuthorization: Bearer " + o.secret["ann"] +
		"\nTus-Resumable: 1.0.0\nContent-Type: " + chunkType + "\nUpload-Offset: 0\nContent-Length: 10\nExpect: 100-continue\n\n")
	if res := dead.answer(); res.StatusCode != 100 {
		t.Fatal(res.Status)
	}
	dead.send("0123") // and nothing more
	r := o.tus("ann", "HEAD", at, nil).want(200)
	n, err := strconv.Atoi(r.Header().Get("Upload-Offset"))
	if err != nil || n != 0 && n != 4 {
		t.Fatalf("at %d, %v", n, err)
	}
	o.patch(at, n, "0123456789"[n:]).want(204).header("Upload-Offset", "10")
	if res := dead.answer(); res.StatusCode != 423 {
		t.Errorf("the dead one is told %s", res.Status)
	}
	var l api.Listing
	o.do("ann", "GET", "collections/photos/entries/f", nil).want(200).into(&l)
	if l.Folder.Size != 10 {
		t.Errorf("%+v", l.Folder)
	}
}
