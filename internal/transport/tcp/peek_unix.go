//go:build unix

package tcp

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// peek looks at the first bytes of c until sniff can tell them apart, without
// taking them. It waits no longer than c's read deadline.
func peek(c *net.TCPConn) (protocol, net.Conn, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return protoUnknown, nil, err
	}
	var (
		buf  [maxSniff]byte
		p    protocol
		fail error
	)
	// The runtime's poller reports each arrival once, so that a false answer
	// waits for the next byte and does not spin on those already there.
	err = rc.Read(func(fd uintptr) bool {
		n, err := recvPeek(int(fd), buf[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil:
			fail = err
			return true
		case n == 0:
			fail = io.ErrUnexpectedEOF
			return true
		}
		p = sniff(buf[:n])
		return p != protoUnknown
	})
	if err == nil {
		err = fail
	}
	return p, c, err
}

func recvPeek(fd int, b []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
