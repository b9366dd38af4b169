package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Problem is the server's own account of a failure. It is of the kind that the
// server named.
type Problem struct{ api.Problem }

// Error says what the server said.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if text == "" {
		text = fmt.Sprintf("the server answered %d %s", p.Status, http.StatusText(p.Status))
	}
	if p.Status >= http.StatusInternalServerError && p.Request != "" {
		text += " (request " + p.Request + " in the server's log)"
	}
	return text
}

// Is makes a Problem be of its kind.
func (p *Problem) Is(target error) bool { return target == error(p.kind()) }

func (p *Problem) kind() fault.Kind {
	for k := fault.Other + 1; k.String() != fault.Other.String(); k++ {
		if k.String() == p.Kind {
			return k
		}
	}
	return kindOfStatus(p.Status)
}

// kindOfStatus is for answers of somebody in between, who knows no kinds.
func kindOfStatus(status int) fault.Kind {
	switch status {
	case http.StatusBadRequest:
		return fault.Invalid
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Permission
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Exists
	case http.StatusGone:
		return fault.Gone
	case http.StatusPreconditionFailed:
		return fault.Precondition
	case http.StatusRequestEntityTooLarge:
		return fault.Quota
	case http.StatusUnprocessableEntity:
		return fault.Corrupt
	case http.StatusLocked:
		return fault.Busy
	case http.StatusTooManyRequests:
		return fault.Limited
	case http.StatusInsufficientStorage:
		return fault.Full
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Unreachable
	case http.StatusRequestTimeout:
		return fault.Timeout
	}
	return fault.Other
}

// readProblem makes an error of an answer whose status says failure. Its kind is
// outermost, so that fault.KindOf finds it.
func readProblem(res *http.Response) error {
	if at := res.Header.Get("Location"); res.StatusCode/100 == 3 {
		return fault.Wrap(fault.Protocol, fmt.Errorf("%w: it sends us to %s", ErrElsewhere, at))
	}
	p := &Problem{}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "application/problem+json" {
		data, _ := io.ReadAll(io.LimitReader(res.Body, maxProblem))
		if json.Unmarshal(data, &p.Problem) != nil {
			p.Problem = api.Problem{}
		}
	}
	p.Status = res.StatusCode
	if p.Request == "" {
		p.Request = res.Header.Get("X-Request-Id")
	}
	if s := seconds(res.Header); s > 0 {
		p.RetryAfter = s
	}
	p.RetryAfter = max(p.RetryAfter, 0)
	return fault.Wrap(p.kind(), p)
}

// seconds reads Retry-After in either form; 0: not said.
func seconds(h http.Header) int {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil {
		return min(max(n, 0), 1<<30)
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(h.Get("Date")) // the server's clock, not ours
	if err != nil {
		return 0
	}
	return int(min(max(at.Sub(sent)/time.Second, 0), 1<<30))
}
