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
// call, so a page can do nothing that policy does not allow.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"tandem/internal/origin"
)

// Config is what the pages are made from.
type Config struct {
	Origin *origin.Server
	// Caller says who asks: rest.CallerOf. Nobody has a zero Subject.
	Caller func(*http.Request) origin.Caller
	// Cookie says how the session's secret is kept: "__Host-tandem_session" and
	// true behind TLS, "tandem_session" and false otherwise. nil: by r.TLS and PublicURL.
	Cookie func(*http.Request) (name string, secure bool)
	// PublicURL is where people reach the server, without a slash at the end; "": what the request says.
	PublicURL string
	// SessionTTL is how long a browser keeps the session's cookie; 0: 30 days.
	SessionTTL time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log gets what is not the visitor's to read; nil: nothing is logged.
	Log *slog.Logger
}

// New returns the pages and their assets. It is mounted behind rest's
// middleware: that checks Host and Origin, limits bodies and connections, and finds the caller.
// It answers every path that is not an API or download route, unknown ones with 404.
func New(cfg Config) http.Handler {
	return http.NotFoundHandler()
}

// ProofCookie returns the name of the cookie that holds what UnlockLink gave
// for a link's token; rest reads it wherever a link is the credential.
func ProofCookie(token string) string { return "tandem_link_" + token }
