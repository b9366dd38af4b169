package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"tandem/internal/origin/api"
)

const v1 = "api/v1/"

func get(path string) request { return request{method: http.MethodGet, path: v1 + path} }

func post(path string) request         { return request{method: http.MethodPost, path: v1 + path, once: true} }
func verb(method, path string) request { return request{method: method, path: v1 + path} }
func number(id int64) string           { return strconv.FormatInt(id, 10) }
func remove(path string) request       { return verb(http.MethodDelete, path) }
func one[T any](ctx context.Context, c *Client, r request, in any) (T, error) {
	var out T
	err := c.call(ctx, r, in, &out)
	return out, err
}

// Login begins a session; its Secret is what a Client is made with from then on.
func (c *Client) Login(ctx context.Context, user, password string) (api.Session, error) {
	r := post("sessions")
	r.auth.none = true
	return one[api.Session](ctx, c, r, api.Login{User: user, Password: password})
}

// Logout ends the session.
func (c *Client) Logout(ctx context.Context) error {
	return c.call(ctx, remove("sessions/current"), nil, nil)
}

// Accept makes the account that an invitation is for.
func (c *Client) Accept(ctx context.Context, token, user, password string) (api.User, error) {
	r := post("invitations/accept")
	r.auth.none = true
	return one[api.User](ctx, c, r, api.Accept{Token: token, User: user, Password: password})
}

// Me returns who we are.
func (c *Client) Me(ctx context.Context) (api.Me, error) {
	return one[api.Me](ctx, c, get("me"), nil)
}

// ChangePassword changes our own; all other sessions end.
func (c *Client) ChangePassword(ctx context.Context, old, changed string) error {
	return c.call(ctx, verb(http.MethodPut, "me/password"), api.PasswordChange{Old: old, New: changed}, nil)
}

// Tokens returns our API tokens.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	return one[[]api.Token](ctx, c, get("tokens"), nil)
}

// CreateToken makes an API token; its Secret is in the answer only.
func (c *Client) CreateToken(ctx context.Context, t api.NewToken) (api.Token, error) {
	return one[api.Token](ctx, c, post("tokens"), t)
}

// DeleteToken ends an API token.
func (c *Client) DeleteToken(ctx context.Context, id int64) error {
	return c.call(ctx, remove("tokens/"+number(id)), nil, nil)
}

// Users returns all accounts.
func (c *Client) Users(ctx context.Context) ([]api.User, error) {
	var all []api.User
	for {
		r := get("users")
		if len(all) > 0 {
			r.query = url.Values{"after": {all[len(all)-1].Name}}
		}
		page, err := one[[]api.User](ctx, c, r, nil)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 || len(all) > 0 && page[0].Name <= all[len(all)-1].Name {
			return all, nil // a server that does not page says the same again
		}
		all = append(all, page...)
	}
}

// CreateUser makes an account.
func (c *Client) CreateUser(ctx context.Context, u api.NewUser) (api.User, error) {
	return one[api.User](ctx, c, post("users"), u)
}

// UpdateUser changes an account.
func (c *Client) UpdateUser(ctx context.Context, name string, change api.UserChange) (api.User, error) {
	return one[api.User](ctx, c, verb(http.MethodPatch, "users/"+escape(name)), change)
}

// Groups returns all groups.
func (c *Client) Groups(ctx context.Context) ([]api.Group, error) {
	return one[[]api.Group](ctx, c, get("groups"), nil)
}

// CreateGroup makes an empty group.
func (c *Client) CreateGroup(ctx context.Context, name string) (api.Group, error) {
	return one[api.Group](ctx, c, post("groups"), api.Group{Name: name})
}

// DeleteGroup removes a group with its grants.
func (c *Client) DeleteGroup(ctx context.Context, name string) error {
	return c.call(ctx, remove("groups/"+escape(name)), nil, nil)
}

// SetMember puts a user into a group or takes them out.
func (c *Client) SetMember(ctx context.Context, group, user string, member bool) error {
	method := http.MethodPut
	if !member {
		method = http.MethodDelete
	}
	return c.call(ctx, verb(method, "groups/"+escape(group)+"/members/"+escape(user)), nil, nil)
}

// Invitations returns those that nobody has taken yet.
func (c *Client) Invitations(ctx context.Context) ([]api.Invitation, error) {
	return one[[]api.Invitation](ctx, c, get("invitations"), nil)
}

// Invite makes an invitation; its URL is in the answer only.
func (c *Client) Invite(ctx context.Context, i api.NewInvitation) (api.Invitation, error) {
	return one[api.Invitation](ctx, c, post("invitations"), i)
}

// WithdrawInvitation ends an invitation that nobody has taken.
func (c *Client) WithdrawInvitation(ctx context.Context, id int64) error {
	return c.call(ctx, remove("invitations/"+number(id)), nil, nil)
}

// VerifyAudit makes the server check its audit log.
func (c *Client) VerifyAudit(ctx context.Context) (api.AuditReport, error) {
	return one[api.AuditReport](ctx, c, get("audit/verify"), nil)
}

// Audit calls f with each entry that q selects: keys after, user, action, since,
// until, limit.
func (c *Client) Audit(ctx context.Context, q url.Values, f func(api.AuditEntry) error) error {
	r := get("audit")
	r.query = q
	return lines(ctx, c, r, f)
}
