package tcp_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
)

// What a cancel cannot take back stays small, whatever the system would
// buffer.
func TestUnsentIsBounded(t *testing.T) {
	const notSent = 32 << 10
	for _, tt := range []struct {
		target  transport.Target
		preface string
	}{{public, preface}, {link, ""}} {
		out, _ := connect(t, tcp.Config{NotSent: notSent}, tt.target, tt.preface)
		_ = out.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		for b := make([]byte, 16<<10); ; {
			if _, err := out.Write(b); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		// The system takes a page or a segment more, never its whole buffer.
		n, ok := out.(transport.Meter).Unsent()
		if !ok || n == 0 || n > notSent+64<<10 {
			t.Errorf("%v: %d bytes unsent, %v", out.Path(), n, ok)
		}
	}
}

// A reader that awaits a block sleeps through its packets, and not past its end.
func TestAwaitSleepsUntilEnoughIsThere(t *testing.T) {
	out, in := connect(t, tcp.Config{}, public, preface)
	const n = 8 << 10
	woke := make(chan int, 1)
	in.(transport.Awaiter).Await(n)
	go func() {
		got, err := in.Read(make([]byte, 2*n))
		if err != nil {
			got = -1
		}
		woke <- got
	}()
	half := make([]byte, n/2)
	if _, err := out.Write(half); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-woke:
		if got != n/2 { // the bytes may have been there before the read began
			t.Fatalf("read %d bytes of %d", got, n/2)
		}
		return
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := out.Write(half); err != nil {
		t.Fatal(err)
	}
	if got := <-woke; got != n {
		t.Fatalf("read %d bytes of %d", got, n)
	}
}
