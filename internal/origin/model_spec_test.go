package origin_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

// spec is what a server does, in plain maps and as simply as can be said: who
// may do what, names, versions, trash, quotas, links and uploads. It shares no
// code with the server but the words of its interface.
type spec struct {
	now     time.Time
	users   []*sUser
	groups  []*sGroup
	cols    []*sCol
	links   []*sLink
	uploads []*sUpload
}

type sUser struct {
	name                  string
	role                  policy.Role
	disabled              bool
	quota, used, reserved int64
}

type sGroup struct {
	name    string
	members map[*sUser]bool
}

type sGrant struct {
	rights   policy.Rights
	notAfter time.Time
}

type sCol struct {
	name                    string
	owner                   *sUser
	quota, used, reserved   int64
	keepTrash, keepVersions time.Duration
	toUser                  map[*sUser]sGrant
	toGroup                 map[*sGroup]sGrant
	root                    *sNode
	gone                    bool
}

type sNode struct {
	id        catalog.NodeID // 0: not seen yet
	name      string
	folder    bool
	col       *sCol
	parent    *sNode
	kids      []*sNode // also those in the trash
	versions  []*sVersion
	trashed   time.Time
	trashedBy *sUser
	gone      bool // purged
}

type sVersion struct {
	id                          catalog.VersionID
	data                        string
	by                          *sUser
	modified, created, replaced time.Time
}

type sLink struct {
	id              catalog.LinkID
	token, proof    string
	kind            catalog.LinkKind
	node            *sNode
	by              *sUser
	expires         time.Time
	revoked, public bool
	password        bool
	proven          time.Time
	max, downloads  int64
	maxBytes, bytes int64
}

type sUpload struct {
	id       string
	payer    *sUser
	via      *sLink
	col      *sCol
	path     []string // from the collection's root
	size     int64
	full     string // what is to be sent
	data     string // what has arrived
	wrong    bool   // the announced SHA-256 is not that of what will come
	want     string // IfMatch: the content to replace; "-": not asked
	ifAbsent bool
	rename   bool
	expires  time.Time
	node     *sNode // what it became
	modified time.Time
}

// actor is who asks: an account by a session or a token, somebody with a link, or nobody.
type actor struct {
	name   string
	user   *sUser
	limit  policy.Rights
	server bool
	ends   time.Time // of the token; zero: never
	secret string
	link   *sLink
	proof  bool // of the link's password
}

// enters says whether who asks is let in at all.
func (w *spec) enters(a *actor) error {
	switch l := a.link; {
	case l != nil && l.node.col.gone:
		return fault.NotFound
	case l != nil && (l.revoked || !l.expires.IsZero() && !w.now.Before(l.expires) || !l.node.live()):
		return fault.Gone
	case a.user != nil && (a.user.disabled || !a.ends.IsZero() && !w.now.Before(a.ends)):
		return fault.Unauthenticated
	}
	return nil
}

// rights returns what an account may do on a collection, before a token narrows it.
func (w *spec) rights(u *sUser, c *sCol) policy.Rights {
	var sum policy.Rights
	add := func(g sGrant) {
		if g.notAfter.IsZero() || !w.now.After(g.notAfter) {
			sum |= g.rights
		}
	}
	add(c.toUser[u])
	for g, grant := range c.toGroup {
		if g.members[u] {
			add(grant)
		}
	}
	if u.role == policy.Admin || c.owner == u {
		sum = policy.AllRights
	}
	sum = all(sum)
	if u.role == policy.Reader {
		sum &= policy.List | policy.Read
	}
	return sum
}

// all returns rights with those that Administer brings.
func all(r policy.Rights) policy.Rights {
	if r&policy.Administer != 0 {
		return policy.AllRights
	}
	return r
}

// linkRights returns what a link is made for, and what of it its creator may still do.
func (w *spec) linkRights(l *sLink) (made, now policy.Rights) {
	switch {
	case l.kind == catalog.UploadLink:
		made = policy.Publish
	case l.node.folder:
		made = policy.Read | policy.List
	default:
		made = policy.Read
	}
	if l.by.disabled {
		return made, 0
	}
	return made, made & w.rights(l.by, l.node.col)
}

// has returns what a may do on a collection.
func (w *spec) has(a *actor, c *sCol) policy.Rights {
	switch {
	case a.link != nil && a.link.node.col == c:
		_, now := w.linkRights(a.link)
		return now
	case a.user != nil:
		return w.rights(a.user, c) & all(a.limit)
	}
	return 0
}

// may says whether a may do what takes the right need on a collection.
func (w *spec) may(a *actor, need policy.Rights, c *sCol) error {
	if a.link != nil {
		return w.mayByLink(a, need)
	}
	has := w.has(a, c)
	switch {
	case a.user == nil:
		return fault.Unauthenticated
	case has == 0: // as if there were none
		return fault.NotFound
	case has&need == 0:
		return fault.Permission
	}
	return nil
}

func (w *spec) mayByLink(a *actor, need policy.Rights) error {
	l := a.link
	made, now := w.linkRights(l)
	switch {
	case need == policy.Administer:
		return fault.Permission
	case now == 0:
		return fault.Gone
	case l.password && !(a.proof && w.now.Before(l.proven.Add(24*time.Hour))):
		return fault.Unauthenticated
	case l.max > 0 && l.downloads >= l.max && need != downloadRight:
		return fault.Gone
	}
	if need == downloadRight {
		need = policy.Read
	}
	switch {
	case now&need != 0:
		return nil
	case made&need == 0:
		return fault.Permission
	}
	return fault.Gone
}

