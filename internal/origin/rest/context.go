package rest

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
)

type contextKey int

const (
	exchangeKey contextKey = iota // *exchange, for pages
	socketKey                     // *socket, of the connection
)

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey).(*exchange)
	return x
}

// Remote returns the address of the client behind ctx, as far as trusted
// proxies tell it; the zero Addr outside a request.
func Remote(ctx context.Context) netip.Addr {
	if x := exchangeOf(ctx); x != nil {
		return x.remote
	}
	return netip.Addr{}
}

// RequestID returns the ID of the request behind ctx, "" outside one.
func RequestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// BaseURL returns scheme and host under which r's client finds this server,
// without a slash at the end.
func BaseURL(r *http.Request) string {
	if x := exchangeOf(r.Context()); x != nil {
		return x.base()
	}
	return "http://" + r.Host
}

func (x *exchange) base() string {
	if u := x.h.cfg.PublicURL; u != nil {
		return strings.TrimSuffix(u.String(), "/")
	}
	if x.secure {
		return "https://" + x.r.Host
	}
	return "http://" + x.r.Host
}

// Secure reports whether r came over TLS, to here or to a trusted proxy.
func Secure(r *http.Request) bool {
	x := exchangeOf(r.Context())
	return x != nil && x.secure
}

// CallerOf returns who asks, by bearer secret or session cookie. When nobody
// does, or the secret does not hold, Subject is zero; Remote and Request are
// always set.
func CallerOf(r *http.Request) origin.Caller {
	x := exchangeOf(r.Context())
	if x == nil {
		return origin.Caller{}
	}
	c, err := x.asker()
	if err != nil {
		return x.nobody()
	}
	return c
}

// LinkCallerOf returns the caller that a link's token makes, with the
// password's proof from its cookie or from Basic authorization. Errors are
// those of origin.Server.ByLink and UnlockLink.
func LinkCallerOf(r *http.Request, token string) (origin.Caller, error) {
	x := exchangeOf(r.Context())
	if x == nil {
		return origin.Caller{}, fault.Errorf(fault.Other, "request did not come through rest")
	}
	return x.linkCaller(token)
}

// The names of the session cookie. A browser keeps the second one only when it
// came over TLS from this very host, for all of it.
const (
	sessionCookie       = "tandem_session"
	secureSessionCookie = "__Host-tandem_session"
)

// SetSession gives the browser the secret of its session; ttl is how long it
// keeps it.
func SetSession(w http.ResponseWriter, r *http.Request, secret string, ttl time.Duration) {
	http.SetCookie(w, sessionCookieFor(r, secret, max(1, int(ttl/time.Second))))
}

// ClearSession takes it back.
func ClearSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, sessionCookieFor(r, "", -1))
}

func sessionCookieFor(r *http.Request, secret string, age int) *http.Cookie {
	c := &http.Cookie{
		Name: sessionCookie, Value: secret, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if Secure(r) {
		c.Name, c.Secure = secureSessionCookie, true
	}
	return c
}

// secretOf returns what r proves its caller with, "" when nothing. A bearer
// secret goes before a cookie: who sends one means it.
func secretOf(r *http.Request) string {
	if scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	if len(r.Header["Cookie"]) == 0 {
		return ""
	}
	for _, name := range [...]string{secureSessionCookie, sessionCookie} {
		if c, err := r.Cookie(name); err == nil && c.Value != "" {
			return c.Value
		}
	}
	return ""
}

// SetLinkProof gives the browser the proof that it knew a link's password, for
// a day and below /s/TOKEN only.
func SetLinkProof(w http.ResponseWriter, r *http.Request, token string, id catalog.LinkID, proof string) {
	http.SetCookie(w, &http.Cookie{
		Name: linkCookie(id), Value: base64.RawURLEncoding.EncodeToString([]byte(proof)),
		Path: "/s/" + token, MaxAge: 24 * 60 * 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: Secure(r),
	})
}

func linkCookie(id catalog.LinkID) string {
	return "tandem_link_" + strconv.FormatInt(int64(id), 10)
}

// linkCaller proves a caller by a link's token. A password comes by Basic
// authorization, or its proof by the cookie that the page set.
func (x *exchange) linkCaller(token string) (origin.Caller, error) {
	ctx, s := x.r.Context(), x.h.cfg.Server
	c, err := s.ByLink(ctx, x.nobody(), token, "")
	if err != nil || c.Subject.Link == nil || !c.Subject.Link.Locked {
		return c, err
	}
	if cookie, err := x.r.Cookie(linkCookie(c.Link.ID)); err == nil {
		proof, err := base64.RawURLEncoding.DecodeString(cookie.Value)
		if err == nil && len(proof) > 0 {
			if c, err = s.ByLink(ctx, x.nobody(), token, string(proof)); err != nil || !c.Subject.Link.Locked {
				return c, err
			}
		}
	}
	_, password, ok := x.r.BasicAuth()
	if !ok {
		return c, nil
	}
	if proof, ok := x.h.proofs.get(token, password); ok {
		if known, err := s.ByLink(ctx, x.nobody(), token, proof); err != nil || !known.Subject.Link.Locked {
			return known, err
		}
	}
	proof, err := s.UnlockLink(ctx, c, token, password)
	if err != nil {
		return c, err
	}
	x.h.proofs.put(token, password, proof)
	return s.ByLink(ctx, x.nobody(), token, proof)
}

func contextWith(x *exchange) context.Context {
	return context.WithValue(x.r.Context(), exchangeKey, x)
}
