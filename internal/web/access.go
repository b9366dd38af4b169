package web

import (
	"net/http"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

func (v *visit) access() error {
	p, err := v.accessPage()
	if err != nil {
		return err
	}
	if v.do() == "delete" {
		name := p.View.Collection.Name
		return v.show(http.StatusOK, askView(v.shell("Delete "+name, "files"), question{
			Text:   "Only an empty collection can be deleted: neither files nor trash. Its links and access end with it.",
			Yes:    "Delete the collection",
			Action: accessURL(name) + "?do=delete",
			Back:   accessURL(name),
		}))
	}
	return v.accessShow(http.StatusOK, p)
}

func (v *visit) accessShow(status int, p accessPage) error {
	return v.show(status, accessView(v.shell("Access to "+p.View.Collection.Name, "files"), p))
}

func (v *visit) accessPage() (accessPage, error) {
	name := v.r.PathValue("collection")
	c, err := v.origin.Collection(v.ctx(), v.who, name)
	if err != nil {
		return accessPage{}, err
	}
	grants, err := v.origin.Grants(v.ctx(), v.who, name)
	if err != nil {
		return accessPage{}, err
	}
	p := accessPage{View: c, Grants: grants, Form: grantForm{Kind: "user", Level: "view"}}
	p.Edit = settingsForm{
		c.Collection.Name, sizeText(c.Collection.Quota),
		daysText(c.Collection.KeepTrash), daysText(c.Collection.KeepVersions),
	}
	if v.who.Subject.Role == policy.Admin {
		p.People, p.Groups = v.names()
	}
	return p, nil
}

// names returns accounts and groups to offer. They are an aid for typing, so that an error
// means none.
func (v *visit) names() (people, groups []string) {
	users, err := v.origin.Users(v.ctx(), v.who, "", pageRows)
	if err != nil {
		return nil, nil
	}
	for _, u := range users {
		people = append(people, u.Name)
	}
	return people, v.groupNames()
}

func (v *visit) groupNames() (names []string) {
	list, err := v.origin.Groups(v.ctx(), v.who)
	if err != nil {
		return nil
	}
	for _, g := range list {
		names = append(names, g.Group.Name)
	}
	return names
}

func (v *visit) accessDone() error {
	name := v.r.PathValue("collection")
	switch v.do() {
	case "grant":
		return v.grant(name)
	case "remove":
		g := origin.GrantView{Subject: v.text("name"), Group: v.text("kind") == "group"}
		if err := v.origin.SetGrant(v.ctx(), v.who, name, g); err != nil {
			return err
		}
		return v.done(flash{Text: g.Subject + " is out; what was under way has ended."}, accessURL(name))
	case "settings":
		return v.settings(name)
	case "delete":
		if err := v.origin.DeleteCollection(v.ctx(), v.who, name); err != nil {
			return err
		}
		return v.done(flash{Text: name + " is deleted."}, "/")
	}
	return fault.Errorf(fault.Invalid, "there is no such form")
}

func (v *visit) grant(name string) error {
	f := grantForm{v.text("kind"), v.text("name"), v.text("level"), v.text("until")}
	g := origin.GrantView{Subject: f.Name, Group: f.Kind == "group", Rights: rightsOf(f.Level)}
	var err error
	if g.NotAfter, err = endOfDay(f.Until); err == nil {
		if g.Rights == 0 {
			err = fault.Errorf(fault.Invalid, "choose what %s may do", f.Name)
		} else {
			err = v.origin.SetGrant(v.ctx(), v.who, name, g)
		}
	}
	if err == nil {
		return v.done(flash{Text: g.Subject + " is in."}, accessURL(name))
	}
	text, status, ok := complaintOf(err)
	p, again := v.accessPage() // also tells a missing collection from a missing person
	if again != nil {
		return again
	}
	if !ok && fault.KindOf(err) == fault.NotFound {
		text, status, ok = "There is no "+orElse(f.Kind, "user")+" called "+f.Name+" here.", http.StatusNotFound, true
	}
	if !ok {
		return err
	}
	p.Error, p.Form = text, f
	return v.accessShow(status, p)
}

func (v *visit) settings(name string) error {
	f := settingsForm{v.text("name"), v.text("quota"), v.text("trash"), v.text("versions")}
	change, err := f.change(v.who.Subject.Role == policy.Admin)
	if err == nil {
		_, err = v.origin.UpdateCollection(v.ctx(), v.who, name, change)
	}
	if err == nil {
		return v.done(flash{Text: "Saved."}, accessURL(f.Name))
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	p, again := v.accessPage()
	if again != nil {
		return again
	}
	p.Wrong, p.Edit = text, f
	return v.accessShow(status, p)
}

// change reads the form; only an admin sets a quota. Errors are of kind fault.Invalid.
func (f settingsForm) change(admin bool) (c origin.CollectionChange, err error) {
	trash, err := keepDays(f.KeepTrash)
	if err != nil {
		return c, err
	}
	versions, err := keepDays(f.KeepVersions)
	if err != nil {
		return c, err
	}
	c = origin.CollectionChange{Name: &f.Name, KeepTrash: &trash, KeepVersions: &versions}
	if admin {
		quota, err := parseSize(f.Quota)
		if err != nil {
			return c, err
		}
		c.Quota = &quota
	}
	return c, nil
}

func subjectKind(group bool) string {
	if group {
		return "group"
	}
	return "user"
}
