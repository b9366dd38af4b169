package rest

import (
	"net/http"
	"net/netip"
	"net/url"
)

// Header values that many answers share. Nobody changes what is in a header, only
// which slice is.
var (
	sniff    = []string{"nosniff"}
	referrer = []string{"same-origin"} // tokens are in paths
	strict   = []string{"max-age=31536000"}
	hangup   = []string{"close"}
	noStore  = []string{"no-store"}
	jsonType = []string{typeJSON}
	// pagePolicy is what a page may do, unless it says more itself.
	pagePolicy = []string{"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; " +
		"form-action 'self'; frame-ancestors 'none'"}
	// contentPolicy is that of content that people stored: whatever it is, it runs
	// nothing here.
	contentPolicy = []string{"sandbox; default-src 'none'; frame-ancestors 'none'"}
)

// dress puts the headers on x's answer that every answer has.
func (h *Handler) dress(x *exchange) {
	to := x.Header()
	to["X-Content-Type-Options"] = sniff
	to["Content-Security-Policy"] = pagePolicy
	to["Referrer-Policy"] = referrer
	to["X-Request-Id"] = []string{x.id}
	if x.secure && named(x.r.Host) {
		to["Strict-Transport-Security"] = strict
	}
	if h.draining.Load() {
		to["Connection"] = hangup
	}
}

// named reports whether host is a name that a browser may be told to ask by TLS
// only from now on: no address, and not the machine itself.
func named(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if name == "localhost" {
		return false
	}
	_, err := netip.ParseAddr(name)
	return err != nil
}

var _ http.ResponseWriter = (*exchange)(nil)
