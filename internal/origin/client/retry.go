package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tandem/internal/fault"
)

// Failures that callers tell apart beyond their kind.
var (
	ErrCertificate = fault.Errorf(fault.Refused, "the server's certificate is not trusted")
	ErrNoTLS       = fault.Errorf(fault.Protocol, "the server does not speak TLS there")
	ErrExists      = fault.Errorf(fault.Exists, "there is something else under that name")
	ErrElsewhere   = fault.Errorf(fault.Protocol, "the server is elsewhere")
)

// lost is a connection that could not be made, or broke.
type lost struct {
	err    error
	unsent bool // nothing has reached the server
}

func (l *lost) Error() string { return "reach the server: " + l.err.Error() }
func (l *lost) Unwrap() error { return l.err }

// IsLost reports whether err is that the server could not be reached, rather than what it said.
func IsLost(err error) bool { return errors.As(err, new(*lost)) }

// unsent reports whether the server has done nothing of what was asked.
func unsent(err error) bool {
	var l *lost
	if errors.As(err, &l) {
		return l.unsent
	}
	return true // it said so itself
}

// Pauses between tries when the server does not say how long.
const (
	firstPause = 250 * time.Millisecond
	mostPause  = 5 * time.Second
	// firstPatience is for a server that has never answered: perhaps there is none.
	firstPatience = 3 * time.Second
)

// patience counts the tries of one thing. It begins anew with progress.
type patience struct {
	c     *Client
	began time.Time
	tries int
	told  bool
}

func (c *Client) patience() *patience { return &patience{c: c, began: c.cfg.Now()} }

// progress says that something was achieved.
func (p *patience) progress() { p.began, p.tries, p.told = p.c.cfg.Now(), 0, false }

// again waits until it makes sense to try again after err, or returns err when
// it does not.
func (p *patience) again(ctx context.Context, err error) error {
	pause, ok := retryable(err)
	if !ok {
		return err
	}
	if pause == 0 {
		pause = min(firstPause<<min(p.tries, 10), mostPause)
	}
	p.tries++
	limit := p.c.cfg.Patience
	if !p.c.answered.Load() {
		limit = min(limit, firstPatience)
	}
	left := limit - p.c.cfg.Now().Sub(p.began)
	if pause > left {
		return err
	}
	if !p.told || pause >= mostPause {
		p.told = true
		p.c.cfg.Notice(fmt.Sprintf("%v; trying again in %s", err, max(pause.Round(time.Second), time.Second)))
	}
	if werr := p.c.cfg.Wait(ctx, pause); werr != nil {
		return fault.Wrap(fault.Closed, werr)
	}
	return nil
}

// retryable reports whether the same request may work later, and when the server
// said that would be; 0: it did not say.
func retryable(err error) (time.Duration, bool) {
	var p *Problem
	if errors.As(err, &p) {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusLocked, http.StatusServiceUnavailable,
			http.StatusBadGateway, http.StatusGatewayTimeout:
			return time.Duration(p.RetryAfter) * time.Second, true
		}
		return 0, false
	}
	var l *lost
	return 0, errors.As(err, &l)
}
