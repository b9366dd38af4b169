package web

import (
	"net/http"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/rest"
)

func (v *visit) people() error {
	switch v.do() {
	case "invite":
		p := invitePage{Role: "reader", Days: "7", Groups: v.groupNames()}
		return v.show(http.StatusOK, inviteFormView(v.shell("Invite somebody", "people"), p))
	case "drop-group":
		name := v.r.URL.Query().Get("group")
		return v.show(http.StatusOK, askView(v.shell("Delete group "+name, "people"), question{
			Text:   "Its members keep their accounts, but lose what they may do only because of the group.",
			Yes:    "Delete the group",
			Action: "/people?do=drop-group",
			Back:   "/people",
			Hidden: []option{{"group", name}},
		}))
	}
	p, err := v.peoplePage()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, peopleView(v.shell("People", "people"), p))
}

func (v *visit) peoplePage() (p peoplePage, err error) {
	if p.Users, err = v.origin.Users(v.ctx(), v.who, v.r.URL.Query().Get("after"), pageRows); err != nil {
		return p, err
	}
	if n := len(p.Users); n == pageRows {
		p.Next = "/people?after=" + query(p.Users[n-1].Name)
	}
	if p.Invitations, err = v.origin.Invitations(v.ctx(), v.who); err != nil {
		return p, err
	}
	p.Groups, err = v.origin.Groups(v.ctx(), v.who)
	return p, err
}

func (v *visit) peopleDone() error {
	group, user := v.text("group"), v.text("user")
	var err error
	said := "Saved."
	switch v.do() {
	case "invite":
		return v.invite()
	case "withdraw":
		err = v.origin.WithdrawInvitation(v.ctx(), v.who, v.id("id"))
		said = "The invitation is withdrawn."
	case "group":
		return v.newGroup(group)
	case "drop-group":
		err = v.origin.DeleteGroup(v.ctx(), v.who, group)
		said = "The group " + group + " is deleted."
	case "join":
		err = v.origin.SetMember(v.ctx(), v.who, group, user, true)
		said = user + " is in " + group + "."
		if fault.KindOf(err) == fault.NotFound {
			said, err = "There is no account called "+user+".", nil
		}
	case "leave":
		err = v.origin.SetMember(v.ctx(), v.who, group, user, false)
		said = user + " is out of " + group + "."
	default:
		err = fault.Errorf(fault.Invalid, "there is no such form")
	}
	if err != nil {
		return err
	}
	return v.done(flash{Text: said}, "/people")
}

func (v *visit) newGroup(name string) error {
	_, err := v.origin.CreateGroup(v.ctx(), v.who, name)
	if err == nil {
		return v.done(flash{Text: "The group " + name + " is there. Add its members."}, "/people#groups")
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	p, again := v.peoplePage()
	if again != nil {
		return again
	}
	p.GroupError, p.GroupName = text, name
	return v.show(status, peopleView(v.shell("People", "people"), p))
}

func (v *visit) invite() error {
	p := invitePage{Role: v.text("role"), Group: v.text("group"), Note: v.text("note"), Days: v.text("days"), Groups: v.groupNames()}
	var token string
	end, err := daysFrom(time.Time{}, p.Days)
	if err == nil {
		token, _, err = v.origin.Invite(v.ctx(), v.who, roleOf(p.Role), p.Group, p.Note, end.Sub(time.Time{}))
	}
	if err == nil {
		p.URL = rest.BaseURL(v.r) + "/invite/" + token
		p.QR = qrSVG(p.URL)
		return v.show(http.StatusOK, invitedView(v.shell("Invitation", "people"), p))
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	p.Error = text
	return v.show(status, inviteFormView(v.shell("Invite somebody", "people"), p))
}

func groupOptions(names []string) []option {
	list := []option{{"", "none"}}
	for _, n := range names {
		list = append(list, option{n, n})
	}
	return list
}

func (v *visit) user() error {
	u, err := v.origin.User(v.ctx(), v.who, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	return v.userShow(http.StatusOK, userPage{User: u, Role: roleName(u.Role), Quota: sizeText(u.Quota)})
}

func (v *visit) userShow(status int, p userPage) error {
	return v.show(status, userView(v.shell(p.User.Name, "people"), p))
}

func (v *visit) userDone() error {
	u, err := v.origin.User(v.ctx(), v.who, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	p := userPage{User: u, Role: v.text("role"), Quota: v.text("quota")}
	p.User.Disabled = v.text("disabled") == "yes"
	change := origin.UserChange{Disabled: &p.User.Disabled}
	role := roleOf(p.Role)
	change.Role = &role
	if password := v.secret("password"); password != "" {
		change.Password = &password
	}
	quota, err := parseSize(p.Quota)
	if change.Quota = &quota; err == nil {
		_, err = v.origin.UpdateUser(v.ctx(), v.who, u.Name, change)
	}
	if err == nil {
		return v.done(flash{Text: u.Name + " is changed."}, "/people")
	}
	text, status, ok := complaintOf(err)
	if fault.KindOf(err) == fault.Permission { // such as the last admin's role
		text, status, ok = capital(own(err)), http.StatusForbidden, true
	}
	if !ok {
		return err
	}
	p.Error = text
	return v.userShow(status, p)
}
