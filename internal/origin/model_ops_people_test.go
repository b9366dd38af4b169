package origin_test

import (
	"time"

	"tandem/internal/catalog"
	"tandem/internal/origin"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// --- people

func (h *history) userName() string {
	if h.rarely("no user", 15) {
		return h.name + "absent"
	}
	return h.w.users[1+h.pick("user", len(h.w.users)-1)].name // never the admin who looks at everything
}

func (h *history) account(a *actor, c origin.Caller) {
	name := h.userName()
	got, err := h.p.User(h.ctx, c, name)
	want, wantErr := h.w.account(a, name)
	h.same(a.name+" asks for "+name, accountText(got), err, want, wantErr)
}

func (h *history) changeUser(a *actor, c origin.Caller) {
	if h.rarely("by an admin", 2) {
		a = h.actors[0]
		c = h.caller(a)
	}
	name := h.userName()
	var ch origin.UserChange
	switch h.pick("change", 4) {
	case 0, 1:
		ch.Role = new(oneOf(h, "role", policy.Reader, policy.Publisher))
	case 2:
		ch.Disabled = new(h.rarely("disable", 3))
	case 3:
		ch.Quota = new(oneOf[int64](h, "quota", 0, 50, 200))
	}
	before := h.w.user(name)
	wasDisabled := before != nil && before.disabled
	got, err := h.p.UpdateUser(h.ctx, c, name, ch)
	want, wantErr := h.w.changeUser(a, name, ch)
	if h.same(a.name+" changes "+name, accountText(got), err, want, wantErr) == nil && wasDisabled && !before.disabled {
		for _, other := range h.actors { // the session ended then
			if other.user == before && other.limit == policy.AllRights {
				other.secret = h.login(name)
			}
		}
	}
}

func (h *history) setMember(a *actor, c origin.Caller) {
	if h.rarely("by an admin", 2) {
		a = h.actors[0]
		c = h.caller(a)
	}
	name, member := h.userName(), h.pick("member", 3) > 0
	g := h.w.groups[0]
	h.failed(a.name+" puts "+name+" into a group", h.p.SetMember(h.ctx, c, g.name, name, member), h.w.setMember(a, g, name, member))
}

func (h *history) collections(a *actor, c origin.Caller) {
	got, err := h.p.Collections(h.ctx, c)
	want, wantErr := h.w.collections(a)
	h.same(a.name+" asks for collections", lines(got, viewText, func(v origin.CollectionView) bool { return h.mine(v.Collection.Name) }, true),
		err, want, wantErr)
}

func (h *history) showCollection(a *actor, c origin.Caller, name string) {
	got, err := h.p.Collection(h.ctx, c, name)
	want, wantErr := h.w.showCollection(a, name)
	h.same(a.name+" asks for "+name, viewText(got), err, want, wantErr)
}

func (h *history) collectionName() string {
	return h.name + oneOf(h, "collection name", "photos", "Photos", "docs", "music", "films")
}

func (h *history) createCollection(a *actor, c origin.Caller) {
	h.createCollectionBy(a, c, h.collectionName())
}

func (h *history) createCollectionAs(a *actor, name string) {
	h.createCollectionBy(a, h.caller(a), name)
}

func (h *history) createCollectionBy(a *actor, c origin.Caller, name string) {
	got, err := h.p.CreateCollection(h.ctx, c, name)
	want, wantErr := h.w.createCollection(a, name)
	h.same(a.name+" creates "+name, viewText(got), err, want, wantErr)
}

func (h *history) changeCollection(a *actor, c origin.Caller) {
	name := h.collection()
	var ch origin.CollectionChange
	switch h.pick("change", 4) {
	case 0:
		ch.Quota = new(oneOf[int64](h, "quota", 0, 150, 400))
	case 1:
		ch.Name = new(h.collectionName())
	case 2:
		ch.KeepTrash = new(time.Duration(h.pick("days", 6)) * 24 * time.Hour)
	case 3:
		ch.KeepVersions = new(time.Duration(h.pick("days", 6)) * 24 * time.Hour)
	}
	got, err := h.p.UpdateCollection(h.ctx, c, name, ch)
	want, wantErr := h.w.changeCollection(a, name, ch)
	h.same(a.name+" changes "+name, viewText(got), err, want, wantErr)
}

func (h *history) deleteCollection(a *actor, c origin.Caller) {
	name := h.collection()
	h.failed(a.name+" deletes "+name, h.p.DeleteCollection(h.ctx, c, name), h.w.deleteCollection(a, name))
}

func (h *history) setGrant(a *actor, c origin.Caller) {
	collection := h.collection()
	g := origin.GrantView{Rights: policy.Rights(h.pick("rights", 16))}
	if g.Group = h.rarely("to the group", 3); g.Group {
		g.Subject = h.name + oneOf(h, "group", "team", "team", "absent")
	} else {
		g.Subject = h.userName()
	}
	if len(h.w.links) > 0 && h.rarely("from who made a link", 2) { // which ends what the link allows
		l := h.w.links[h.pick("link", len(h.w.links))]
		collection, g.Subject, g.Group, g.Rights = l.node.col.name, l.by.name, false, oneOf(h, "left", 0, policy.List, policy.Publish)
	}
	if h.rarely("lapses", 3) {
		g.NotAfter = h.w.now.Add(time.Duration(h.pick("hours", 40)) * time.Hour)
	}
	h.failed(a.name+" grants on "+collection+" to "+g.Subject, h.p.SetGrant(h.ctx, c, collection, g), h.w.setGrant(a, collection, g))
}

func (h *history) grants(a *actor, c origin.Caller) {
	collection := h.collection()
	got, err := h.p.Grants(h.ctx, c, collection)
	want, wantErr := h.w.grants(a, collection)
	h.same(a.name+" asks for grants on "+collection, lines(got, func(g origin.GrantView) string {
		return grantText(g.Subject, g.Group, g.Rights, g.NotAfter)
	}, every, false), err, want, wantErr)
}

// --- links

func (h *history) createLink(a *actor, c origin.Caller) {
	r := origin.LinkRequest{At: h.at(a), Kind: catalog.ShareLink}
	switch h.pick("kind of link", 8) {
	case 0, 1, 2:
		r.Kind = catalog.UploadLink
		r.MaxBytes = oneOf[int64](h, "max bytes", 0, 60)
	case 3:
		r.Password = "sesame"
	case 4, 6:
		r.MaxDownloads = 1
	case 5:
		r.Audience = peer.Public
		r.Password = oneOf(h, "password", "", "", "sesame")
	}
	if h.rarely("expires", 3) {
		r.Expires = h.w.now.Add(time.Duration(h.pick("hours", 40)) * time.Hour)
	}
	got, err := h.p.CreateLink(h.ctx, c, r)
	l, wantErr := h.w.createLink(a, r)
	if h.failed(a.name+" links to "+r.At.String(), err, wantErr) != nil {
		return
	}
	l.id, l.token = got.Link.ID, got.Link.Token
	h.same("the link", linkViewText(got), nil, l.text(), nil)
	if l.password {
		if l.proof, err = h.p.UnlockLink(h.ctx, h.p.stranger(), l.token, r.Password); err != nil {
			h.Fatalf("unlock: %v", err)
		}
		l.proven = h.w.now
	}
}

func (h *history) link() *sLink {
	if len(h.w.links) == 0 || h.rarely("no link", 10) {
		return &sLink{id: 1 << 40}
	}
	return h.w.links[h.pick("link", len(h.w.links))]
}

func (h *history) changeLink(a *actor, c origin.Caller) {
	l := h.link()
	var ch origin.LinkChange
	if h.rarely("expires", 2) {
		ch.Expires = new(h.w.now.Add(time.Duration(h.pick("hours", 40)) * time.Hour))
	} else {
		ch.MaxDownloads = new(int64(h.pick("max downloads", 3)))
	}
	got, err := h.p.UpdateLink(h.ctx, c, l.id, ch)
	changed, wantErr := h.w.changeLink(a, l.id, ch)
	if h.failed(a.name+" changes link "+itoa(int(l.id)), err, wantErr) == nil {
		h.same("the link", linkViewText(got), nil, changed.text(), nil)
	}
}

func (h *history) revokeLink(a *actor, c origin.Caller) {
	l := h.link()
	found, wantErr := h.w.managed(a, l.id)
	if h.failed(a.name+" revokes link "+itoa(int(l.id)), h.p.RevokeLink(h.ctx, c, l.id), wantErr) == nil {
		found.revoked = true
	}
}

func (h *history) linkInfo(a *actor, c origin.Caller) {
	l := h.link()
	got, err := h.p.LinkInfo(h.ctx, c, l.id)
	found, wantErr := h.w.managed(a, l.id)
	want := ""
	if wantErr == nil {
		want = found.text()
	}
	h.same(a.name+" asks for link "+itoa(int(l.id)), linkViewText(got), err, want, wantErr)
}

func (h *history) listLinks(a *actor, c origin.Caller) {
	collection := ""
	if h.rarely("of a collection", 2) {
		collection = h.collection()
	}
	got, err := h.p.Links(h.ctx, c, collection)
	want, wantErr := h.w.listLinks(a, collection)
	h.same(a.name+" asks for links "+collection, lines(got, linkViewText, every, false), err, want, wantErr)
}
