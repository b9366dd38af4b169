package web

import (
	"bytes"
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/origin"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

var sampleNow = time.Date(2026, 3, 4, 10, 20, 30, 0, time.UTC)

// words are what a sample is filled with: friendly ones for the eye, hostile ones for
// the tests.
type words struct{ file, folder, person, collection, note string }

func friendly() words {
	return words{"Budget 2026.xlsx", "Spring campaign", "ann", "Design team", "The pictures of Saturday"}
}

const sampleURL = "https://files.example.org/s/Zk3vQ9aT7pLx2MwR8bNcYd"

const script = `<script>alert(1)</script>`

func hostile() words {
	img := `"><img src=x onerror=alert(1)>`
	return words{script + ".txt", img, "<b onmouseover=alert(1)>", "javascript:alert(1)", "</textarea></title>" + script}
}

func sampleEntry(id int64, name, in string, size int64) origin.Entry {
	sum := sha256.Sum256([]byte(name))
	e := origin.Entry{Path: join(in, name), By: "ann"}
	e.Node = catalog.Node{ID: catalog.NodeID(id), Name: name, Folder: size < 0, Created: sampleNow}
	if size >= 0 {
		e.Node.Version = catalog.Version{
			ID: catalog.VersionID(id), Modified: sampleNow.Add(-time.Duration(id) * 31 * time.Hour), Created: sampleNow,
			Sum: content.FileSum{SHA256: sum, Size: size},
		}
	}
	return e
}

func sampleRows(w words, in string) []origin.Entry {
	return []origin.Entry{
		sampleEntry(1, w.folder, in, -1),
		sampleEntry(2, "Photographs", in, -1),
		sampleEntry(3, w.file, in, 48_213),
		sampleEntry(4, "interview-with-a-very-long-name-that-does-not-end-where-one-would-like-it-to_final_v2.mov", in, 4_813_288_112),
		sampleEntry(5, "notes.txt", in, 0),
		sampleEntry(6, "تقرير السنة.pdf", in, 1_200_300),
		sampleEntry(7, "poster.svg", in, 999_950),
	}
}

func sampleLink(w words, kind catalog.LinkKind) origin.LinkView {
	return origin.LinkView{
		Link: catalog.Link{
			ID: 17, Token: "Zk3vQ9aT7pLx2MwR8bNcYd", Kind: kind, Audience: peer.Link, Created: sampleNow,
			Expires: sampleNow.Add(30 * 24 * time.Hour), MaxDownloads: 5, Downloads: 2, Note: w.note, Password: "x", Copies: 3,
		},
		At: origin.Place{Collection: w.collection, Path: w.folder + "/" + w.file}, Live: true, By: w.person,
		Holders: 1, Served: origin.Served{Server: 1_900_000_000, LAN: 2_600_000_000, Peers: 9_100_000_000},
	}
}

// samples is every page, filled.
func samples(w words) map[string]templ.Component {
	frame := func(title, nav string) shell {
		return shell{
			Title: title, User: w.person, Role: policy.Admin, Nav: nav, assets: embedded(), now: sampleNow,
			Flash: &flash{Text: "Deleted " + w.file + ".", Undo: 9, Collection: w.collection},
		}
	}
	out := func(title string) shell {
		s := frame(title, "")
		s.User, s.Flash = "", nil
		return s
	}
	in := func(title string) shell {
		s := frame(title, "")
		s.Dialog = true
		return s
	}
	up := frame(w.folder, "files")
	up.Uploads = true
	pages := map[string]templ.Component{
		"login":    loginView(out("Sign in"), doorPage{Name: w.person, Next: "/c/" + w.collection, Error: w.note}),
		"setup":    setupView(out("Set up"), doorPage{Error: w.note}),
		"invite":   inviteView(out("Welcome"), doorPage{Role: "publisher", Name: w.person}),
		"start":    startView(frame("Files", "files"), sampleStart(w)),
		"nothing":  startView(frame("Files", "files"), startPage{}),
		"new":      newCollectionView(frame("New collection", "files"), w.collection, w.note),
		"search":   searchView(frame("Search", "search"), searchPage{Text: w.file, Found: []origin.Found{{Collection: w.collection, Entry: sampleEntry(3, w.file, w.folder, 5)}}}),
		"browse":   browseView(up, browsePage{Collection: w.collection, Path: w.folder, Rights: policy.AllRights, Rows: sampleRows(w, w.folder), Next: "/c/x?after=y"}),
		"drop box": browseView(up, browsePage{Collection: w.collection, Rights: policy.Publish}),
		"more":     moreRows(browsePage{Collection: w.collection, Rights: policy.AllRights, Rows: sampleRows(w, "")}),
		"file":     fileView(frame(w.file, "files"), sampleFile(w)),
		"mkdir":    mkdirView(in("New folder"), w.collection, w.folder, w.file, w.note),
		"move":     moveView(in("Move "+w.file), movePage{w.collection, w.folder + "/" + w.file, w.file, w.folder, w.note, []string{w.folder}}),
		"share":    shareView(in("Share "+w.file), sharePage{w.collection, w.file, w.file, true, []option{{"share", "Getting it: who opens the link can download"}, {"upload", "Sending files: who opens the link can add files here, and sees nothing"}}, linkForm{Kind: "share", Audience: "link", Expires: "30", Note: w.note}, ""}),
		"link":     linkView(in("Link to "+w.file), linkPage{View: sampleLink(w, catalog.ShareLink), Link: sampleURL, QR: qrSVG(sampleURL)}),
		"links":    linksView(frame("Links", "links"), linksPage{[]origin.LinkView{sampleLink(w, catalog.ShareLink), sampleLink(w, catalog.UploadLink)}}),
		"ticket":   linkView(in("Link to "+w.file), samplePlain(w)),
		"making":   linkView(frame("Link to "+w.file, "links"), linkPage{View: samplePlain(w).View, Link: sampleURL, QR: qrSVG(sampleURL)}),
		"ledger":   ledgerView(frame("Ledger", "ledger"), sampleLedger(w, "share")),
		"by node":  ledgerView(frame("Ledger", "ledger"), sampleLedger(w, "transfer")),
		"no books": ledgerView(frame("Ledger", "ledger"), ledgerPage{By: "user"}),
		"trash":    trashView(frame("Trash", "files"), trashPage{w.collection, policy.AllRights, []origin.TrashedEntry{{Node: sampleEntry(3, w.file, "", 5).Node, Path: w.folder + "/" + w.file, By: w.person, Goes: sampleNow}}, "/trash/x?after=3"}),
		"ask":      askView(frame("Remove", "files"), question{Text: w.note, Yes: "Yes", Action: "/people", Back: "/people", Hidden: []option{{"group", w.note}}}),
		"access":   accessView(frame("Access", "files"), sampleAccess(w)),
		"people":   peopleView(frame("People", "people"), samplePeople(w)),
		"user":     userView(in(w.person), userPage{User: catalog.User{Name: w.person, Disabled: true}, Role: "reader", Quota: "5 GB", Error: w.note}),
		"inviting": inviteFormView(in("Invite"), invitePage{Role: "reader", Days: "7", Note: w.note, Groups: []string{"designers", w.person}, Error: w.note}),
		"invited":  invitedView(in("Invitation"), invitePage{URL: "https://files.example.org/invite/tdi_x", QR: qrSVG("https://files.example.org/invite/tdi_x")}),
		"account":  accountView(frame("Account", ""), sampleAccount(w)),
		"problem":  problem(out("Nothing here"), trouble{Status: 404, Text: w.note, Next: w.note, Request: "r-1"}),
	}
	for name, c := range sampleShared(w, out) {
		pages[name] = c
	}
	return pages
}

// samplePlain is a link without a password, whole.
func samplePlain(w words) linkPage {
	v := sampleLink(w, catalog.ShareLink)
	v.Link.Password, v.Link.MaxDownloads, v.Holders, v.Ready = "", 0, 4, true
	link := sampleURL + "#tandem:" + strings.Repeat("AbCdEfGhIjKlMnOpQrStUvWxYz", 22)
	return linkPage{View: v, Link: link, Ready: true, QR: qrSVG(link)}
}

func sampleLedger(w words, by string) ledgerPage {
	lines := []origin.LedgerLine{
		{Name: w.file, Served: origin.Served{Server: 1_900_000_000, LAN: 2_600_000_000, Peers: 9_100_000_000}, Updated: sampleNow},
		{Name: "interview-with-a-very-long-name-that-does-not-end-where-one-would-like-it-to_final_v2.mov", Served: origin.Served{Server: 4_813_288_112}, Updated: sampleNow},
		{Name: "notes.txt", Served: origin.Served{Server: 1, Peers: 999}, Updated: sampleNow},
		{Name: w.folder, Updated: sampleNow},
	}
	if by == "transfer" {
		for i := range lines {
			lines[i].Node, lines[i].User = peer.ID{1, byte(i)}, []string{w.person, ""}[i%2]
		}
	}
	return ledgerPage{By: by, Lines: lines, All: true}
}

func sampleShared(w words, out func(string) shell) map[string]templ.Component {
	p := sharedPage{
		Token: "Zk3vQ9aT7pLx2MwR8bNcYd", URL: "https://files.example.org/s/Zk3vQ9aT7pLx2MwR8bNcYd", Root: w.folder,
		Link: sampleLink(w, catalog.ShareLink).Link, Entry: sampleEntry(3, w.file, "", 48_213),
	}
	p.Link.Audience, p.Link.Torrent = peer.Public, catalog.TorrentMade
	folder := p
	folder.Entry, folder.Rows, folder.Next = sampleEntry(1, w.folder, "", -1), sampleRows(w, w.folder), "/s/x?after=y"
	send := out("Send files")
	send.Uploads = true
	return map[string]templ.Component{
		"shared file":    sharedView(out(w.file), p),
		"shared folder":  sharedView(out(w.folder), folder),
		"shared locked":  lockedView(out("Password needed"), sharedPage{Token: p.Token, Error: w.note}),
		"shared request": requestView(send, p),
	}
}

func sampleStart(w words) startPage {
	return startPage{
		User: catalog.User{Name: w.person, Used: 3_200_000_000, Quota: 10_000_000_000},
		Collections: []origin.CollectionView{
			{Collection: catalog.Collection{Name: w.collection, Used: 52_000_000_000, Quota: 60_000_000_000}, Owner: w.person, Files: 1234, Rights: policy.AllRights},
			{Collection: catalog.Collection{Name: "Photographs", Used: 812_000_000}, Owner: "bob", Files: 1, Rights: policy.List | policy.Read},
			{Collection: catalog.Collection{Name: "Inbox"}, Owner: "cleo", Rights: policy.Publish},
		},
	}
}

func sampleFile(w words) filePage {
	e := sampleEntry(3, w.file, w.folder, 48_213)
	older := e.Node.Version
	older.ID, older.Created = 2, sampleNow.Add(-99*time.Hour)
	return filePage{w.collection, e, policy.AllRights, []catalog.Version{e.Node.Version, older}}
}

func sampleAccess(w words) accessPage {
	return accessPage{
		View: origin.CollectionView{Collection: catalog.Collection{Name: w.collection, Used: 5_000_000}, Owner: w.person, Files: 12},
		Grants: []origin.GrantView{
			{Subject: w.person, Rights: policy.List | policy.Read},
			{Subject: "designers", Group: true, Rights: policy.AllRights, NotAfter: sampleNow.Add(-time.Hour)},
		},
		People: []string{w.person}, Groups: []string{"designers"}, Error: w.note, Wrong: w.note,
		Form: grantForm{"user", w.person, "view", ""}, Edit: settingsForm{w.collection, "5 GB", "30", ""},
	}
}

func samplePeople(w words) peoplePage {
	return peoplePage{
		Users: []catalog.User{
			{ID: 1, Name: w.person, Role: policy.Admin, Used: 4_000_000, Created: sampleNow},
			{ID: 2, Name: "bob", Role: policy.Reader, Used: 40_000_000, Quota: 50_000_000, Disabled: true, Created: sampleNow},
		},
		Invitations: []catalog.Invitation{{ID: 4, Role: policy.Publisher, Note: w.note, Expires: sampleNow}},
		Groups:      []origin.GroupView{{Group: catalog.Group{ID: 1, Name: "designers"}, Members: []string{w.person, "bob"}}, {Group: catalog.Group{ID: 2, Name: w.note}}},
		Next:        "/people?after=bob", GroupError: w.note, GroupName: w.note,
	}
}

func sampleAccount(w words) accountPage {
	return accountPage{
		User: catalog.User{Name: w.person, Role: policy.Publisher, Used: 3_200_000_000, Quota: 10_000_000_000},
		Sessions: []catalog.Session{
			{ID: 1, Agent: "Firefox on Linux", Remote: netip.MustParseAddr("192.0.2.7").String(), Seen: sampleNow},
			{ID: 2, Agent: w.note, Remote: "2001:db8::1", Seen: sampleNow},
		},
		Current: 1,
		Tokens:  []catalog.Token{{ID: 3, Name: w.note, Limit: policy.List | policy.Read, Server: true}},
		Wrong:   w.note, Error: w.note, Secret: "tdt_secret",
	}
}

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
