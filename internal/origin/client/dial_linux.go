package client

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialControl ends a connection whose other side has acknowledged nothing for stallTime: bodies that are
// being written would wait for a quarter of an hour.
func dialControl(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(stallTime/time.Millisecond)) // old kernels go without
	})
}
