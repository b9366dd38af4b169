package web

import (
	"net/http"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin/rest"
)

func (v *visit) login() error {
	next := local(v.r.URL.Query().Get("next"))
	if v.who.Subject.Known {
		return v.goTo(next)
	}
	return v.show(http.StatusOK, loginView(v.shell("Sign in", ""), doorPage{Next: next}))
}

func (v *visit) loginDone() error {
	p := doorPage{Name: v.text("name"), Next: local(v.text("next"))}
	err := v.signIn(p.Name, v.secret("password"))
	if err == nil {
		return v.goTo(p.Next)
	}
	what := rest.ProblemOf(err)
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		p.Error = "Name or password is not right."
	case fault.Limited, fault.Invalid:
		p.Error = sentence(what)
	default:
		return err
	}
	return v.show(what.Status, loginView(v.shell("Sign in", ""), p))
}

// signIn begins a session and gives the browser its secret.
func (v *visit) signIn(name, password string) error {
	secret, _, err := v.origin.Login(v.ctx(), v.who, name, password, browserOf(v.r.UserAgent()))
	if err != nil {
		return err
	}
	rest.SetSession(v.w, v.r, secret, v.ttl)
	return nil
}

func (v *visit) logout() error {
	if v.who.Subject.Known {
		if err := v.origin.Logout(v.ctx(), v.who); err != nil {
			return err
		}
	}
	rest.ClearSession(v.w, v.r)
	return v.goTo("/login")
}

func (v *visit) setup() error {
	p := doorPage{Token: v.r.URL.Query().Get("token")}
	return v.show(http.StatusOK, setupView(v.shell("Set up", ""), p))
}

func (v *visit) setupDone() error {
	p := doorPage{Token: v.text("token"), Name: v.text("name")}
	err := v.sameTwice("password", "again")
	if err == nil {
		_, err = v.origin.Setup(v.ctx(), v.who, p.Token, p.Name, v.secret("password"))
	}
	if err == nil {
		return v.firstSignIn(p.Name, "/")
	}
	text, status, ok := complaintOf(err)
	if !ok && fault.KindOf(err) == fault.Unauthenticated {
		text, status, ok = "This is not the set-up token, or it was used. The server prints a new one when it starts without an admin.", http.StatusUnauthorized, true
		p.Token = ""
	}
	if !ok {
		return err
	}
	p.Error = text
	return v.show(status, setupView(v.shell("Set up", ""), p))
}

// firstSignIn signs in an account just made. It is there whatever happens now, so
// that a refusal leads to the login.
func (v *visit) firstSignIn(name, next string) error {
	if err := v.signIn(name, v.secret("password")); err != nil {
		next = "/login"
	}
	return v.goTo(next)
}

// sameTwice checks that a password was typed twice alike.
func (v *visit) sameTwice(first, second string) error {
	if v.secret(first) != v.secret(second) {
		return fault.Errorf(fault.Invalid, "the two passwords are not the same")
	}
	return nil
}

func (v *visit) invited() error {
	i, err := v.origin.Invited(v.ctx(), v.who, v.r.PathValue("token"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, inviteView(v.shell("Welcome", ""), doorPage{Role: roleName(i.Role)}))
}

func (v *visit) joined() error {
	token := v.r.PathValue("token")
	p := doorPage{Name: v.text("name")}
	err := v.sameTwice("password", "again")
	if err == nil {
		_, err = v.origin.AcceptInvitation(v.ctx(), v.who, token, p.Name, v.secret("password"))
	}
	if err == nil {
		return v.firstSignIn(p.Name, "/")
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	i, again := v.origin.Invited(v.ctx(), v.who, token)
	if again != nil {
		return again
	}
	p.Error, p.Role = text, roleName(i.Role)
	return v.show(status, inviteView(v.shell("Welcome", ""), p))
}

// browserOf says in two words what a User-Agent header says in twenty.
func browserOf(agent string) string {
	find := func(names ...string) string {
		for _, n := range names {
			mark, word, _ := strings.Cut(n, "=")
			if strings.Contains(agent, mark) {
				return orElse(word, strings.TrimSuffix(mark, "/"))
			}
		}
		return ""
	}
	browser := find("Firefox/", "Edg/=Edge", "OPR/=Opera", "Chromium/", "Chrome/", "Safari/")
	system := find("Android", "iPhone", "iPad", "Windows", "Mac OS X=macOS", "CrOS=ChromeOS", "Linux")
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	}
	return cut(agent, 60)
}
