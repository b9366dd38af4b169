package rest

import (
	"encoding/hex"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/policy"
)

// rightNames are the names of the rights, in order.
func rightNames() [4]struct {
	right policy.Rights
	name  string
} {
	return [4]struct {
		right policy.Rights
		name  string
	}{{policy.List, "list"}, {policy.Read, "read"}, {policy.Publish, "publish"}, {policy.Administer, "administer"}}
}

func rightsText(r policy.Rights) []string {
	list := []string{}
	for _, n := range rightNames() {
		if r&n.right != 0 {
			list = append(list, n.name)
		}
	}
	return list
}

func parseRights(list []string) (r policy.Rights, _ error) {
next:
	for _, text := range list {
		for _, n := range rightNames() {
			if n.name == text {
				r |= n.right
				continue next
			}
		}
		return 0, fault.Errorf(fault.Invalid, "there is no right %q, only list, read, publish and administer", text)
	}
	return r, nil
}

func roleText(r policy.Role) string {
	switch r {
	case policy.Reader:
		return "reader"
	case policy.Publisher:
		return "publisher"
	case policy.Admin:
		return "admin"
	}
	return ""
}

func parseRole(text string) (policy.Role, error) {
	for r := policy.Reader; r <= policy.Admin; r++ {
		if roleText(r) == text {
			return r, nil
		}
	}
	return 0, fault.Errorf(fault.Invalid, "there is no role %q, only reader, publisher and admin", text)
}

// hashText writes a hash, "" for the zero one.
func hashText(h content.Hash) string {
	if h.IsZero() {
		return ""
	}
	return hex.EncodeToString(h[:])
}

// parseHash reads lower-case hex; "" gives the zero hash.
func parseHash(name, text string) (h content.Hash, _ error) {
	if text == "" {
		return h, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != text {
		return h, fault.Errorf(fault.Invalid, "%s is not a SHA-256 in lower-case hex: %q", name, text)
	}
	return content.Hash(b), nil
}

func userShape(u catalog.User) api.User {
	return api.User{
		Name: u.Name, Role: roleText(u.Role), Disabled: u.Disabled, Quota: u.Quota,
		Used: u.Used, Reserved: u.Reserved, Created: u.Created.UTC(),
	}
}

func sessionShape(s catalog.Session, c origin.Caller) api.Session {
	return api.Session{
		ID: s.ID, User: c.User.Name, Created: s.Created.UTC(), Seen: s.Seen.UTC(), Expires: s.Expires.UTC(),
		Agent: s.Agent, Remote: s.Remote, Current: s.ID == c.Session,
	}
}

func tokenShape(t catalog.Token, secret string) api.Token {
	return api.Token{
		ID: t.ID, Name: t.Name, Rights: rightsText(t.Limit), Server: t.Server, Created: t.Created.UTC(),
		Seen: expiry(t.Seen), Expires: expiry(t.Expires), Secret: secret,
	}
}

func collectionShape(v origin.CollectionView) api.Collection {
	c := v.Collection
	return api.Collection{
		Name: c.Name, Owner: v.Owner, Rights: rightsText(v.Rights), Files: v.Files,
		Quota: c.Quota, Used: c.Used, Reserved: c.Reserved, Created: c.Created.UTC(),
		KeepTrash: int64(c.KeepTrash / time.Second), KeepVersions: int64(c.KeepVersions / time.Second),
	}
}

func entryShape(e origin.Entry) api.Entry {
	n, v := e.Node, e.Node.Version
	shape := api.Entry{
		ID: int64(n.ID), Name: n.Name, Path: e.Path, Kind: "folder",
		Modified: n.Created.UTC(), Stored: n.Created.UTC(), By: e.By,
	}
	if !n.Folder {
		shape.Kind, shape.Size = "file", v.Sum.Size
		shape.SHA256, shape.Root = hashText(v.Sum.SHA256), hashText(v.Sum.Root)
		shape.Modified, shape.Stored, shape.Version = v.Modified.UTC(), v.Created.UTC(), int64(v.ID)
	}
	return shape
}

func listingShape(l origin.Listing) api.Listing {
	shape := api.Listing{
		Folder: entryShape(l.Folder), Rights: rightsText(l.Rights),
		Entries: make([]api.Entry, len(l.Entries)), Next: l.Next,
	}
	for i, e := range l.Entries {
		shape.Entries[i] = entryShape(e)
	}
	return shape
}

func trashedShape(t origin.TrashedEntry) api.Trashed {
	kind := "file"
	if t.Node.Folder {
		kind = "folder"
	}
	return api.Trashed{
		ID: int64(t.Node.ID), Path: t.Path, Kind: kind, Size: t.Node.Version.Sum.Size,
		Trashed: t.Node.Trashed.UTC(), By: t.By, Goes: t.Goes.UTC(),
	}
}

func linkShape(v origin.LinkView, base string) api.Link {
	l := v.Link
	shape := api.Link{
		ID: int64(l.ID), URL: base + "/s/" + l.Token, Kind: string(l.Kind), Audience: l.Audience.String(),
		Collection: v.At.Collection, Path: v.At.Path, By: v.By, Created: l.Created.UTC(), Expires: expiry(l.Expires),
		Password: l.Password != "", MaxDownloads: l.MaxDownloads, Downloads: l.Downloads,
		MaxBytes: l.MaxBytes, Bytes: l.Bytes, Note: l.Note, Revoked: expiry(l.Revoked), Live: v.Live,
		Pending: v.Pending, Copies: l.Copies, Holders: v.Holders,
	}
	if v.Ready {
		shape.Link = shape.URL
		if part := v.Fragment(base); part != "" {
			shape.Link += "#" + part
		}
	}
	if v.Served != (origin.Served{}) {
		served := servedShape(v.Served)
		shape.Served = &served
	}
	switch l.Torrent {
	case catalog.NoTorrent:
		shape.Torrent = "none"
	case catalog.TorrentWanted:
		shape.Torrent = "wanted"
	case catalog.TorrentMade:
		shape.Torrent = "made"
	case catalog.TorrentFailed:
		shape.Torrent = "failed"
	}
	return shape
}

func auditShape(e catalog.Entry) api.AuditEntry {
	return api.AuditEntry{
		Seq: e.Seq, Time: e.Time.UTC(), Actor: e.Actor, User: int64(e.User), Action: e.Action, Object: e.Object,
		Outcome: e.Outcome, Remote: e.Remote, Request: e.Request, Detail: e.Detail, Hash: hex.EncodeToString(e.Hash[:]),
	}
}

// shaped makes the shapes of a list; no entries give an empty list, not null.
func shaped[T, S any](list []T, shape func(T) S) []S {
	out := make([]S, len(list))
	for i, v := range list {
		out[i] = shape(v)
	}
	return out
}
