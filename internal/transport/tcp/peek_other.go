//go:build !unix

package tcp

import (
	"net"
)

// peek takes the first bytes of c until sniff can tell them apart and returns a
// connection that has them in front: this system wakes a waiting reader again
// and again for bytes that were only looked at. It waits no longer than c's read
// deadline.
func peek(c *net.TCPConn) (protocol, net.Conn, error) {
	var buf [maxSniff]byte
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		n += m
		if p := sniff(buf[:n]); p != protoUnknown {
			return p, &prefixed{TCPConn: c, head: buf[:n]}, nil
		}
		if err != nil {
			return protoUnknown, nil, err
		}
	}
}

// prefixed is a connection whose first bytes were taken already.
type prefixed struct {
	*net.TCPConn
	head []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.TCPConn.Read(b)
}
