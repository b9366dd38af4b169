package rest

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// cork tells the system whether to wait for more before it sends a piece that is not full (tcp(7), TCP_CORK), at most
// 200 ms. Taking it out sends what is left. That it fails costs nothing but speed.
func cork(c syscall.RawConn, in bool) {
	value := 0
	if in {
		value = 1
	}
	_ = c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, value) })
}
