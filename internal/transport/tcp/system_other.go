//go:build !linux

package tcp

import (
	"net"
	"time"
)

func setNotSent(*net.TCPConn, int) {}
func setAwait(*net.TCPConn, int)   {}

func rtt(*net.TCPConn) (time.Duration, bool)         { return 0, false }
func unsent(*net.TCPConn) (int, bool)                { return 0, false }
func flight(*net.TCPConn) (int, time.Duration, bool) { return 0, 0, false }
func acked(*net.TCPConn) (uint64, bool)              { return 0, false }
