package origin_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

// Answers are compared as texts: what people would see, without the numbers
// that each catalog gives for itself.

func itoa(n int) string { return strconv.Itoa(n) }

func text(lines []string) string { return strings.Join(lines, "\n") }

func yes(is bool, word string) string {
	if is {
		return word
	}
	return ""
}

func sha(data string) content.Hash { return sha256.Sum256([]byte(data)) }

func rightsText(r policy.Rights) string { return fmt.Sprintf("rights %04b", r) }

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func versionText(size int64, sum content.Hash, modified, created time.Time) string {
	return fmt.Sprintf("%d bytes %x, modified %s, stored %s", size, sum[:4], clock(modified), clock(created))
}

// entry is an entry as the server should show it.
func (p sSpot) entry(n *sNode, names []string) string {
	if n.folder {
		return strings.Join(names, "/") + "/"
	}
	v, by := n.current(), ""
	if !p.link {
		by = " by " + v.by.name
	}
	return strings.Join(names, "/") + ": " + versionText(int64(len(v.data)), sha(v.data), v.modified, v.created) + by
}

func entryText(e origin.Entry) string {
	if e.Node.Folder {
		return e.Path + "/"
	}
	v := e.Node.Version
	return e.Path + ": " + versionText(v.Sum.Size, v.Sum.SHA256, v.Modified, v.Created) + yes(e.By != "", " by "+e.By)
}

func listText(l origin.Listing) string {
	lines := []string{rightsText(l.Rights), entryText(l.Folder)}
	for _, e := range l.Entries {
		lines = append(lines, entryText(e))
	}
	return text(lines)
}

func userText(name string, role policy.Role, disabled bool, quota, used, reserved int64) string {
	return fmt.Sprintf("%s role %d%s quota %d used %d reserved %d", name, role, yes(disabled, " disabled"), quota, used, reserved)
}

func accountText(u catalog.User) string {
	return userText(u.Name, u.Role, u.Disabled, u.Quota, u.Used, u.Reserved)
}

func viewText(v origin.CollectionView) string {
	c := v.Collection
	return fmt.Sprintf("%s of %s: %s, %d files, quota %d used %d reserved %d",
		c.Name, v.Owner, rightsText(v.Rights), v.Files, c.Quota, c.Used, c.Reserved)
}

func grantText(subject string, group bool, rights policy.Rights, until time.Time) string {
	return fmt.Sprintf("%s%s %s until %s", yes(group, "group "), subject, rightsText(rights), clock(until))
}

func trashText(id catalog.NodeID, path, by string, goes time.Time) string {
	return fmt.Sprintf("%d: %s by %s goes %s", id, path, by, clock(goes))
}

func linkText(id catalog.LinkID, kind catalog.LinkKind, collection, path string, live bool, by string, revoked bool, most, downloads, bytes int64) string {
	return fmt.Sprintf("%d: %s %s/%s%s by %s%s, %d of %d downloads, %d bytes",
		id, kind, collection, path, yes(!live, " gone"), by, yes(revoked, " revoked"), downloads, most, bytes)
}

func linkViewText(v origin.LinkView) string {
	l := v.Link
	limited := int64(0)
	if l.MaxDownloads > 0 { // the others are counted later, in batches
		limited = l.Downloads
	}
	return linkText(l.ID, l.Kind, v.At.Collection, v.At.Path, v.Live, v.By, !l.Revoked.IsZero(), l.MaxDownloads, limited, l.Bytes)
}

// lines sorts what is listed after leaving out what is not of this history.
func lines[T any](list []T, show func(T) string, mine func(T) bool, sorted bool) string {
	var out []string
	for _, v := range list {
		if mine(v) {
			out = append(out, show(v))
		}
	}
	if sorted {
		slices.Sort(out)
	}
	return text(out)
}

func every[T any](T) bool { return true }
