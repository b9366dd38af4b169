package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/rest"
)

// maxForm bounds a form's body, in bytes; the longest field is a path.
const maxForm = 64 << 10

// visit is one request for a page.
type visit struct {
	*Pages
	w     http.ResponseWriter
	r     *http.Request
	who   origin.Caller
	flash *flash
}

func (p *Pages) visit(w http.ResponseWriter, r *http.Request) *visit {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would also hide Origin, which the cross-origin check needs
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	return &visit{Pages: p, w: w, r: r, who: rest.CallerOf(r)}
}

// handle turns h into a handler: a member's page sends those to the login who are
// not signed in, errors become pages.
func (p *Pages) handle(h func(*visit) error, member bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := p.visit(w, r)
		if err := v.admit(member); err != nil {
			v.fail(err)
			return
		}
		if err := h(v); err != nil {
			v.fail(err)
		}
	}
}

func (v *visit) admit(member bool) error {
	if member && !v.who.Subject.Known {
		return fault.Errorf(fault.Unauthenticated, "nobody is signed in")
	}
	if v.r.Method != http.MethodPost {
		return nil
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return fault.Errorf(fault.Invalid, "the form could not be read: %w", err)
	}
	return nil
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// do names the task within a page's address.
func (v *visit) do() string { return v.r.URL.Query().Get("do") }

// text returns a field of the form without spaces around it; secret as it is.
func (v *visit) text(name string) string   { return strings.TrimSpace(v.r.PostFormValue(name)) }
func (v *visit) secret(name string) string { return v.r.PostFormValue(name) }

// id returns a number from the form; what is none is nothing that exists.
func (v *visit) id(name string) int64 {
	n, err := strconv.ParseInt(v.r.PostFormValue(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// byScript reports whether htmx asks, inDialog whether the answer goes into the dialog.
func (v *visit) byScript() bool { return v.r.Header.Get("HX-Request") == "true" }

func (v *visit) inDialog() bool {
	return v.byScript() && strings.HasSuffix(v.r.Header.Get("HX-Target"), "#dialog-body")
}

// shell is the frame of a page with this title.
func (v *visit) shell(title, nav string) shell {
	s := shell{Title: title, Nav: nav, Dialog: v.inDialog(), assets: v.assets, now: v.now()}
	if v.who.Subject.Known {
		s.User, s.Role = v.who.User.Name, v.who.Subject.Role
	}
	if !s.Dialog {
		s.Flash = v.takeFlash()
	}
	return s
}

// show writes a page.
func (v *visit) show(status int, page templ.Component) error {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Add("Vary", "HX-Request, HX-Target")
	v.w.WriteHeader(status)
	if v.r.Method == http.MethodHead {
		return nil
	}
	if err := page.Render(v.ctx(), v.w); err != nil {
		v.log.DebugContext(v.ctx(), "page not sent", "path", v.r.URL.Path, "err", err)
	}
	return nil
}

// goTo ends a form: the browser gets url.
func (v *visit) goTo(url string) error {
	if v.byScript() {
		v.w.Header().Set("HX-Redirect", url)
		v.w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(v.w, v.r, url, http.StatusSeeOther)
	return nil
}

// done ends a form with a message.
func (v *visit) done(f flash, url string) error {
	v.setFlash(f)
	return v.goTo(url)
}

func (v *visit) nowhere() error {
	return fault.Errorf(fault.NotFound, "there is no page here")
}

// local returns where to go after signing in: a path on this server, "/" for
// anything that could lead elsewhere.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t\x00") {
		return "/"
	}
	return next
}
