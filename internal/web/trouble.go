package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/origin/rest"
)

// trouble is an error as a visitor reads it.
type trouble struct {
	Status  int
	Title   string
	Text    string // what happened, a sentence
	Next    string // what to do now
	Login   bool   // signing in may help
	Request string // to look for in the log
}

// fail answers with err as a page, or with the login when that is what is missing.
func (v *visit) fail(err error) {
	what := rest.ProblemOf(err)
	if what.Status == http.StatusUnauthorized && v.who.Link == nil {
		v.toLogin()
		return
	}
	if what.Status >= http.StatusInternalServerError {
		v.log.ErrorContext(v.ctx(), "page failed", "path", v.r.URL.Path, "request", rest.RequestID(v.ctx()), "err", err)
	}
	if what.Detail != "" {
		what.Detail = own(err)
	}
	what.Request = rest.RequestID(v.ctx())
	v.explain(troubleOf(what))
}

// toLogin sends the visitor to sign in and back here. A form is not sent
// again: its page is where it goes back to.
func (v *visit) toLogin() {
	next := v.r.URL.RequestURI()
	if v.byScript() {
		next = "/"
		if u, err := url.Parse(v.r.Header.Get("HX-Current-URL")); err == nil {
			next = u.RequestURI()
		}
	}
	if v.r.Method != http.MethodGet && !v.byScript() {
		next = v.r.URL.Path
	}
	to := "/login"
	if next = local(next); next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	_ = v.goTo(to) // goTo has no error of its own
}

// explain shows a trouble.
func (v *visit) explain(t trouble) {
	s := v.shell(t.Title, "")
	s.Narrow = true
	_ = v.show(t.Status, problem(s, t)) // show has logged
}

// complaintOf is err as a form shows it beside its fields, and the status of that
// page; ok is false for an error that is none of the form's.
func complaintOf(err error) (text string, status int, ok bool) {
	what := rest.ProblemOf(err)
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Exists, fault.Quota, fault.Precondition, fault.Busy, fault.Limited:
		what.Detail = own(err)
		return sentence(what), what.Status, true
	}
	return "", 0, false
}

// own is what err says of itself, without the path of calls that led there: that
// is for the log.
func own(err error) string {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, ok := e.(interface{ Is(error) bool }); ok {
			return e.Error()
		}
	}
	return err.Error()
}

// sentence is a problem's detail with a capital letter and a full stop.
func sentence(p api.Problem) string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if p.RetryAfter > 0 {
		text += fmt.Sprintf(" Try again in %s", waitWords(time.Duration(p.RetryAfter)*time.Second))
	}
	return capital(text)
}

// troubleOf gives a problem its words.
func troubleOf(p api.Problem) trouble {
	t := trouble{Status: p.Status, Title: "That did not work", Text: sentence(p), Request: p.Request}
	switch p.Status {
	case http.StatusBadRequest:
		t.Title, t.Next = "That cannot be", "Go back and change what you typed."
	case http.StatusUnauthorized:
		t.Title, t.Text, t.Login = "Please sign in", "This is only for people with an account, or for a link's password.", true
	case http.StatusForbidden:
		t.Title, t.Next = "Not allowed", "Whoever owns the collection, or an admin, can let you."
	case http.StatusNotFound:
		t.Title, t.Text = "Nothing here", "There is nothing at this address, or nothing that you may see."
		t.Next = "Names may have changed; look for it from the top, or ask who sent you the address."
	case http.StatusMethodNotAllowed:
		t.Title, t.Text = "Nothing here", "This address does not do that."
	case http.StatusConflict:
		t.Title, t.Next = "The name is taken", "Choose another name, or remove what has it."
	case http.StatusGone:
		t.Title, t.Text = "This has ended", "The link or invitation expired, was used up or was taken back."
		t.Next = "Ask who sent it for a new one."
	case http.StatusPreconditionFailed:
		t.Title, t.Next = "It changed meanwhile", "Load the page again and look."
	case http.StatusRequestEntityTooLarge:
		t.Title, t.Next = "No space left for you", "Remove files you do not need, or ask an admin for more."
	case http.StatusLocked:
		t.Title, t.Next = "Busy", "Try again in a moment."
	case http.StatusTooManyRequests:
		t.Title, t.Next = "Too many tries", "Wait a little, then try again."
	case http.StatusInsufficientStorage:
		t.Title, t.Next = "The server is full", "Tell an admin; nothing was lost."
	case http.StatusServiceUnavailable:
		t.Title, t.Text = "Not reachable right now", "The server's database or store does not answer."
		t.Next = "Nothing was changed. Try again in a moment."
	case http.StatusInternalServerError:
		t.Title, t.Text = "Something went wrong", "The server failed at this; its log says more."
		t.Next = "Try again; if it stays so, give an admin the request number."
	}
	return t
}

// waitWords says how long to wait.
func waitWords(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return count(int64((d+time.Second-1)/time.Second), "second", "seconds")
	case d < 2*time.Hour:
		return count(int64((d+time.Minute-1)/time.Minute), "minute", "minutes")
	}
	return count(int64((d+time.Hour-1)/time.Hour), "hour", "hours")
}
