// Package web is the pages of the central server: set-up, sign-in, files,
// links, people, and what somebody sees who was sent a link.
//
// Pages are rendered on the server with templ (*.templ; the *_templ.go beside
// them are generated and committed) and work without JavaScript, but for sending
// files: forms post, the answer redirects, the next page says what was done. What
// JavaScript adds is in assets: htmx fetches the same pages for dialogs and
// searches, tus-js-client sends files so that they can be resumed, and a few
// small modules of ours do the rest. Nothing is bundled; nothing is inline.
//
// Every page and form calls the methods of origin.Server that the REST routes
// call, so a page can do nothing that policy does not allow. The pages stand behind
// package rest's middleware, which checks Host and Origin, limits, and finds the
// caller.
package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// Config is what the pages are made from.
type Config struct {
	Origin *origin.Server
	// SessionTTL is how long a browser keeps the session's cookie; 0: 400 days, the
	// most that browsers do. It is Origin that ends sessions, by when they were last seen.
	SessionTTL time.Duration
	Now        func() time.Time // nil: time.Now
	// Log gets what is not the visitor's to read; nil: nothing is logged.
	Log *slog.Logger
}

// Pages answers every path that is not an API or download route. It is
// rest.Config.Pages.
type Pages struct {
	origin *origin.Server
	ttl    time.Duration
	now    func() time.Time
	log    *slog.Logger
	assets *assets
	mux    *http.ServeMux
}

// New makes the pages.
func New(cfg Config) *Pages {
	p := &Pages{
		origin: cfg.Origin,
		ttl:    cmp.Or(cfg.SessionTTL, 400*24*time.Hour),
		now:    cfg.Now,
		log:    cfg.Log,
		assets: embedded(),
		mux:    http.NewServeMux(),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.routes()
	return p
}

// ServeHTTP answers one request.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// Problem shows what became of a download that a browser asked for. It is
// rest.Config.ProblemPage.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, what api.Problem) {
	v := p.visit(w, r)
	if token, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/s/"), "/"); ok && what.Status == http.StatusUnauthorized {
		http.Redirect(w, r, sharedURL(token), http.StatusSeeOther) // which asks for the password
		return
	}
	v.explain(troubleOf(what))
}

func (p *Pages) routes() {
	open := func(pattern string, h func(*visit) error) { p.mux.HandleFunc(pattern, p.handle(h, false)) }
	member := func(pattern string, h func(*visit) error) { p.mux.HandleFunc(pattern, p.handle(h, true)) }

	p.mux.Handle("GET /assets/{name}", p.assets)
	open("/", (*visit).nowhere)

	open("GET /setup", (*visit).setup)
	open("POST /setup", (*visit).setupDone)
	open("GET /login", (*visit).login)
	open("POST /login", (*visit).loginDone)
	open("POST /logout", (*visit).logout)
	open("GET /invite/{token}", (*visit).invited)
	open("POST /invite/{token}", (*visit).joined)

	open("GET /s/{token}", (*visit).shared)
	open("GET /s/{token}/browse/{path...}", (*visit).shared)
	open("POST /s/{token}", (*visit).unlock)

	member("GET /{$}", (*visit).start)
	member("GET /new", (*visit).newCollection)
	member("POST /new", (*visit).newCollectionDone)
	member("GET /search", (*visit).search)
	for _, pattern := range []string{"/c/{collection}", "/c/{collection}/{path...}"} {
		member("GET "+pattern, (*visit).entry)
		member("POST "+pattern, (*visit).entryDone)
	}
	member("GET /trash/{collection}", (*visit).trash)
	member("POST /trash/{collection}", (*visit).trashDone)
	member("GET /access/{collection}", (*visit).access)
	member("POST /access/{collection}", (*visit).accessDone)
	member("GET /links", (*visit).links)
	member("GET /links/{id}", (*visit).link)
	member("POST /links/{id}", (*visit).linkDone)
	member("GET /ledger", (*visit).ledger)
	member("GET /people", (*visit).people)
	member("POST /people", (*visit).peopleDone)
	member("GET /people/{name}", (*visit).user)
	member("POST /people/{name}", (*visit).userDone)
	member("GET /account", (*visit).account)
	member("POST /account", (*visit).accountDone)
}
