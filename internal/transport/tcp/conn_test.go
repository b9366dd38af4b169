package tcp

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tlspeer"
	"tandem/internal/transport/transporttest"
)

// TLS wants to say goodbye, and there is no room for it.
func TestCloseOfAFullLinkIsQuick(t *testing.T) {
	to := transport.Target{Audience: peer.Link, Key: content.SHA1{8}, Secret: transport.Secret{5}}
	node := func() *Network {
		id, err := tlspeer.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		return New(Config{TLS: &tlspeer.Config{Identity: id}})
	}
	l, err := node().Listen(t.Context(), "127.0.0.1:0", transporttest.SharesOf(to))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to.Addr = l.Addr()
	out, err := node().Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	raw := out.(*link).tcp
	_ = raw.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = raw.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	start := time.Now()
	_ = out.Close()
	if took := time.Since(start); took > time.Second {
		t.Errorf("close took %v", took)
	}
}

// counter counts what a joiner writes, and fails after so many calls.
type counter struct {
	io.Writer
	calls []int
	left  int
}

func (c *counter) Write(b []byte) (int, error) {
	if c.left--; c.left < 0 {
		return 0, io.ErrClosedPipe
	}
	c.calls = append(c.calls, len(b))
	return len(b), nil
}

func TestJoinerWritesFewTimes(t *testing.T) {
	const head, block = 13, 16 << 10
	tests := []struct {
		name  string
		sizes []int
		calls []int
	}{
		{"a block with its header is one write", []int{head, block}, []int{head + block}},
		{"four blocks are one", []int{head, block, head, block, head, block, head, block}, []int{4 * (head + block)}},
		{"five are two", []int{head, block, head, block, head, block, head, block, head, block}, []int{4*(head+block) + head, block}},
		{"what is large goes uncopied", []int{head, 1 << 20, head}, []int{head, 1 << 20, head}},
		{"nothing is nothing", []int{0, 0}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var bufs net.Buffers
			total := 0
			for _, n := range tt.sizes {
				bufs = append(bufs, make([]byte, n))
				total += n
			}
			w := &counter{left: 10}
			n, err := new(joiner).write(w, &bufs)
			if err != nil || n != int64(total) || len(bufs) != 0 {
				t.Fatalf("%d of %d bytes, %v, %d buffers left", n, total, err, len(bufs))
			}
			if len(w.calls) != len(tt.calls) {
				t.Fatalf("writes of %v, want %v", w.calls, tt.calls)
			}
			for i := range w.calls {
				if w.calls[i] != tt.calls[i] {
					t.Fatalf("writes of %v, want %v", w.calls, tt.calls)
				}
			}
		})
	}
}

func TestJoinerStopsAtAnError(t *testing.T) {
	bufs := net.Buffers{make([]byte, 100_000), make([]byte, 100_000)}
	n, err := new(joiner).write(&counter{left: 1}, &bufs)
	if n != 100_000 || !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}
