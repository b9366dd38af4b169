package rest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"tandem/internal/catalog"
	"tandem/internal/origin/api"
)

// auditPage is how many entries are read at once.
const auditPage = 1000

func (x *exchange) audit() error {
	q := x.r.URL.Query()
	after, err := number("after", q.Get("after"))
	if err != nil {
		return err
	}
	left, err := limitOf(x.r)
	if err != nil {
		return err
	}
	if left == 0 {
		left = -1 // all
	}
	filter, err := x.auditFilter()
	if err != nil {
		return err
	}
	lines := x.lines()
	for left != 0 {
		n := auditPage
		if left > 0 {
			n = min(n, left)
		}
		page, err := x.h.cfg.Server.AuditEntries(x.r.Context(), x.caller, after, filter, n)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := lines.write(auditShape(e)); err != nil {
				return err
			}
			after = e.Seq
		}
		if left > 0 {
			left -= len(page)
		}
		if len(page) < n {
			break
		}
	}
	return lines.end()
}

func (x *exchange) auditFilter() (f catalog.AuditFilter, err error) {
	q := x.r.URL.Query()
	f.Action = q.Get("action")
	if f.Since, err = moment("since", q.Get("since")); err != nil {
		return f, err
	}
	if f.Until, err = moment("until", q.Get("until")); err != nil {
		return f, err
	}
	if name := q.Get("user"); name != "" {
		u, err := x.h.cfg.Server.User(x.r.Context(), x.caller, name)
		if err != nil {
			return f, err
		}
		f.User = u.ID
	}
	return f, nil
}

func (x *exchange) verifyAudit() error {
	report, err := x.h.cfg.Server.VerifyAudit(x.r.Context(), x.caller)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, api.AuditReport{Entries: report.Entries, Head: report.Head, Broken: report.Broken})
}

// lines writes an answer of one JSON value a line. The header goes out with the
// first line, so that what fails before it is a problem like any other; what
// fails later breaks the answer off.
type lines struct {
	x     *exchange
	begun bool
	buf   []byte
}

const lineBuffer = 32 << 10

func (x *exchange) lines() *lines { return &lines{x: x} }

func (l *lines) write(v any) error {
	l.begin()
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.buf = append(append(l.buf, b...), '\n')
	if len(l.buf) < lineBuffer {
		return nil
	}
	return l.flush()
}

func (l *lines) begin() {
	if l.begun {
		return
	}
	l.begun = true
	h := l.x.Header()
	h.Set("Content-Type", typeNDJSON)
	h["Cache-Control"] = noStore
}

func (l *lines) flush() error {
	_, err := l.x.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// end writes what is left; a short answer has its length.
func (l *lines) end() error {
	l.begin()
	if l.x.status == 0 {
		l.x.Header().Set("Content-Length", strconv.Itoa(len(l.buf)))
	}
	return l.flush()
}
