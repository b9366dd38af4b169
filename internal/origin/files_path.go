package origin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Paths that are asked for may be longer than paths that are made: a folder that is
// moved takes what is below it along.
const (
	deepestAsked = 2 * content.MaxDepth
	longestAsked = 4 * content.MaxPath
)

// splitPath returns the names of a path in their one canonical form (NFC), checked.
// Nothing but its result is used afterwards, so that what is decided about is what is
// touched. The empty path has no names.
func splitPath(path string) ([]string, error) {
	switch {
	case path == "":
		return nil, nil
	case len(path) > longestAsked:
		return nil, fault.Errorf(fault.Invalid, "path of %d bytes: longer than %d", len(path), longestAsked)
	case !utf8.ValidString(path):
		return nil, fault.Errorf(fault.Invalid, "path %q: not UTF-8", path)
	}
	names := strings.Split(norm.NFC.String(path), "/")
	if len(names) > deepestAsked {
		return nil, fault.Errorf(fault.Invalid, "path of %d names: more than %d", len(names), deepestAsked)
	}
	for i := range names {
		if err := content.CheckPath(names[i : i+1]); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// spot is where a Place leads.
type spot struct {
	col   catalog.Collection
	base  catalog.NodeID // what names count from: the collection's root, or what the link leads to
	above []string       // from the collection's root to base
	names []string       // below base
	link  bool
}

// full returns the names from the collection's root.
func (p spot) full() []string { return slices.Concat(p.above, p.names) }

// object names the place in the audit log.
func (p spot) object() string { return objectName(p.col.Name, p.full()) }

func objectName(collection string, names []string) string {
	return strings.Join(append([]string{collection}, names...), "/")
}

// at names the place for the caller. Who comes by a link does not learn where it is.
func (p spot) at(names []string) string {
	if p.link {
		if len(names) == 0 {
			return "what the link leads to"
		}
		return strings.Join(names, "/")
	}
	return objectName(p.col.Name, names)
}

// String names a Place as it was asked for.
func (at Place) String() string {
	if at.Path == "" {
		return at.Collection
	}
	return at.Collection + "/" + at.Path
}

// asked names what c asked for in the audit log, where that is all that is known.
func asked(c Caller, at Place) string {
	if c.Link != nil {
		at.Collection = fmt.Sprintf("link %d", c.Link.ID)
	}
	return at.String()
}

// find is the way from a Place to where it leads: the path is made canonical, the collection
// looked up, and policy asked. What it returns need not exist below the collection.
func (s *Server) find(tx *catalog.Tx, c Caller, a policy.Action, at Place) (spot, error) {
	names, err := splitPath(at.Path)
	if err != nil {
		return spot{}, err
	}
	if c.Link != nil {
		return s.findByLink(tx, c, a, names)
	}
	name, err := canonicalCollection(at.Collection)
	if err != nil {
		return spot{}, err
	}
	col, err := s.collection(tx, c, a, name)
	if err != nil {
		return spot{}, err
	}
	return spot{col: col, base: col.Root, names: names}, nil
}

// findByLink follows a link to where its file or folder is now.
func (s *Server) findByLink(tx *catalog.Tx, c Caller, a policy.Action, names []string) (spot, error) {
	if c.Link.Pending != "" {
		return spot{}, retryLater(fault.Busy, pendingAgain, "what this link leads to is still being uploaded")
	}
	col, err := tx.Collections.Collection(c.Link.Collection)
	if errors.Is(err, fault.NotFound) {
		return spot{}, errLinkEnded()
	}
	if err != nil {
		return spot{}, fmt.Errorf("link: %w", err)
	}
	if err := s.may(tx, c, a, col); err != nil {
		return spot{}, err
	}
	above, live, err := tx.Tree.Path(c.Link.Node)
	if errors.Is(err, fault.NotFound) || err == nil && !live {
		return spot{}, errLinkEnded()
	}
	if err != nil {
		return spot{}, fmt.Errorf("link: %w", err)
	}
	return spot{col: col, base: c.Link.Node, above: above, names: names, link: true}, nil
}

func errLinkEnded() error { return fault.Errorf(fault.Gone, "this link has ended") }

// node returns what stands at p.
func (p spot) node(tx *catalog.Tx) (catalog.Node, error) {
	n, err := tx.Tree.Resolve(p.base, p.names)
	if errors.Is(err, fault.NotFound) {
		return n, fault.Errorf(fault.NotFound, "%s: no such file or folder", p.at(p.names))
	}
	if err != nil {
		return n, fmt.Errorf("%s: %w", p.at(p.names), err)
	}
	return n, nil
}

// creatable says whether something may be made at p: it has a name, and the whole
// path is within what any system can hold.
func (p spot) creatable() error {
	if len(p.names) == 0 {
		return fault.Errorf(fault.Invalid, "%s: no name for it was given", p.at(nil))
	}
	return content.CheckPath(p.full())
}

// notByLink refuses who comes by a link what no link is made for.
func notByLink(c Caller) error {
	if c.Link != nil {
		return &refused{kind: fault.Permission, reason: policy.OutOfScope, text: "this link was not made for that"}
	}
	return nil
}

// authors looks up who stored what, each once.
type authors map[catalog.UserID]string

func (a authors) of(tx *catalog.Tx, id catalog.UserID) (string, error) {
	if name, ok := a[id]; ok || id == 0 {
		return name, nil
	}
	u, err := tx.Accounts.User(id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return "", fmt.Errorf("read account: %w", err)
	}
	a[id] = u.Name
	return u.Name, nil
}

// entry shows n, which stands at names below p's base. Who comes by a link is not told names of people.
func (p spot) entry(tx *catalog.Tx, a authors, n catalog.Node, names []string) (Entry, error) {
	e := Entry{Node: n, Path: strings.Join(names, "/")}
	if p.link || n.Folder {
		return e, nil
	}
	by, err := a.of(tx, n.Version.By)
	e.By = by
	return e, err
}

// freeName returns a name like name that taken does not hold: "a (2).txt" for "a.txt".
// After a few numbers it takes random ones, so that many equal names cost no more.
func freeName(name string, taken func(string) (bool, error), random func() string) (string, error) {
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 16 {
		stem, ext = name[:i], name[i:]
	}
	for n := 2; n < 200; n++ {
		mark := fmt.Sprintf(" (%d)", n)
		if n > 20 {
			mark = " (" + random() + ")"
		}
		cut := min(len(stem), content.MaxComponent-len(mark)-len(ext))
		for cut > 0 && cut < len(stem) && !utf8.RuneStart(stem[cut]) {
			cut--
		}
		try := norm.NFC.String(stem[:cut] + mark + ext)
		if is, err := taken(try); err != nil || !is {
			return try, err
		}
	}
	return "", fault.Errorf(fault.Exists, "%q: no free name like it", name)
}
