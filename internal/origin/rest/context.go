package rest

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/origin"
)

// Remote returns the address of the client behind ctx, as far as trusted
// proxies tell it; the zero Addr outside a request.
func Remote(ctx context.Context) netip.Addr { return netip.Addr{} }

// RequestID returns the ID of the request behind ctx, "" outside one.
func RequestID(ctx context.Context) string { return "" }

// BaseURL returns scheme and host under which r's client finds this server,
// without a slash at the end.
func BaseURL(r *http.Request) string { return "" }

// Secure reports whether r came over TLS, to here or to a trusted proxy.
func Secure(r *http.Request) bool { return false }

// CallerOf returns who asks, by bearer secret or session cookie. When nobody
// does, or the secret does not hold, Subject is zero; Remote and Request are
// always set.
func CallerOf(r *http.Request) origin.Caller { return origin.Caller{} }

// LinkCallerOf returns the caller that a link's token makes, with the
// password's proof from its cookie or from Basic authorization. Errors are
// those of origin.Server.ByLink and UnlockLink.
func LinkCallerOf(r *http.Request, token string) (origin.Caller, error) {
	return origin.Caller{}, nil
}

// SetSession gives the browser the secret of its session; ttl is how long it
// keeps it.
func SetSession(w http.ResponseWriter, r *http.Request, secret string, ttl time.Duration) {}

// ClearSession takes it back.
func ClearSession(w http.ResponseWriter, r *http.Request) {}

// SetLinkProof gives the browser the proof that it knew a link's password, for
// a day and below /s/TOKEN only.
func SetLinkProof(w http.ResponseWriter, r *http.Request, token string, id catalog.LinkID, proof string) {
}
