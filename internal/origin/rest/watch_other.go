//go:build !linux

package rest

import "net"

// motionOf does not know: only the limits of net/http hold here.
func motionOf(net.Conn) (motion, bool) { return motion{}, false }
