package web

import (
	"net/http"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func (v *visit) account() error {
	p, err := v.accountPage()
	if err != nil {
		return err
	}
	return v.accountShow(http.StatusOK, p)
}

func (v *visit) accountPage() (p accountPage, err error) {
	p = accountPage{User: v.who.User, Current: v.who.Session}
	if p.Sessions, err = v.origin.Sessions(v.ctx(), v.who); err != nil {
		return p, err
	}
	p.Tokens, err = v.origin.Tokens(v.ctx(), v.who)
	return p, err
}

func (v *visit) accountShow(status int, p accountPage) error {
	s := v.shell("Account", "account")
	s.Narrow = true
	return v.show(status, accountView(s, p))
}

func (v *visit) accountDone() error {
	switch v.do() {
	case "password":
		return v.changePassword()
	case "end":
		if err := v.origin.EndSession(v.ctx(), v.who, v.id("id")); err != nil {
			return err
		}
		return v.done(flash{Text: "Signed out there."}, "/account")
	case "token":
		return v.newToken()
	case "drop-token":
		if err := v.origin.DeleteToken(v.ctx(), v.who, v.id("id")); err != nil {
			return err
		}
		return v.done(flash{Text: "The token is deleted and works no more."}, "/account")
	}
	return fault.Errorf(fault.Invalid, "there is no such form")
}

func (v *visit) changePassword() error {
	err := v.sameTwice("new", "again")
	if err == nil {
		err = v.origin.ChangePassword(v.ctx(), v.who, v.secret("old"), v.secret("new"))
	}
	if err == nil {
		return v.done(flash{Text: "The password is changed. Everywhere else you are signed out."}, "/account")
	}
	text, status, ok := complaintOf(err)
	if kind := fault.KindOf(err); !ok && (kind == fault.Permission || kind == fault.Unauthenticated) {
		text, status, ok = "The present password is not right.", http.StatusForbidden, true
	}
	if !ok {
		return err
	}
	p, again := v.accountPage()
	if again != nil {
		return again
	}
	p.Wrong = text
	return v.accountShow(status, p)
}

func (v *visit) newToken() error {
	var secret string
	end, err := daysFrom(v.now(), v.text("days"))
	if err == nil {
		secret, _, err = v.origin.CreateToken(v.ctx(), v.who, v.text("name"), rightsOf(v.text("level")), v.text("server") == "yes", end)
	}
	text, status, ok := "", http.StatusOK, true
	if err != nil {
		text, status, ok = complaintOf(err)
	}
	if !ok {
		return err
	}
	p, err := v.accountPage()
	if err != nil {
		return err
	}
	p.Secret, p.Error = secret, text
	return v.accountShow(status, p)
}

// tokenLevels are what a token may do on collections, as far as its owner may.
func tokenLevels() []option {
	return []option{
		{"view", "view and download"},
		{"edit", "view, download, add and change files"},
		{"drop", "add files only"},
		{"manage", "do everything with collections"},
	}
}

func tokenWords(t catalog.Token) string {
	words := "may " + rightsWords(t.Limit)
	if t.Limit&policy.Administer != 0 {
		words = "may do everything with collections"
	}
	if t.Server {
		words += "; manages the server"
	}
	return words
}
