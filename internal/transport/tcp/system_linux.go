package tcp

import (
	"math"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// setNotSent bounds what the system holds back unsent. A system that refuses
// goes without.
func setNotSent(c *net.TCPConn, n int) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
	})
}

// setAwait tells the system how many bytes are worth waking a reader for.
func setAwait(c *net.TCPConn, n int) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	})
}

// info asks the system about c.
func info(c *net.TCPConn) (*unix.TCPInfo, bool) {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, false
	}
	var i *unix.TCPInfo
	cerr := rc.Control(func(fd uintptr) {
		i, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return i, cerr == nil && err == nil
}

func rtt(c *net.TCPConn) (time.Duration, bool) {
	i, ok := info(c)
	if !ok || i.Rtt == 0 {
		return 0, false
	}
	return time.Duration(i.Rtt) * time.Microsecond, true
}

func unsent(c *net.TCPConn) (int, bool) {
	i, ok := info(c)
	if !ok {
		return 0, false
	}
	return int(i.Notsent_bytes), true
}

// flight has what is not acknowledged in packets only, and takes them for full ones.
func flight(c *net.TCPConn) (int, time.Duration, bool) {
	i, ok := info(c)
	if !ok || i.Min_rtt == math.MaxUint32 {
		return 0, 0, false
	}
	return int(i.Notsent_bytes) + int(i.Unacked)*int(i.Snd_mss), time.Duration(i.Min_rtt) * time.Microsecond, true
}

func acked(c *net.TCPConn) (uint64, bool) {
	i, ok := info(c)
	if !ok {
		return 0, false
	}
	return i.Bytes_acked, true
}
