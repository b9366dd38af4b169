package rest

import (
	"net/http"
	"time"
)

// Limits bound what one connection may cost.
type Limits struct {
	HeaderBytes   int
	HeaderTimeout time.Duration // from the first byte of a request to the end of its header
	IdleTimeout   time.Duration // between requests
	Streams       int           // of one HTTP/2 connection
	// A connection that moves less than SlowBytes in SlowTime while its client
	// has to send or to acknowledge something is closed.
	SlowBytes int64
	SlowTime  time.Duration
	JSONBytes int64 // body of a JSON request
}

// DefaultLimits returns the limits that ConfigureServer sets.
func DefaultLimits() Limits {
	return Limits{
		HeaderBytes:   16 << 10,
		HeaderTimeout: 10 * time.Second,
		IdleTimeout:   120 * time.Second,
		Streams:       128,
		SlowBytes:     30 << 10,
		SlowTime:      30 * time.Second,
		JSONBytes:     1 << 20,
	}
}

// apply sets what net/http itself enforces. There is no timeout for a whole
// request or answer: a slow client may take a day for a large file, as long as it moves.
func (l Limits) apply(s *http.Server) {
	// net/http allows 4 KiB more than it is told.
	s.MaxHeaderBytes = l.HeaderBytes - 4<<10
	s.ReadHeaderTimeout = l.HeaderTimeout
	s.IdleTimeout = l.IdleTimeout
	s.ReadTimeout, s.WriteTimeout = 0, 0
	s.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: l.Streams,
		SendPingTimeout:      l.SlowTime,
		PingTimeout:          l.HeaderTimeout,
	}
}
