package origin

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Every write and every refused attempt is one line.
func TestTheLogHoldsWhatWasDoneAndTried(t *testing.T) {
	o := emptyOffice(t)
	token, err := o.SetupToken(o.ctx)
	ok(t, err)
	var root, ann Caller
	var key catalog.Token
	var inv catalog.Invitation
	var invited string
	for _, step := range []struct {
		line string
		do   func() error
	}{
		{"nobody|setup||unauthenticated", func() error { _, err := o.Setup(o.ctx, from(1), "x", "root", rightPassword); return err }},
		{"setup|setup|user root|ok", func() error { _, err := o.Setup(o.ctx, from(1), token, "root", rightPassword); return err }},
		{"nobody|login|user root|unauthenticated", func() error { return o.tryLogin(1, "a wrong password") }},
		{"root|login|user root|ok", func() error { root = o.login("root"); return nil }},
		{"root|user-create|user ann|ok", func() error {
			_, err := o.CreateUser(o.ctx, root, "ann", rightPassword, policy.Publisher, 0)
			return err
		}},
		{"root|user-create|user ann|exists", func() error {
			_, err := o.CreateUser(o.ctx, root, "ann", rightPassword, policy.Publisher, 0)
			return err
		}},
		{"ann|login|user ann|ok", func() error { ann = o.login("ann"); return nil }},
		{"ann|user-create|user bob|role", func() error { _, err := o.CreateUser(o.ctx, ann, "bob", rightPassword, policy.Admin, 0); return err }},
		{"ann|user-change|user ann|role", func() error { return o.update1(ann, UserChange{Role: ptr(policy.Admin)}) }},
		{"root|user-change|user ann|ok", func() error { return o.update1(root, UserChange{Quota: ptr[int64](7)}) }},
		{"root|group-create|group team|ok", func() error { _, err := o.CreateGroup(o.ctx, root, "team"); return err }},
		{"root|group-add|group team|ok", func() error { return o.SetMember(o.ctx, root, "team", "ann", true) }},
		{"root|group-remove|group team|ok", func() error { return o.SetMember(o.ctx, root, "team", "ann", false) }},
		{"root|group-delete|group team|ok", func() error { return o.DeleteGroup(o.ctx, root, "team") }},
		{"root|invite|role reader|ok", func() (err error) { invited, inv, err = o.Invite(o.ctx, root, policy.Reader, "", "", 0); return err }},
		{"nobody|invitation-accept||not-found", func() error { _, err := o.Invited(o.ctx, from(1), "guess"); return err }},
		{"cy|invitation-accept|user cy|ok", func() error { _, err := o.AcceptInvitation(o.ctx, from(1), invited, "cy", rightPassword); return err }},
		{"root|invite|role reader|ok", func() (err error) { _, inv, err = o.Invite(o.ctx, root, policy.Reader, "", "", 0); return err }},
		{"root|invitation-withdraw|invitation 2|ok", func() error { return o.WithdrawInvitation(o.ctx, root, inv.ID) }},
		{"ann|collection-create|photos|ok", func() error { _, err := o.CreateCollection(o.ctx, ann, "photos"); return err }},
		{"ann|collection-change|photos|ok", func() error {
			_, err := o.UpdateCollection(o.ctx, ann, "photos", CollectionChange{Name: ptr("pictures")})
			return err
		}},
		{"ann|collection-change|pictures|role", func() error {
			_, err := o.UpdateCollection(o.ctx, ann, "pictures", CollectionChange{Quota: ptr[int64](1)})
			return err
		}},
		{"ann|grant|pictures|ok", func() error { return o.SetGrant(o.ctx, ann, "pictures", GrantView{Subject: "cy", Rights: policy.Read}) }},
		{"ann|grant|absent|not-found", func() error { return o.SetGrant(o.ctx, ann, "absent", GrantView{Subject: "cy", Rights: policy.Read}) }},
		{"ann|collection-delete|pictures|ok", func() error { return o.DeleteCollection(o.ctx, ann, "pictures") }},
		{"ann|token-create|token ci|ok", func() (err error) {
			_, key, err = o.CreateToken(o.ctx, ann, "ci", policy.Read, false, time.Time{})
			return err
		}},
		{"nobody|authenticate||unauthenticated", func() error { _, err := o.Authenticate(o.ctx, from(1), "guess"); return err }},
		{"ann|token-delete|user ann|ok", func() error { return o.DeleteToken(o.ctx, ann, key.ID) }},
		{"ann|password|user ann|permission", func() error { return o.ChangePassword(o.ctx, ann, "a wrong password", "a new password") }},
		{"ann|password|user ann|ok", func() error { return o.ChangePassword(o.ctx, ann, rightPassword, "a new password") }},
		{"ann|session-end|user ann|not-found", func() error { return o.EndSession(o.ctx, ann, 999) }},
		{"ann|logout|user ann|ok", func() error { return o.Logout(o.ctx, ann) }},
	} {
		before := len(o.log())
		err := step.do()
		got := o.log()[before:]
		if !slices.Equal(got, []string{step.line}) {
			t.Errorf("log %q, want %q (the answer: %v)", got, step.line, err)
		}
		if (err == nil) != strings.HasSuffix(step.line, "|ok") {
			t.Errorf("%s: the answer was %v", step.line, err)
		}
	}
	list, err := o.AuditEntries(o.ctx, root, 0, catalog.AuditFilter{User: root.User.ID, Action: "login"}, 10)
	ok(t, err)
	if len(list) != 1 || list[0].Remote != from(60_000).Remote.String() || list[0].Request != "r60000" || list[0].Detail != "session=1" {
		t.Fatalf("got %+v", list)
	}
	report, err := o.VerifyAudit(o.ctx, root)
	ok(t, err)
	if report.Broken != 0 || report.Entries != int64(len(o.log())) || len(report.Head) != 64 {
		t.Fatalf("got %+v", report)
	}
}

