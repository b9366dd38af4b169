package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// statuses is the contract between kinds and statuses.
func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid: 400, fault.Protocol: 400, fault.Unauthenticated: 401, fault.Permission: 403, fault.Refused: 403,
		fault.NotFound: 404, fault.Exists: 409, fault.Conflict: 409, fault.Busy: 423, fault.Gone: 410,
		fault.Precondition: 412, fault.Changed: 412, fault.Quota: 413, fault.Corrupt: 422, fault.Limited: 429,
		fault.Full: 507, fault.Unreachable: 503, fault.Closed: 503, fault.Timeout: 408, fault.Other: 500,
	}
}

func TestProblems(t *testing.T) {
	for kind := fault.Other; kind <= fault.Precondition; kind++ {
		want, listed := statuses()[kind]
		if !listed {
			t.Errorf("nobody says what %v is to a client", kind)
		}
		p := ProblemOf(fmt.Errorf("put a/b: %w", fault.Errorf(kind, "secret of the house")))
		if p.Status != want || p.Kind != kind.String() || p.Title == "" || p.Type != "tag:tandem,2026:problem/"+kind.String() {
			t.Errorf("%v: %+v, want status %d", kind, p, want)
		}
		told := strings.Contains(p.Detail, "secret of the house")
		if told != (want < 500 || kind == fault.Full) {
			t.Errorf("%v: detail %q", kind, p.Detail)
		}
		wait := kind == fault.Busy || kind == fault.Limited || kind == fault.Unreachable || kind == fault.Closed
		if wait != (p.RetryAfter > 0) {
			t.Errorf("%v: try again after %d s", kind, p.RetryAfter)
		}
	}
}

// tried answers with what serve does, on a route of the given kind.
func tried(t *testing.T, rt *route, change func(*Config), r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	h := bare(t, change)
	rt.pattern, rt.counters = "/try", h.metrics.route("/try", "")
	h.mux = http.NewServeMux()
	h.mux.Handle("/try", rt)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPanicIsAProblem(t *testing.T) {
	var log bytes.Buffer
	w := tried(t, &route{serve: func(*exchange) error { panic("boom") }}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	}, httptest.NewRequest("GET", "/try", nil))
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 500 || p.Status != 500 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "boom") {
		t.Errorf("the client is told %s", w.Body)
	}
	if p.Request == "" || !strings.Contains(log.String(), p.Request) || !strings.Contains(log.String(), "boom") {
		t.Errorf("request %q is not in the log with its panic: %s", p.Request, log.String())
	}
}

// An answer that is out half way cannot become a problem: it must not look whole.
func TestLateFailureBreaksOff(t *testing.T) {
	for name, serve := range map[string]func(*exchange) error{
		"error": func(x *exchange) error {
			_, _ = x.Write([]byte("half"))
			return fault.Errorf(fault.Unreachable, "gone")
		},
		"panic": func(x *exchange) error {
			_, _ = x.Write([]byte("half"))
			panic("boom")
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("ended with %v", p)
				}
			}()
			tried(t, &route{serve: serve}, nil, httptest.NewRequest("GET", "/try", nil))
			t.Error("ended as if all were well")
		})
	}
}

func TestProblemPage(t *testing.T) {
	refuse := &route{browsed: true, auth: byLink, serve: func(x *exchange) error {
		x.Header().Set("Content-Disposition", "attachment")
		return fault.Errorf(fault.Unauthenticated, "this link has a password")
	}}
	page := func(c *Config) {
		c.ProblemPage = func(w http.ResponseWriter, _ *http.Request, p api.Problem) {
			w.WriteHeader(p.Status)
			_, _ = io.WriteString(w, "<p>"+p.Detail)
		}
	}
	r := httptest.NewRequest("GET", "/try", nil)
	w := tried(t, refuse, page, r)
	if w.Code != 401 || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("WWW-Authenticate") != `Basic realm="link", charset="UTF-8"` ||
		w.Header().Get("Content-Disposition") != "" {
		t.Errorf("curl gets %d %v", w.Code, w.Header())
	}
	r = httptest.NewRequest("GET", "/try", nil)
	r.Header.Set("Accept", "text/html,*/*")
	if w = tried(t, refuse, page, r); w.Code != 401 || !strings.HasPrefix(w.Body.String(), "<p>") || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("a browser gets %d %s", w.Code, w.Body)
	}
	r = httptest.NewRequest("GET", "/try", nil)
	r.Header.Set("Accept", "text/html,*/*")
	refuse.browsed = false
	if w = tried(t, refuse, page, r); w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("a script of a page gets %s", w.Body)
	}
}

