package web

import (
	"net/http"
)

func (v *visit) start() error {
	list, err := v.origin.Collections(v.ctx(), v.who)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, startView(v.shell("Files", "files"), startPage{v.who.User, list}))
}

func (v *visit) newCollection() error {
	return v.show(http.StatusOK, newCollectionView(v.shell("New collection", "files"), "", ""))
}

func (v *visit) newCollectionDone() error {
	c, err := v.origin.CreateCollection(v.ctx(), v.who, v.text("name"))
	if err == nil {
		return v.goTo(folderURL(c.Collection.Name, ""))
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	return v.show(status, newCollectionView(v.shell("New collection", "files"), v.text("name"), text))
}

func (v *visit) search() error {
	const most = 100
	p := searchPage{Text: cut(v.r.URL.Query().Get("q"), 200)}
	if p.Text != "" {
		found, err := v.origin.Search(v.ctx(), v.who, "", p.Text, most+1)
		if err != nil {
			return err
		}
		p.Found, p.More = found[:min(len(found), most)], len(found) > most
	}
	return v.show(http.StatusOK, searchView(v.shell("Search", "search"), p))
}
