package rest

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// motionOf asks the kernel (TCP_INFO). A connection may be wrapped, as TLS is.
func motionOf(c net.Conn) (m motion, ok bool) {
	for {
		inner, wrapped := c.(interface{ NetConn() net.Conn })
		if !wrapped {
			break
		}
		c = inner.NetConn()
	}
	s, is := c.(syscall.Conn)
	if !is {
		return m, false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return m, false
	}
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil { // closed, or a Unix socket
			return
		}
		m = motion{
			moved:   info.Bytes_acked + info.Bytes_received,
			waiting: info.Unacked > 0 || info.Notsent_bytes > 0,
			unsent:  info.Notsent_bytes,
		}
		ok = true
	})
	return m, ok && err == nil
}