// downloadRight is Read for who may find out only at the download that none is left.
const downloadRight = policy.Rights(1 << 7)

// --- names

func (n *sNode) live() bool {
	for ; n != nil; n = n.parent {
		if !n.trashed.IsZero() || n.gone || n.col.gone {
			return false
		}
	}
	return true
}

// names leads from the collection's root to n.
func (n *sNode) names() []string {
	if n.parent == nil {
		return nil
	}
	return append(n.parent.names(), n.name)
}

func (n *sNode) kid(name string) *sNode {
	for _, k := range n.kids {
		if k.name == name && k.trashed.IsZero() {
			return k
		}
	}
	return nil
}

// listed returns what is in a folder and not in the trash, by name.
func (n *sNode) listed() []*sNode {
	var list []*sNode
	for _, k := range n.kids {
		if k.trashed.IsZero() {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b *sNode) int { return strings.Compare(a.name, b.name) })
	return list
}

func (n *sNode) current() *sVersion { return n.versions[len(n.versions)-1] }

// each calls f for n and all below it, also in the trash.
func (n *sNode) each(f func(*sNode)) {
	f(n)
	for _, k := range n.kids {
		k.each(f)
	}
}

func (n *sNode) add(name string, folder bool) *sNode {
	k := &sNode{name: name, folder: folder, col: n.col, parent: n}
	n.kids = append(n.kids, k)
	return k
}

// goTo puts n into another folder.
func (n *sNode) goTo(parent *sNode, name string) {
	n.parent.kids = slices.DeleteFunc(n.parent.kids, func(k *sNode) bool { return k == n })
	n.parent, n.name, n.trashed, n.trashedBy = parent, name, time.Time{}, nil
	parent.kids = append(parent.kids, n)
}

// purge removes n for good and gives the bytes back.
func (n *sNode) purge() {
	n.each(func(k *sNode) {
		for _, v := range k.versions {
			v.drop(n.col)
		}
		k.versions, k.gone = nil, true
	})
	n.parent.kids = slices.DeleteFunc(n.parent.kids, func(k *sNode) bool { return k == n })
}

func (v *sVersion) drop(c *sCol) {
	v.by.used -= int64(len(v.data))
	c.used -= int64(len(v.data))
}

// sSpot is where a Place leads.
type sSpot struct {
	col   *sCol
	base  *sNode
	names []string
	link  bool
}

func splitNames(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	names := strings.Split(norm.NFC.String(path), "/")
	for _, n := range names {
		if n == "" || n == "." || n == ".." || strings.ContainsAny(n, "\x00\\") {
			return nil, fault.Invalid
		}
	}
	return names, nil
}

func (w *spec) find(a *actor, need policy.Rights, at origin.Place) (sSpot, error) {
	names, err := splitNames(at.Path)
	if err != nil {
		return sSpot{}, err
	}
	if a.link != nil {
		c := a.link.node.col
		return sSpot{c, a.link.node, names, true}, w.may(a, need, c)
	}
	c, err := w.collection(a, need, at.Collection)
	if err != nil {
		return sSpot{}, err
	}
	return sSpot{c, c.root, names, false}, nil
}

func (w *spec) collection(a *actor, need policy.Rights, name string) (*sCol, error) {
	for _, c := range w.cols {
		if c.name == name && !c.gone {
			if a.link != nil && a.link.node.col != c {
				return nil, fault.NotFound
			}
			return c, w.may(a, need, c)
		}
	}
	if a.user == nil && a.link == nil {
		return nil, fault.Unauthenticated
	}
	return nil, fault.NotFound
}

// node returns what is at p.
func (p sSpot) node() (*sNode, error) {
	n := p.base
	for _, name := range p.names {
		if n = n.kid(name); n == nil {
			return nil, fault.NotFound
		}
	}
	return n, nil
}

func notByLink(a *actor) error {
	if a.link != nil {
		return fault.Permission
	}
	return nil
}

// free returns a name like name that a folder does not have.
func (n *sNode) free(name string) string {
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i:]
	}
	for i := 2; ; i++ {
		if try := stem + " (" + itoa(i) + ")" + ext; n.kid(try) == nil {
			return try
		}
	}
}

// room says whether size more bytes fit.
func (w *spec) room(u *sUser, c *sCol, via *sLink, size int64) error {
	over := func(quota, used int64) bool { return quota > 0 && size > 0 && used+size > quota }
	if over(u.quota, u.used+u.reserved) || over(c.quota, c.used+c.reserved) || via != nil && over(via.maxBytes, via.bytes) {
		return fault.Quota
	}
	return nil
}

// sweep removes what has had its time.
func (w *spec) sweep() {
	for _, c := range w.cols {
		if c.gone {
			continue
		}
		var due []*sNode
		c.root.each(func(n *sNode) {
			if !n.trashed.IsZero() && !w.now.Before(n.trashed.Add(cmp.Or(c.keepTrash, keepTrash))) {
				due = append(due, n)
			}
		})
		for _, n := range due {
			if !n.gone { // with a folder above it
				n.purge()
			}
		}
		c.root.each(func(n *sNode) {
			n.versions = slices.DeleteFunc(n.versions, func(v *sVersion) bool {
				old := !v.replaced.IsZero() && !w.now.Before(v.replaced.Add(cmp.Or(c.keepVersions, keepVersions)))
				if old {
					v.drop(c)
				}
				return old
			})
		})
	}
	w.uploads = slices.DeleteFunc(w.uploads, func(u *sUpload) bool {
		old := !w.now.Before(u.expires)
		if old {
			u.giveBack()
		}
		return old
	})
}
