package web

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

// escape writes a path for an address, each name by itself.
func escape(p string) string {
	names := strings.Split(p, "/")
	for i, n := range names {
		names[i] = url.PathEscape(n)
	}
	return strings.Join(names, "/")
}

func query(s string) string { return url.QueryEscape(s) }

// under joins a route and a path below a collection.
func under(route, collection, p string) string {
	if p == "" {
		return route + url.PathEscape(collection)
	}
	return route + url.PathEscape(collection) + "/" + escape(p)
}

// The addresses of pages.
func folderURL(collection, p string) string { return under("/c/", collection, p) }
func trashURL(collection string) string     { return "/trash/" + url.PathEscape(collection) }
func accessURL(collection string) string    { return "/access/" + url.PathEscape(collection) }
func userURL(name string) string            { return "/people/" + url.PathEscape(name) }
func linkURL(id catalog.LinkID) string      { return fmt.Sprintf("/links/%d", id) }
func sharedURL(token string) string         { return "/s/" + url.PathEscape(token) }
func sharedBrowse(token, p string) string   { return sharedURL(token) + "/browse/" + escape(p) }

// The addresses of downloads, which are rest's.
func downloadURL(collection string, e origin.Entry) string {
	if e.Node.Folder {
		return archiveURL(collection, e.Path, "zip")
	}
	return "/api/v1/collections/" + url.PathEscape(collection) + "/content/" + escape(e.Path)
}

func archiveURL(collection, p, format string) string {
	return "/api/v1/collections/" + url.PathEscape(collection) + "/archive/" + escape(p) + "?format=" + format
}

func versionURL(collection, p string, id catalog.VersionID) string {
	return fmt.Sprintf("/api/v1/collections/%s/content/%s?version=%d", url.PathEscape(collection), escape(p), id)
}

// sharedArchive is a file or folder below a link: a folder comes as a zip.
func sharedArchive(token, p string) string {
	if p == "" {
		return sharedURL(token) + "/download"
	}
	return sharedURL(token) + "/files/" + escape(p)
}

// parentOf returns the folder a path is in, "" for the top.
func parentOf(p string) string {
	dir, _ := path.Split(p)
	return strings.TrimSuffix(dir, "/")
}

// join puts a name into a folder.
func join(folder, name string) string {
	if folder = strings.Trim(folder, "/"); folder == "" {
		return name
	}
	return folder + "/" + name
}

type crumb struct{ Name, URL string }

// crumbsOf leads from the collection down to p.
func crumbsOf(collection, p string) []crumb {
	list := []crumb{{collection, folderURL(collection, "")}}
	return append(list, steps(p, func(p string) string { return folderURL(collection, p) })...)
}

// sharedCrumbs leads from below the link's folder down to p.
func sharedCrumbs(token, p string) []crumb {
	return steps(p, func(p string) string { return sharedBrowse(token, p) })
}

func steps(p string, address func(string) string) []crumb {
	var list []crumb
	for i, c := range p + "/" {
		if c == '/' && i > 0 {
			list = append(list, crumb{path.Base(p[:i]), address(p[:i])})
		}
	}
	return list
}

// placeName writes a place as people say it.
func placeName(p origin.Place) string {
	if p.Path == "" {
		return p.Collection
	}
	return p.Collection + "/" + p.Path
}

// quoted writes an argument so that a shell takes it as one word.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func nodeIcon(folder bool) string {
	if folder {
		return "folder"
	}
	return "file"
}

func kindIcon(e origin.Entry) string { return nodeIcon(e.Node.Folder) }

// changed is the time a list shows for e.
func changed(e origin.Entry) time.Time {
	if e.Node.Folder {
		return e.Node.Created
	}
	return e.Node.Version.Modified
}

func hexOf(h content.Hash) string { return hex.EncodeToString(h[:]) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// capital makes a sentence of an error's text.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "…") {
		s += "."
	}
	return s
}

// access says in a word what rights are for.
func access(r policy.Rights) string {
	switch {
	case r&policy.Administer != 0:
		return "you may do everything"
	case r&policy.Publish != 0 && r&policy.List == 0:
		return "you may add files"
	case r&policy.Publish != 0:
		return "you may change it"
	}
	return "you may look"
}