// Anybody could fill the log with what nobody tried.
func TestNobodysAttemptsDoNotFillTheLog(t *testing.T) {
	o := newOffice(t)
	before := len(o.log())
	for range 20 {
		_, err := o.CreateCollection(o.ctx, from(1), "x")
		want(t, err, fault.Unauthenticated)
	}
	if n := len(o.log()); n != before {
		t.Fatalf("%d lines more", n-before)
	}
}

func TestWhatIsWrittenDownIsPlainAndShort(t *testing.T) {
	o := newOffice(t)
	c := Caller{Request: strings.Repeat("r", 500)}
	e := o.entry(c, "put", strings.Repeat("\u00e9", 5000), "ok", "a\x1b[31m\u202eb\nc\xff")
	if len(e.Object) > 1200 || len(e.Request) > 64 || !strings.HasSuffix(e.Object, "\u00e9...") {
		t.Fatalf("%d and %d bytes", len(e.Object), len(e.Request))
	}
	if e.Detail != "a?[31m?b?c?" || e.Actor != "nobody" || e.Remote != "" {
		t.Fatalf("got %+v", e)
	}
}

// forged is a catalog whose log somebody changed.
type forged struct {
	catalog.Catalog
	edit func([]catalog.Entry) []catalog.Entry
	head func(int64) int64
}

type forgedAudit struct {
	catalog.Audit
	by *forged
}

func (f *forged) View(ctx context.Context, do func(*catalog.Tx) error) error {
	return f.Catalog.View(ctx, func(tx *catalog.Tx) error {
		mine := *tx
		mine.Audit = forgedAudit{tx.Audit, f}
		return do(&mine)
	})
}

func (a forgedAudit) Entries(after int64, f catalog.AuditFilter, limit int) ([]catalog.Entry, error) {
	list, err := a.Audit.Entries(after, f, min(limit, 3)) // several pages
	if a.by.edit != nil {
		list = a.by.edit(list)
	}
	return list, err
}

