package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// load is a crowd of HTTP/1.1 clients on keep-alive connections. What arrives
// is dropped in the kernel (MSG_TRUNC), so that on a small machine the figure is the
// server's and not the client's copying.
type load struct {
	addr     string // host:port
	path     string
	header   string // "Authorization: ...\r\n" or ""
	clients  int
	requests int // by each
}

// outcome is what a crowd got.
type outcome struct {
	bytes     int64
	elapsed   time.Duration
	latencies []time.Duration // of whole responses
	failed    int
	err       error // one of the failures
}

func (o outcome) rate() float64 { return float64(o.bytes) / o.elapsed.Seconds() / 1e6 } // MB/s

func (o outcome) quantile(q float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(o.latencies))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// run connects everybody, then starts the clock.
func (l load) run(ctx context.Context) (outcome, error) {
	conns := make([]*net.TCPConn, l.clients)
	for i := range conns {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.addr)
		if err != nil {
			return outcome{}, fmt.Errorf("connect client %d: %w", i, err)
		}
		defer c.Close()
		conns[i] = c.(*net.TCPConn)
	}
	request := []byte("GET " + l.path + " HTTP/1.1\r\nHost: " + l.addr + "\r\n" + l.header + "\r\n")
	var (
		mu  sync.Mutex
		all outcome
		wg  sync.WaitGroup
	)
	start := time.Now()
	for _, c := range conns {
		wg.Go(func() {
			var mine outcome
			buf := make([]byte, 64<<10)
			for range l.requests {
				begin := time.Now()
				n, err := fetch(c, request, buf)
				mine.bytes += n
				if err != nil {
					mine.failed++
					mine.err = err
					break
				}
				mine.latencies = append(mine.latencies, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all.bytes += mine.bytes
			all.failed += mine.failed
			all.latencies = append(all.latencies, mine.latencies...)
			if mine.err != nil {
				all.err = mine.err
			}
		})
	}
	wg.Wait()
	all.elapsed = time.Since(start)
	if all.failed > 0 {
		return all, fmt.Errorf("%d clients failed, one with: %w", all.failed, all.err)
	}
	return all, ctx.Err()
}

var headerEnd = []byte("\r\n\r\n")

// fetch sends a request and drops the body of the answer, which must be 200.
func fetch(c *net.TCPConn, request, buf []byte) (int64, error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	have := 0
	for {
		n, err := c.Read(buf[have:min(len(buf), have+2048)])
		if err != nil {
			return 0, err
		}
		have += n
		if end := bytes.Index(buf[:have], headerEnd); end >= 0 {
			size, err := contentLength(buf[:end])
			if err != nil {
				return 0, err
			}
			return size, drop(c, buf, size-int64(have-end-len(headerEnd)))
		}
		if have == len(buf) {
			return 0, errors.New("endless header")
		}
	}
}

func contentLength(header []byte) (int64, error) {
	line, rest, _ := bytes.Cut(header, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("answer %q", line)
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			return strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		}
	}
	return 0, errors.New("no Content-Length")
}

// drop takes n bytes off the connection without copying them.
func drop(c *net.TCPConn, buf []byte, n int64) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	for n > 0 {
		var got int
		var recvErr error
		err := raw.Read(func(fd uintptr) bool {
			got, _, recvErr = unix.Recvfrom(int(fd), buf[:min(int64(len(buf)), n)], unix.MSG_TRUNC|unix.MSG_DONTWAIT)
			return !errors.Is(recvErr, syscall.EAGAIN)
		})
		switch {
		case err != nil:
			return err
		case recvErr != nil:
			return recvErr
		case got == 0:
			return fmt.Errorf("connection closed with %d bytes to come", n)
		}
		n -= int64(got)
	}
	return nil
}
