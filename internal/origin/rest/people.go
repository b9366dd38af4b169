package rest

import (
	"net/http"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/policy"
)

func (x *exchange) users() error {
	limit, err := limitOf(x.r)
	if err != nil {
		return err
	}
	all, err := x.h.cfg.Server.Users(x.r.Context(), x.caller, x.r.URL.Query().Get("after"), limit)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, userShape))
}

func (x *exchange) createUser() error {
	var in api.NewUser
	if err := x.decode(&in); err != nil {
		return err
	}
	role, err := parseRole(in.Role)
	if err != nil {
		return err
	}
	u, err := x.h.cfg.Server.CreateUser(x.r.Context(), x.caller, in.Name, in.Password, role, in.Quota)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, userShape(u))
}

func (x *exchange) user() error {
	u, err := x.h.cfg.Server.User(x.r.Context(), x.caller, x.r.PathValue("name"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, userShape(u))
}

func (x *exchange) updateUser() error {
	var in api.UserChange
	if err := x.decode(&in); err != nil {
		return err
	}
	change := origin.UserChange{Disabled: in.Disabled, Quota: in.Quota, Password: in.Password}
	if in.Role != nil {
		role, err := parseRole(*in.Role)
		if err != nil {
			return err
		}
		change.Role = &role
	}
	u, err := x.h.cfg.Server.UpdateUser(x.r.Context(), x.caller, x.r.PathValue("name"), change)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, userShape(u))
}

func groupShape(v origin.GroupView) api.Group {
	return api.Group{Name: v.Group.Name, Members: append([]string{}, v.Members...)}
}

func (x *exchange) groups() error {
	all, err := x.h.cfg.Server.Groups(x.r.Context(), x.caller)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, groupShape))
}

func (x *exchange) createGroup() error {
	var in api.Group
	if err := x.decode(&in); err != nil {
		return err
	}
	if len(in.Members) > 0 {
		return fault.Errorf(fault.Invalid, "a group begins empty: add members one by one")
	}
	g, err := x.h.cfg.Server.CreateGroup(x.r.Context(), x.caller, in.Name)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, groupShape(origin.GroupView{Group: g}))
}

func (x *exchange) deleteGroup() error {
	if err := x.h.cfg.Server.DeleteGroup(x.r.Context(), x.caller, x.r.PathValue("group")); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) addMember() error    { return x.setMember(true) }
func (x *exchange) removeMember() error { return x.setMember(false) }

func (x *exchange) setMember(member bool) error {
	err := x.h.cfg.Server.SetMember(x.r.Context(), x.caller, x.r.PathValue("group"), x.r.PathValue("user"), member)
	if err != nil {
		return err
	}
	return x.nothing()
}

// invitationShape has no group name: the catalog's number says nothing to a
// client, and the answer to POST repeats the request's.
func invitationShape(i catalog.Invitation, groups map[catalog.GroupID]string) api.Invitation {
	return api.Invitation{
		ID: i.ID, Role: roleText(i.Role), Group: groups[i.Group], Note: i.Note,
		Created: i.Created.UTC(), Expires: i.Expires.UTC(),
	}
}

func (x *exchange) invitations() error {
	ctx, s := x.r.Context(), x.h.cfg.Server
	all, err := s.Invitations(ctx, x.caller)
	if err != nil {
		return err
	}
	list, err := s.Groups(ctx, x.caller)
	if err != nil {
		return err
	}
	groups := make(map[catalog.GroupID]string, len(list))
	for _, g := range list {
		groups[g.Group.ID] = g.Group.Name
	}
	return x.json(http.StatusOK, shaped(all, func(i catalog.Invitation) api.Invitation { return invitationShape(i, groups) }))
}

func (x *exchange) invite() error {
	var in api.NewInvitation
	if err := x.decode(&in); err != nil {
		return err
	}
	role, err := parseRole(in.Role)
	if err != nil {
		return err
	}
	const most = int64(366 * 24 * time.Hour / time.Second)
	if in.TTL < 0 || in.TTL > most {
		return fault.Errorf(fault.Invalid, "ttl is not between 0 and %d seconds", most)
	}
	token, i, err := x.h.cfg.Server.Invite(x.r.Context(), x.caller, role, in.Group, in.Note, time.Duration(in.TTL)*time.Second)
	if err != nil {
		return err
	}
	shape := invitationShape(i, map[catalog.GroupID]string{i.Group: in.Group})
	shape.Token, shape.URL = token, x.base()+"/invite/"+token
	return x.json(http.StatusCreated, shape)
}

func (x *exchange) withdraw() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	if err := x.h.cfg.Server.WithdrawInvitation(x.r.Context(), x.caller, id); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) accept() error {
	var in api.Accept
	if err := x.decode(&in); err != nil {
		return err
	}
	u, err := x.h.cfg.Server.AcceptInvitation(x.r.Context(), x.nobody(), in.Token, in.User, in.Password)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, userShape(u))
}

func (x *exchange) grants() error {
	all, err := x.h.cfg.Server.Grants(x.r.Context(), x.caller, x.r.PathValue("collection"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, func(g origin.GrantView) api.Grant {
		return api.Grant{Subject: g.Subject, Group: g.Group, Rights: rightsText(g.Rights), NotAfter: expiry(g.NotAfter)}
	}))
}

// grantee returns whom the path of a grant names.
func (x *exchange) grantee() (origin.GrantView, error) {
	g := origin.GrantView{Subject: x.r.PathValue("name")}
	switch kind := x.r.PathValue("kind"); kind {
	case "user":
	case "group":
		g.Group = true
	default:
		return g, fault.Errorf(fault.NotFound, "grants are to a user or a group, not to a %q", kind)
	}
	return g, nil
}

func (x *exchange) setGrant() error {
	g, err := x.grantee()
	if err != nil {
		return err
	}
	var in api.Grant
	if err := x.decode(&in); err != nil {
		return err
	}
	if in.Subject != "" && in.Subject != g.Subject || in.Group && !g.Group {
		return fault.Errorf(fault.Invalid, "the body is a grant to another subject than the path")
	}
	if g.Rights, err = parseRights(in.Rights); err != nil {
		return err
	}
	if in.NotAfter != nil {
		g.NotAfter = *in.NotAfter
	}
	return x.putGrant(g)
}

func (x *exchange) removeGrant() error {
	g, err := x.grantee()
	if err != nil {
		return err
	}
	g.Rights = policy.Rights(0)
	return x.putGrant(g)
}

func (x *exchange) putGrant(g origin.GrantView) error {
	if err := x.h.cfg.Server.SetGrant(x.r.Context(), x.caller, x.r.PathValue("collection"), g); err != nil {
		return err
	}
	return x.nothing()
}
