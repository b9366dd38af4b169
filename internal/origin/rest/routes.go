package rest

import (
	"net/http"
	"slices"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// auth says how a route's caller is proven.
type auth uint8

const (
	anybody       auth = iota
	account            // bearer secret or session cookie
	byLink             // the token in the path, and its password
	accountOrLink      // an account, or a token in the header Tandem-Link
)

// route is one method on one pattern of http.ServeMux, and all that is to be
// known about it.
type route struct {
	method, pattern string
	does            string // a sentence without its end
	auth            auth
	serve           func(*exchange) error
	refuse          func(*exchange, error) error // instead of x.fail, when nobody is signed in
	query           []param
	in, out         any    // zero values of what the bodies hold; nil: no body, or bytes
	takes, gives    string // their media types, where not JSON
	status          int    // when all is well
	browsed         bool   // people open it in a browser
	counters        *counters
}

// param is a value of the query or a header.
type param struct {
	name, does string
	header     bool
}

const v1 = "/api/v1/"

// routes returns the table of everything this package answers.
func routes() []*route {
	return slices.Concat(
		outsideRoutes(), signRoutes(), peopleRoutes(), collectionRoutes(),
		treeRoutes(), contentRoutes(), linkRoutes(), swarmRoutes(), auditRoutes(),
		tusRoutes(v1+"uploads", accountOrLink),
		tusRoutes(v1+"shared/{token}/uploads", byLink),
		tusRoutes("/s/{token}/uploads", byLink),
	)
}

func outsideRoutes() []*route {
	return []*route{
		{method: "GET", pattern: healthPath, does: "Says that the process is alive", gives: "text/plain", serve: (*exchange).healthz},
		{method: "GET", pattern: readyPath, does: "Says whether requests can be answered: database and storage are there, and the server is not being stopped", gives: "text/plain", serve: (*exchange).readyz},
		{method: "GET", pattern: "/metrics", does: "Figures for Prometheus; for admins, and for programs on this machine", gives: "text/plain", auth: account, serve: (*exchange).metricsPage},
		{method: "GET", pattern: v1 + "openapi.json", does: "This document", out: map[string]any{}, serve: (*exchange).openapi},
	}
}

// mount makes the mux from the table. What no route matches goes to the pages,
// or is answered here when it is below /api.
func (h *Handler) mount(table []*route) {
	h.mux = http.NewServeMux()
	for _, rt := range table {
		rt.counters = h.metrics.route(rt.pattern, rt.method)
		if rt.status == 0 {
			rt.status = http.StatusOK
		}
		switch root, deep := strings.CutSuffix(rt.pattern, "/{path...}"); {
		case deep: // with and without the slash; the mux would redirect
			h.mux.Handle(rt.method+" "+root, rt)
			h.mux.Handle(rt.method+" "+rt.pattern, rt)
		case rt.pattern == torrentPattern: // no pattern of the mux's
			h.mux.HandleFunc(rt.method+" /s/{token}", func(w http.ResponseWriter, r *http.Request) {
				token, ok := strings.CutSuffix(r.PathValue("token"), ".torrent")
				if !ok {
					h.elsewhere.ServeHTTP(w, r)
					return
				}
				r.SetPathValue("token", token)
				rt.ServeHTTP(w, r)
			})
		default:
			h.mux.Handle(rt.method+" "+rt.pattern, rt)
		}
	}
	h.refused = &route{pattern: "refused", counters: h.metrics.route("refused", "")}
	h.elsewhere = &route{pattern: "pages", counters: h.metrics.route("pages", ""), serve: (*exchange).page}
	unknown := &route{pattern: "unknown", counters: h.metrics.route("unknown", ""), serve: (*exchange).unknown}
	h.mux.Handle("/", h.elsewhere)
	h.mux.Handle("/api", unknown)
	h.mux.Handle("/api/", unknown)
	h.document = document(table, h.cfg.Version)
}

// ServeHTTP answers x's request once the mux has found that it is for rt. w is
// the exchange: the mux hands on what ServeHTTP gave it.
func (rt *route) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	x := w.(*exchange)
	x.route = rt
	if rt.auth == account && rt.pattern != "/metrics" {
		err := x.signedIn()
		if err != nil && rt.refuse != nil {
			if err = rt.refuse(x, err); err == nil {
				return
			}
		}
		if err != nil {
			x.fail(err)
			return
		}
	}
	if err := rt.serve(x); err != nil {
		x.fail(err)
	}
}