func (a forgedAudit) Head() (seq int64, hash content.Hash, err error) {
	n, h, err := a.Audit.Head()
	if a.by.head != nil {
		n = a.by.head(n)
	}
	return n, h, err
}

func TestVerifyAuditFindsWhatWasChanged(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		_, err := o.CreateGroup(o.ctx, root, name)
		ok(t, err)
	}
	at := func(seq int64, change func(*catalog.Entry)) func([]catalog.Entry) []catalog.Entry {
		return func(list []catalog.Entry) []catalog.Entry {
			for i := range list {
				if list[i].Seq == seq {
					change(&list[i])
				}
			}
			return list
		}
	}
	for _, c := range []struct {
		name   string
		edit   func([]catalog.Entry) []catalog.Entry
		head   func(int64) int64
		broken int64
	}{
		{"a whole log is whole", nil, nil, 0},
		{"a changed word", at(3, func(e *catalog.Entry) { e.Object = "group z" }), nil, 3},
		{"another outcome", at(5, func(e *catalog.Entry) { e.Outcome = "role" }), nil, 5},
		{"another time", at(4, func(e *catalog.Entry) { e.Time = e.Time.Add(time.Hour) }), nil, 4},
		{"a line chained anew breaks the next", at(4, func(e *catalog.Entry) { e.Detail = "x"; e.Hash = e.Chain([32]byte{}) }), nil, 4},
		{"a line left out", func(list []catalog.Entry) []catalog.Entry {
			return slices.DeleteFunc(list, func(e catalog.Entry) bool { return e.Seq == 6 })
		}, nil, 6},
		{"the end left out", func(list []catalog.Entry) []catalog.Entry {
			return slices.DeleteFunc(list, func(e catalog.Entry) bool { return e.Seq > 6 })
		}, nil, 7},
		{"the end left out, and the head set back", nil, func(n int64) int64 { return n - 1 }, 7},
		{"a log emptied", func([]catalog.Entry) []catalog.Entry { return nil }, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := o.instance()
			s.cfg.Catalog = &forged{o.cat, c.edit, c.head}
			r, err := s.VerifyAudit(o.ctx, root)
			ok(t, err)
			if r.Broken != c.broken {
				t.Fatalf("got %+v, want %d", r, c.broken)
			}
		})
	}
}

// The vector of docs/protocol/audit.md, which was computed by another program.
func TestTheChainIsAsWrittenDown(t *testing.T) {
	e := catalog.Entry{
		Seq: 1, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), User: 1, Actor: "ann", Action: "login",
		Object: "user ann", Outcome: "ok", Remote: "192.0.2.7", Request: "r1", Detail: "session=1",
	}
	const hash = "6799e8f904467911a4eaeb66e049ffa11607077512f387e8ec648fe8a1f65e71"
	if got := fmt.Sprintf("%x", e.Chain(content.Hash{})); got != hash {
		t.Fatalf("got %s", got)
	}
	page, err := os.ReadFile("../../docs/protocol/audit.md")
	ok(t, err)
	if !strings.Contains(string(page), hash) {
		t.Fatal("the page has another hash")
	}
}

// Every action that this package writes is on the page, so that who reads the log can look it up.
func TestEveryActionIsWrittenDown(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol/audit.md")
	ok(t, err)
	sources, err := filepath.Glob("*.go")
	ok(t, err)
	call := regexp.MustCompile(`(?:s\.(?:entry|change|changeAccess|refuse|guarded|countFailure|allowed)\((?:ctx, )?(?:in|c|run\.c|b\.c), (?:policy\.\w+, )?|action := |transfer\(s, c, )"([a-z-]+)"`)
	found := make(map[string]bool)
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		ok(t, err)
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
			if !strings.Contains(string(page), "`"+m[1]+"`") {
				t.Errorf("%s writes %q, which is not on the page", name, m[1])
			}
		}
	}
	if len(found) < 25 {
		t.Fatalf("found only %d actions: %v", len(found), slices.Sorted(maps.Keys(found)))
	}
}
