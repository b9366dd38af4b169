//go:build linux

package real

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Count is what has crossed an interface in one direction.
type Count struct{ Bytes, Packets int64 }

// headers are the bytes of an Ethernet frame before the payload of TCP over IPv4
// with timestamps.
const headers = 14 + 20 + 32

// Payload is what the packets carried within TCP: an estimate that is exact when
// all are TCP without further options, and else too small.
func (c Count) Payload() int64 { return max(c.Bytes-headers*c.Packets, 0) }

// Minus is what has crossed since before.
func (c Count) Minus(before Count) Count {
	return Count{c.Bytes - before.Bytes, c.Packets - before.Packets}
}

// Traffic is what has crossed an interface.
type Traffic struct{ Sent, Received Count }

// Traffic returns what has crossed the host's eth0. What is sent counts when it
// has left the shaper.
func (h *Host) Traffic() (t Traffic, err error) {
	err = h.do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/dev")
		if err != nil {
			return err
		}
		t, err = parseTraffic(string(text))
		return err
	})
	if err != nil {
		return t, fmt.Errorf("read counters of %s: %w", h.Name, err)
	}
	return t, nil
}

// parseTraffic finds eth0 in /proc/net/dev: eight columns received, eight sent,
// bytes and packets first.
func parseTraffic(text string) (t Traffic, err error) {
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) != "eth0" {
			continue
		}
		cols := strings.Fields(rest)
		if len(cols) < 10 {
			return t, fmt.Errorf("%d columns in %q", len(cols), line)
		}
		for i, to := range map[int]*int64{0: &t.Received.Bytes, 1: &t.Received.Packets, 8: &t.Sent.Bytes, 9: &t.Sent.Packets} {
			if *to, err = strconv.ParseInt(cols[i], 10, 64); err != nil {
				return t, err
			}
		}
		return t, nil
	}
	return t, fmt.Errorf("no eth0 in %q", text)
}