func (x *exchange) signedIn() error {
	c, err := x.asker()
	if err != nil {
		return err
	}
	if !c.Subject.Known {
		return fault.Errorf(fault.Unauthenticated, "nobody is signed in: send a session's or a token's secret as Authorization: Bearer")
	}
	return nil
}

// page hands the request to the pages.
func (x *exchange) page() error {
	if x.h.cfg.Pages == nil {
		return errNoRoute(x.r)
	}
	r := x.r.WithContext(contextWith(x))
	x.h.cfg.Pages.ServeHTTP(x, r)
	return nil
}

// unknown answers for what is below /api and no route: a wrong method, or
// nothing at all.
func (x *exchange) unknown() error {
	var allowed []string
	for _, m := range [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		try := &http.Request{Method: m, URL: x.r.URL, Host: x.r.Host}
		if _, pattern := x.h.mux.Handler(try); pattern != "/api/" && pattern != "/api" && pattern != "/" && pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if allowed == nil {
		return errNoRoute(x.r)
	}
	x.Header().Set("Allow", strings.Join(allowed, ", "))
	return withStatus(http.StatusMethodNotAllowed, fault.Errorf(fault.Invalid, "%s is not possible here, only %s", x.r.Method, strings.Join(allowed, ", ")))
}

func errNoRoute(r *http.Request) error {
	return fault.Errorf(fault.NotFound, "there is nothing at %s", withoutSecrets(r.URL.Path))
}

func (x *exchange) openapi() error {
	h := x.Header()
	h["Content-Type"] = jsonType
	_, _ = x.Write(x.h.document) // a client that is gone is noticed by net/http
	return nil
}

func signRoutes() []*route {
	return []*route{
		{method: "POST", pattern: v1 + "setup", does: "Makes the first admin with the one-time token of the first start", in: api.Setup{}, out: api.User{}, status: 201, serve: (*exchange).setup},
		{method: "POST", pattern: v1 + "sessions", does: "Signs in; the secret is in this answer only", in: api.Login{}, out: api.Session{}, status: 201, serve: (*exchange).login},
		{method: "GET", pattern: v1 + "sessions", does: "Where the caller is signed in", auth: account, out: []api.Session{}, serve: (*exchange).sessions},
		{method: "DELETE", pattern: v1 + "sessions/current", does: "Signs out", auth: account, status: 204, serve: (*exchange).logout},
		{method: "DELETE", pattern: v1 + "sessions/{id}", does: "Ends one of the caller's sessions", auth: account, status: 204, serve: (*exchange).endSession},
		{method: "GET", pattern: v1 + "me", does: "Who the caller is, and what its credential is limited to", auth: account, out: api.Me{}, serve: (*exchange).me},
		{method: "PUT", pattern: v1 + "me/password", does: "Changes the caller's password and ends its other sessions", auth: account, in: api.PasswordChange{}, status: 204, serve: (*exchange).changePassword},
		{method: "GET", pattern: v1 + "tokens", does: "The caller's API tokens", auth: account, out: []api.Token{}, serve: (*exchange).tokens},
		{method: "POST", pattern: v1 + "tokens", does: "Makes an API token no stronger than the caller; the secret is in this answer only", auth: account, in: api.NewToken{}, out: api.Token{}, status: 201, serve: (*exchange).createToken},
		{method: "DELETE", pattern: v1 + "tokens/{id}", does: "Ends an API token", auth: account, status: 204, serve: (*exchange).deleteToken},
	}
}

func peopleRoutes() []*route {
	return []*route{
		{method: "GET", pattern: v1 + "users", does: "Accounts, by name", auth: account, query: pageParams("name"), out: []api.User{}, serve: (*exchange).users},
		{method: "POST", pattern: v1 + "users", does: "Makes an account", auth: account, in: api.NewUser{}, out: api.User{}, status: 201, serve: (*exchange).createUser},
		{method: "GET", pattern: v1 + "users/{name}", does: "One account", auth: account, out: api.User{}, serve: (*exchange).user},
		{method: "PATCH", pattern: v1 + "users/{name}", does: "Changes an account; what is absent stays", auth: account, in: api.UserChange{}, out: api.User{}, serve: (*exchange).updateUser},
		{method: "GET", pattern: v1 + "groups", does: "Groups and who is in them", auth: account, out: []api.Group{}, serve: (*exchange).groups},
		{method: "POST", pattern: v1 + "groups", does: "Makes an empty group", auth: account, in: api.Group{}, out: api.Group{}, status: 201, serve: (*exchange).createGroup},
		{method: "DELETE", pattern: v1 + "groups/{group}", does: "Removes a group and what was granted to it", auth: account, status: 204, serve: (*exchange).deleteGroup},
		{method: "PUT", pattern: v1 + "groups/{group}/members/{user}", does: "Adds a member", auth: account, status: 204, serve: (*exchange).addMember},
		{method: "DELETE", pattern: v1 + "groups/{group}/members/{user}", does: "Removes a member", auth: account, status: 204, serve: (*exchange).removeMember},
		{method: "GET", pattern: v1 + "invitations", does: "Invitations that nobody has taken yet", auth: account, out: []api.Invitation{}, serve: (*exchange).invitations},
		{method: "POST", pattern: v1 + "invitations", does: "Invites one person; the URL is in this answer only", auth: account, in: api.NewInvitation{}, out: api.Invitation{}, status: 201, serve: (*exchange).invite},
		{method: "DELETE", pattern: v1 + "invitations/{id}", does: "Withdraws an invitation", auth: account, status: 204, serve: (*exchange).withdraw},
		{method: "POST", pattern: v1 + "invitations/accept", does: "Takes an invitation: makes the account it is for", in: api.Accept{}, out: api.User{}, status: 201, serve: (*exchange).accept},
	}
}

func collectionRoutes() []*route {
	one := v1 + "collections/{collection}"
	return []*route{
		{method: "GET", pattern: v1 + "collections", does: "The collections the caller may see", auth: account, out: []api.Collection{}, serve: (*exchange).collections},
		{method: "POST", pattern: v1 + "collections", does: "Makes a collection, which the caller owns; only a name is taken", auth: account, in: api.CollectionChange{}, out: api.Collection{}, status: 201, serve: (*exchange).createCollection},
		{method: "GET", pattern: one, does: "One collection", auth: account, out: api.Collection{}, serve: (*exchange).collection},
		{method: "PATCH", pattern: one, does: "Changes a collection; what is absent stays", auth: account, in: api.CollectionChange{}, out: api.Collection{}, serve: (*exchange).updateCollection},
		{method: "DELETE", pattern: one, does: "Removes an empty collection", auth: account, status: 204, serve: (*exchange).deleteCollection},
		{method: "GET", pattern: one + "/grants", does: "Who may do what here", auth: account, out: []api.Grant{}, serve: (*exchange).grants},
		{method: "PUT", pattern: one + "/grants/{kind}/{name}", does: "Replaces what a user or group (kind) may do here", auth: account, in: api.Grant{}, status: 204, serve: (*exchange).setGrant},
		{method: "DELETE", pattern: one + "/grants/{kind}/{name}", does: "Takes a grant away", auth: account, status: 204, serve: (*exchange).removeGrant},
		{method: "GET", pattern: v1 + "search", does: "Files and folders whose name contains a text", auth: account, query: []param{{name: "q", does: "the text"}, {name: "collection", does: "look only here"}, {name: "limit", does: "at most so many"}}, out: []api.Found{}, serve: (*exchange).search},
	}
}

// pageParams are those of a list that comes in pages.
func pageParams(by string) []param {
	return []param{
		{name: "after", does: "the " + by + " behind which to go on"},
		{name: "limit", does: "at most so many"},
	}
}
