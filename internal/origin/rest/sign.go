package rest

import (
	"net/http"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

func (x *exchange) setup() error {
	var in api.Setup
	if err := x.decode(&in); err != nil {
		return err
	}
	u, err := x.h.cfg.Server.Setup(x.r.Context(), x.nobody(), in.Token, in.User, in.Password)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, userShape(u))
}

func (x *exchange) login() error {
	var in api.Login
	if err := x.decode(&in); err != nil {
		return err
	}
	ctx, s := x.r.Context(), x.h.cfg.Server
	secret, c, err := s.Login(ctx, x.nobody(), in.User, in.Password, x.r.UserAgent())
	if err != nil {
		return err
	}
	x.caller, x.asked = c, true
	all, err := s.Sessions(ctx, c)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.ID == c.Session {
			shape := sessionShape(one, c)
			shape.Secret = secret
			return x.json(http.StatusCreated, shape)
		}
	}
	return fault.Errorf(fault.Gone, "the session was ended as it began")
}

func (x *exchange) sessions() error {
	all, err := x.h.cfg.Server.Sessions(x.r.Context(), x.caller)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, func(s catalog.Session) api.Session { return sessionShape(s, x.caller) }))
}

func (x *exchange) logout() error {
	if err := x.h.cfg.Server.Logout(x.r.Context(), x.caller); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) endSession() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	if err := x.h.cfg.Server.EndSession(x.r.Context(), x.caller, id); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) me() error {
	c := x.caller
	if c.Subject.Server { // what is remembered of the account may be a second old, and its bytes are wanted
		u, err := x.h.cfg.Server.User(x.r.Context(), c, c.User.Name)
		if err != nil {
			return err
		}
		c.User = u
	}
	return x.json(http.StatusOK, api.Me{User: userShape(c.User), Rights: rightsText(c.Subject.Limit), Server: c.Subject.Server})
}

func (x *exchange) changePassword() error {
	var in api.PasswordChange
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := x.h.cfg.Server.ChangePassword(x.r.Context(), x.caller, in.Old, in.New); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) tokens() error {
	all, err := x.h.cfg.Server.Tokens(x.r.Context(), x.caller)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, func(t catalog.Token) api.Token { return tokenShape(t, "") }))
}

func (x *exchange) createToken() error {
	var in api.NewToken
	if err := x.decode(&in); err != nil {
		return err
	}
	limit, err := parseRights(in.Rights)
	if err != nil {
		return err
	}
	var expires time.Time
	if in.Expires != nil {
		expires = *in.Expires
	}
	secret, t, err := x.h.cfg.Server.CreateToken(x.r.Context(), x.caller, in.Name, limit, in.Server, expires)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, tokenShape(t, secret))
}

func (x *exchange) deleteToken() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	if err := x.h.cfg.Server.DeleteToken(x.r.Context(), x.caller, id); err != nil {
		return err
	}
	return x.nothing()
}
