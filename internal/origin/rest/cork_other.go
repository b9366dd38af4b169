//go:build !linux

package rest

import "syscall"

func cork(syscall.RawConn, bool) {}
