package web

import (
	"cmp"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

const (
	pageRows = 200  // of a folder at first, and with each step
	sortRows = 1000 // that a folder may hold to be shown in another order
)

// place is the file or folder that the address names.
func (v *visit) place() origin.Place {
	return origin.Place{Collection: v.r.PathValue("collection"), Path: strings.Trim(v.r.PathValue("path"), "/")}
}

// entry shows a folder, a file, or a sheet that does something with it.
func (v *visit) entry() error {
	switch v.do() {
	case "mkdir":
		return v.mkdir()
	case "rename":
		return v.rename()
	case "share":
		return v.share()
	}
	at := v.place()
	c, err := v.origin.Collection(v.ctx(), v.who, at.Collection)
	if err != nil {
		return err
	}
	if at.Path == "" && !has(c.Rights, policy.List) {
		return v.dropBox(c)
	}
	if at.Path != "" {
		e, err := v.origin.Stat(v.ctx(), v.who, at)
		if err != nil {
			return err
		}
		if !e.Node.Folder {
			return v.file(at, e, c.Rights)
		}
	}
	return v.folder(at)
}

// entryDone does what a form asks.
func (v *visit) entryDone() error {
	switch v.do() {
	case "mkdir":
		return v.mkdirDone()
	case "rename":
		return v.renameDone()
	case "trash":
		return v.trashEntry()
	case "share":
		return v.shareDone()
	case "version":
		return v.restoreVersion()
	}
	return fault.Errorf(fault.Invalid, "there is no such form")
}

// dropBox is a collection to which the visitor may only add.
func (v *visit) dropBox(c origin.CollectionView) error {
	s := v.shell(c.Collection.Name, "files")
	s.Uploads = has(c.Rights, policy.Publish)
	return v.show(http.StatusOK, browseView(s, browsePage{Collection: c.Collection.Name, Rights: c.Rights}))
}

func (v *visit) folder(at origin.Place) error {
	q := v.r.URL.Query()
	p := browsePage{Collection: at.Collection, Path: at.Path, Sort: sortingOf(q.Get("sort"))}
	limit, after := pageRows, q.Get("after")
	if p.Sort.key != "" && after == "" {
		limit = sortRows
	}
	list, err := v.origin.List(v.ctx(), v.who, at, after, limit)
	if err != nil {
		return err
	}
	p.Rights, p.Rows = list.Rights, list.Entries
	if list.Next != "" {
		p.Next = folderURL(at.Collection, at.Path) + "?after=" + url.QueryEscape(list.Next)
	}
	if p.Large = list.Next != "" || after != ""; !p.Large {
		p.Sort.apply(p.Rows)
	}
	s := v.shell(orElse(path.Base("/"+at.Path), "/"), "files")
	if at.Path == "" {
		s.Title = at.Collection
	}
	s.Uploads = has(p.Rights, policy.Publish)
	if v.byScript() && after != "" {
		return v.show(http.StatusOK, moreRows(p))
	}
	return v.show(http.StatusOK, browseView(s, p))
}

// sorting is an order of rows; the zero value is folders first, then by name.
type sorting struct {
	key  string // "", name, size, changed
	down bool
}

// sortingOf reads what turn writes; anything else is the zero value.
func sortingOf(s string) sorting {
	key, down := strings.CutPrefix(s, "-")
	switch key {
	case "name", "size", "changed":
		return sorting{key, down}
	}
	return sorting{}
}

// turn is what a click on the head of column key asks for.
func (s sorting) turn(key string) string {
	if s.key == key && !s.down || s.key == "" && key == "name" {
		return "-" + key
	}
	return key
}

// aria is the value of aria-sort.
func (s sorting) aria(key string) string {
	switch {
	case s.key != key && (s.key != "" || key != "name"):
		return "none"
	case s.down:
		return "descending"
	}
	return "ascending"
}

// apply sorts rows, equal ones by name. Folders have no size: they stand first.
func (s sorting) apply(rows []origin.Entry) {
	slices.SortStableFunc(rows, func(a, b origin.Entry) int {
		name := cmp.Or(
			strings.Compare(strings.ToLower(a.Node.Name), strings.ToLower(b.Node.Name)),
			strings.Compare(a.Node.Name, b.Node.Name),
		)
		if a.Node.Folder != b.Node.Folder {
			if a.Node.Folder {
				return -1
			}
			return 1
		}
		by := name
		switch s.key {
		case "size":
			by = cmp.Or(cmp.Compare(a.Node.Version.Sum.Size, b.Node.Version.Sum.Size), name)
		case "changed":
			by = cmp.Or(changed(a).Compare(changed(b)), name)
		}
		if s.down {
			return -by
		}
		return by
	})
}