func TestDecode(t *testing.T) {
	type in struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
	}
	for _, c := range []struct {
		name, kind, body string
		want             int
	}{
		{"whole", "application/json", `{"name":"a","size":1}`, 200},
		{"with a charset", "application/json; charset=utf-8", ` {} `, 200},
		{"no type", "", `{}`, 415},
		{"a form", "application/x-www-form-urlencoded", `name=a`, 415},
		{"text, as a page of another site could send", "text/plain", `{}`, 415},
		{"empty", "application/json", ``, 400},
		{"cut", "application/json", `{"name":"a"`, 400},
		{"no JSON", "application/json", `name`, 400},
		{"an unknown field", "application/json", `{"nam":"a"}`, 400},
		{"another type", "application/json", `{"size":"1"}`, 400},
		{"two values", "application/json", `{}{}`, 400},
		{"something behind", "application/json", `{}x`, 400},
		{"too long", "application/json", `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, 413},
		{"too deep", "application/json", strings.Repeat("[", 20000), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/try", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			w := tried(t, &route{serve: func(x *exchange) error {
				if err := x.decode(&in{}); err != nil {
					return err
				}
				return x.json(200, 1)
			}}, nil, r)
			if w.Code != c.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.want)
			}
			if c.want != 200 {
				var p api.Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Kind != "invalid" || p.Detail == "" {
					t.Errorf("%s", w.Body)
				}
			}
		})
	}
}

func TestLog(t *testing.T) {
	var log bytes.Buffer
	h := bare(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	ask(h, "GET", "/s/abcdefghijklmnopqrstuv/x%0aevil%1b[31m?token=geheim", func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer tds_geheim")
		r.Header.Set("Cookie", "tandem_session=tds_geheim")
	})
	line := log.String()
	if strings.Count(line, "\n") != 1 {
		t.Errorf("not one line: %q", line)
	}
	for _, secret := range []string{"geheim", "abcdefghijklmnopqrstuv", "\x1b", "\nevil"} {
		if strings.Contains(strings.TrimSuffix(line, "\n"), secret) {
			t.Errorf("%q is in the log: %s", secret, line)
		}
	}
	for _, part := range []string{"method=GET", "status=200", "remote=192.0.2.1", "request="} {
		if !strings.Contains(line, part) {
			t.Errorf("%s is missing: %s", part, line)
		}
	}
}

func TestLines(t *testing.T) {
	value := strings.Repeat("x", 1000)
	for _, n := range []int{0, 1, 100} {
		w := tried(t, &route{serve: func(x *exchange) error {
			l := x.lines()
			for range n {
				if err := l.write(value); err != nil {
					return err
				}
			}
			return l.end()
		}}, nil, httptest.NewRequest("GET", "/try", nil))
		if got := strings.Count(w.Body.String(), "\n"); got != n || w.Header().Get("Content-Type") != typeNDJSON {
			t.Errorf("%d lines of %d, %s", got, n, w.Header().Get("Content-Type"))
		}
	}
	w := tried(t, &route{serve: func(x *exchange) error {
		if err := x.lines().write(1); err != nil {
			return err
		}
		return fault.Errorf(fault.Permission, "no more")
	}}, nil, httptest.NewRequest("GET", "/try", nil))
	if w.Code != 403 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("what fails before anything is out answers %d %s", w.Code, w.Body)
	}
}

func TestBudget(t *testing.T) {
	b := budget{free: 10}
	if err := b.take(7); err != nil {
		t.Fatal(err)
	}
	if err := b.take(4); !errors.Is(err, fault.Limited) {
		t.Errorf("more than there is: %v", err)
	}
	if err := b.take(3); err != nil {
		t.Errorf("what a refused one took is missing: %v", err)
	}
	b.give(10)
	if err := b.take(10); err != nil {
		t.Error(err)
	}
}
