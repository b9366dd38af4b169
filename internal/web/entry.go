package web

import (
	"net/http"
	"path"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

func (v *visit) file(at origin.Place, e origin.Entry, rights policy.Rights) error {
	p := filePage{Collection: at.Collection, Entry: e, Rights: rights}
	if has(rights, policy.Read) {
		list, err := v.origin.Versions(v.ctx(), v.who, at)
		if err != nil {
			return err
		}
		p.Versions = list
	}
	return v.show(http.StatusOK, fileView(v.shell(e.Node.Name, "files"), p))
}

func (v *visit) restoreVersion() error {
	at := v.place()
	if _, err := v.origin.RestoreVersion(v.ctx(), v.who, at, catalog.VersionID(v.id("id"))); err != nil {
		return err
	}
	return v.done(flash{Text: "The earlier version is current again."}, folderURL(at.Collection, at.Path))
}

func (v *visit) mkdir() error {
	at := v.place()
	return v.show(http.StatusOK, mkdirView(v.shell("New folder", "files"), at.Collection, at.Path, "", ""))
}

func (v *visit) mkdirDone() error {
	at := v.place()
	name := v.text("name")
	e, err := v.origin.MakeFolder(v.ctx(), v.who, origin.Place{Collection: at.Collection, Path: join(at.Path, name)})
	if err == nil {
		return v.goTo(folderURL(at.Collection, e.Path))
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	return v.show(status, mkdirView(v.shell("New folder", "files"), at.Collection, at.Path, name, text))
}

func (v *visit) rename() error {
	at := v.place()
	p := movePage{Collection: at.Collection, Path: at.Path, Name: path.Base(at.Path), Folder: parentOf(at.Path)}
	return v.moveSheet(http.StatusOK, p)
}

func (v *visit) moveSheet(status int, p movePage) error {
	if p.Path == "" {
		return fault.Errorf(fault.Invalid, "a collection is renamed in its settings")
	}
	p.Folders = v.foldersNear(p.Collection, parentOf(p.Path))
	return v.show(status, moveView(v.shell("Rename or move "+path.Base(p.Path), "files"), p))
}

// foldersNear returns folders to offer as places: those above and beside. It is
// only an aid for typing, so that an error means none.
func (v *visit) foldersNear(collection, folder string) []string {
	var near []string
	for up := folder; up != ""; up = parentOf(up) {
		near = append(near, up)
	}
	list, err := v.origin.List(v.ctx(), v.who, origin.Place{Collection: collection, Path: folder}, "", pageRows)
	if err != nil {
		return near
	}
	for _, e := range list.Entries {
		if e.Node.Folder {
			near = append(near, e.Path)
		}
	}
	return near
}

func (v *visit) renameDone() error {
	at := v.place()
	p := movePage{Collection: at.Collection, Path: at.Path, Name: v.text("name"), Folder: strings.Trim(v.text("folder"), "/")}
	var e origin.Entry
	err := fault.Errorf(fault.Invalid, "a name holds no slash; the folder has a field of its own")
	if !strings.Contains(p.Name, "/") {
		e, err = v.origin.Move(v.ctx(), v.who, at, origin.Place{Collection: at.Collection, Path: join(p.Folder, p.Name)})
	}
	if err == nil {
		return v.done(flash{Text: "Now " + placeName(origin.Place{Collection: at.Collection, Path: e.Path}) + "."},
			folderURL(at.Collection, parentOf(e.Path)))
	}
	text, status, ok := complaintOf(err)
	if !ok && fault.KindOf(err) == fault.NotFound && p.Folder != parentOf(at.Path) {
		text, status, ok = "There is no folder "+p.Folder+" here; make it first.", http.StatusNotFound, true
	}
	if !ok {
		return err
	}
	p.Error = text
	return v.moveSheet(status, p)
}

func (v *visit) trashEntry() error {
	at := v.place()
	n, err := v.origin.Trash(v.ctx(), v.who, at)
	if err != nil {
		return err
	}
	return v.done(flash{Text: "Deleted " + n.Name + ".", Undo: int64(n.ID), Collection: at.Collection},
		folderURL(at.Collection, parentOf(at.Path)))
}

func (v *visit) trash() error {
	if v.do() == "purge" {
		return v.askPurge()
	}
	const most = 200
	name := v.r.PathValue("collection")
	c, err := v.origin.Collection(v.ctx(), v.who, name)
	if err != nil {
		return err
	}
	after := catalog.NodeID(numberOf(v.r.URL.Query().Get("after")))
	list, err := v.origin.TrashList(v.ctx(), v.who, name, after, most)
	if err != nil {
		return err
	}
	p := trashPage{Collection: name, Rights: c.Rights, Entries: list}
	if len(list) == most {
		p.Next = trashURL(name) + "?after=" + number(int64(list[most-1].Node.ID))
	}
	return v.show(http.StatusOK, trashView(v.shell("Trash of "+name, "files"), p))
}

func (v *visit) askPurge() error {
	name := v.r.PathValue("collection")
	return v.show(http.StatusOK, askView(v.shell("Remove for good", "files"), question{
		Text:   "It goes at once, with all its versions. There is no way back.",
		Yes:    "Remove for good",
		Action: trashURL(name) + "?do=purge",
		Back:   trashURL(name),
		Hidden: []option{{"id", number(numberOf(v.r.URL.Query().Get("id")))}},
	}))
}

func (v *visit) trashDone() error {
	name := v.r.PathValue("collection")
	id := catalog.NodeID(v.id("id"))
	switch v.do() {
	case "restore":
		e, err := v.origin.Restore(v.ctx(), v.who, name, id)
		if err != nil {
			return err
		}
		return v.done(flash{Text: e.Node.Name + " is back."}, folderURL(name, parentOf(e.Path)))
	case "purge":
		if err := v.origin.Purge(v.ctx(), v.who, name, id); err != nil {
			return err
		}
		return v.done(flash{Text: "Removed for good."}, trashURL(name))
	}
	return fault.Errorf(fault.Invalid, "there is no such form")
}
