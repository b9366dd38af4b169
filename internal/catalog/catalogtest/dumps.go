package catalogtest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func testDump(t *testing.T, open Open) {
	t.Run("an empty catalog can be dumped and loaded", func(t *testing.T) {
		text := dump(t, open(t))
		to := open(t)
		load(t, to, text)
		if again := dump(t, to); again != text {
			t.Errorf("got\n%s\nwant\n%s", again, text)
		}
	})
	t.Run("nothing is loaded into a catalog that is not empty", func(t *testing.T) {
		c := open(t)
		addUser(t, c, "ann")
		before := dump(t, c)
		if err := c.Load(context.Background(), strings.NewReader(before)); !errors.Is(err, fault.Exists) {
			t.Errorf("Load: %v", err)
		}
		if dump(t, c) != before {
			t.Error("Load has changed something")
		}
	})
	t.Run("nothing is loaded from a dump that is damaged", func(t *testing.T) { damagedDumps(t, open) })
}

// Dumps takes a dump from one driver to another and back.
func Dumps(t *testing.T, from, to Open) {
	a := from(t)
	fill(t, a)
	text := dump(t, a)
	b := to(t)
	load(t, b, text)
	across := dump(t, b)
	sameText(t, "there", across, text)
	back := from(t)
	load(t, back, across)
	sameText(t, "and back", dump(t, back), text)
	next := addUser(t, a, "next")
	for name, c := range map[string]catalog.Catalog{"there": b, "back": back} {
		if found, err := c.Check(context.Background()); err != nil || len(found) > 0 {
			t.Errorf("%s: Check: %q, %v", name, found, err)
		}
		if got := addUser(t, c, "next"); got < next {
			t.Errorf("%s: a new user is %d where %d comes next: an id is given again", name, got, next)
		}
		update(t, c, func(tx *catalog.Tx) error { return tx.Audit.Append(entry("after", 0, day())) })
		entries(t, c)
	}
}

func sameText(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s: line %d is\n%s\nwas\n%s", what, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s: %d lines, were %d", what, len(g), len(w))
}

func dump(t *testing.T, c catalog.Catalog) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Dump(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func load(t *testing.T, c catalog.Catalog, text string) {
	t.Helper()
	if err := c.Load(context.Background(), strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

// fill puts something into every table there is.
func fill(t *testing.T, c catalog.Catalog) {
	ann, bob := addUser(t, c, "Änn \u2028<&>\"\\"), addUser(t, c, "bob")
	update(t, c, func(tx *catalog.Tx) error {
		group, err := tx.Accounts.CreateGroup("staff", day())
		gone, err2 := tx.Accounts.CreateGroup("gone", day())
		taken, err3 := tx.Accounts.CreateInvitation(catalog.Invitation{Hash: hash(1), Role: policy.Reader, By: ann, Created: day()})
		return errors.Join(err, err2, err3,
			tx.Accounts.DeleteGroup(gone), // its number is not given again
			tx.Accounts.AddMember(group, ann),
			tx.Accounts.AddMember(group, bob),
			tx.Accounts.TakeInvitation(taken, bob),
			second(tx.Accounts.CreateInvitation(catalog.Invitation{Hash: hash(2), Group: group, Note: "x", Expires: day()})),
			tx.Accounts.SetCredential(catalog.Credential{User: ann, Kind: catalog.Password, Secret: "$argon2id$", Changed: day()}),
			second(tx.Sessions.CreateSession(session(ann, 1))),
			second(tx.Sessions.CreateToken(catalog.Token{Hash: hash(1), User: bob, Limit: policy.AllRights, Server: true})),
			tx.Sessions.Bump(),
			second(tx.Attempts.AddAttempt("login-user/ann", day().Add(time.Hour))),
			tx.Settings.Set("setup", "done"),
		)
	})
	update(t, c, func(tx *catalog.Tx) error {
		for i := range 100 { // more than one statement's worth
			if err := tx.Audit.Append(entry("put", catalog.UserID(i), day().Add(time.Duration(i)))); err != nil {
				return err
			}
		}
		return nil
	})
	fillFiles(t, c, ann)
	fillSwarms(t, c, ann)
}

func damagedDumps(t *testing.T, open Open) {
	from := open(t)
	fill(t, from)
	text := dump(t, from)
	to := open(t)
	empty := dump(t, to)
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	for name, damaged := range map[string]string{
		"empty":                     "",
		"cut within a line":         text[:len(text)/2],
		"without its last line":     strings.Join(lines[:len(lines)-1], ""),
		"without a line in between": lines[0] + strings.Join(lines[2:], ""),
		"with a line twice":         lines[0] + lines[1] + strings.Join(lines[1:], ""),
		"with one letter changed":   strings.Replace(text, "photos/a.jpg", "photos/b.jpg", 1),
		"with another number":       strings.Replace(text, `"role"`, `"rolle"`, 1),
		"with something behind it":  text + "\n",
		"of a newer form":           strings.Replace(text, `"version":1`, `"version":2`, 1),
		"of a newer schema":         strings.Replace(text, `.sql"]`, `.sql","9999_later.sql"]`, 1),
		"of something else":         strings.Replace(text, "tandem catalog", "tandem cat", 1),
	} {
		if damaged == text {
			t.Errorf("%s: not damaged", name)
		}
		err := to.Load(context.Background(), strings.NewReader(damaged))
		if k := fault.KindOf(err); k != fault.Corrupt && k != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if dump(t, to) != empty {
			t.Errorf("%s: something was loaded", name)
		}
	}
}
