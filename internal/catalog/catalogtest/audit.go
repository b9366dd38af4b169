package catalogtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

func testAudit(t *testing.T, open Open) {
	t.Run("entries are numbered without gaps and chained", func(t *testing.T) { auditChain(t, open(t)) })
	t.Run("an entry of an Update that failed leaves no gap", func(t *testing.T) { auditNoGap(t, open(t)) })
	t.Run("any text can be audited", func(t *testing.T) { auditText(t, open(t)) })
	t.Run("entries are found by user, action and time", func(t *testing.T) { auditFilter(t, open(t)) })
}

func entry(action string, user catalog.UserID, at time.Time) catalog.Entry {
	return catalog.Entry{
		Time: at, User: user, Actor: "ann", Action: action, Object: "photos/a.jpg", Outcome: "ok",
		Remote: "192.0.2.7", Request: "r1", Detail: "bytes=17",
	}
}

// entries returns the whole log, having followed its chain to the head.
func entries(t *testing.T, c catalog.Catalog) (all []catalog.Entry) {
	t.Helper()
	view(t, c, func(tx *catalog.Tx) (err error) {
		if all, err = tx.Audit.Entries(0, catalog.AuditFilter{}, 1<<20); err != nil {
			return err
		}
		var prev content.Hash
		for i, e := range all {
			if e.Seq != int64(i+1) || e.Chain(prev) != e.Hash {
				t.Fatalf("entry %d of %d does not follow: %+v", i+1, len(all), e)
			}
			prev = e.Hash
		}
		seq, head, err := tx.Audit.Head()
		if err != nil || seq != int64(len(all)) || head != prev {
			t.Fatalf("head %d, %v; %d entries", seq, err, len(all))
		}
		return nil
	})
	return all
}

func auditChain(t *testing.T, c catalog.Catalog) {
	if got := entries(t, c); len(got) != 0 {
		t.Fatalf("a new catalog has %d entries", len(got))
	}
	precise := entry("put", 0, day().Add(123)) // nanoseconds are not kept, and not hashed
	forged := entry("get", 0, time.Time{})
	forged.Seq, forged.Hash = 99, hash(1)
	update(t, c, func(tx *catalog.Tx) error {
		return tx.Audit.Append(entry("login", 7, day()), precise, forged)
	})
	update(t, c, func(tx *catalog.Tx) error { return tx.Audit.Append() })
	update(t, c, func(tx *catalog.Tx) error { return tx.Audit.Append(entry("logout", 7, day().Add(time.Hour))) })
	got := entries(t, c)
	if len(got) != 4 {
		t.Fatalf("%d entries", len(got))
	}
	want := entry("login", 7, day())
	want.Seq, want.Hash = 1, got[0].Hash
	same(t, "the first", got[0], nil, want)
	if !got[1].Time.Equal(day()) || !got[2].Time.IsZero() {
		t.Errorf("times %v, %v", got[1].Time, got[2].Time)
	}
}

func auditNoGap(t *testing.T, c catalog.Catalog) {
	failed := errors.New("failed")
	for range 3 {
		update(t, c, func(tx *catalog.Tx) error { return tx.Audit.Append(entry("put", 1, day())) })
		err := c.Update(context.Background(), func(tx *catalog.Tx) error {
			return errors.Join(tx.Audit.Append(entry("lost", 1, day())), failed)
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
	}
	if got := entries(t, c); len(got) != 3 {
		t.Fatalf("%d entries", len(got))
	}
}

func auditText(t *testing.T, c catalog.Catalog) {
	hostile := entry("login", 0, day())
	hostile.Actor, hostile.Object = "a\x00b", "\xff\xfe'); DROP TABLE audit; --\n"
	update(t, c, func(tx *catalog.Tx) error { return tx.Audit.Append(hostile) })
	got := entries(t, c)
	if len(got) != 1 || got[0].Actor != "a\uFFFDb" || got[0].Object != "\uFFFD'); DROP TABLE audit; --\n" {
		t.Fatalf("%+v", got)
	}
}

func auditFilter(t *testing.T, c catalog.Catalog) {
	update(t, c, func(tx *catalog.Tx) error {
		var all []catalog.Entry
		for i := range 20 {
			all = append(all, entry([]string{"put", "get"}[i%2], catalog.UserID(i%3), day().Add(time.Duration(i)*time.Hour)))
		}
		return tx.Audit.Append(all...)
	})
	for _, test := range []struct {
		name  string
		after int64
		f     catalog.AuditFilter
		limit int
		want  []int64
	}{
		{"of one user", 0, catalog.AuditFilter{User: 2}, 100, []int64{3, 6, 9, 12, 15, 18}},
		{"of one action behind an entry", 15, catalog.AuditFilter{Action: "get"}, 100, []int64{16, 18, 20}},
		{"since and until", 0, catalog.AuditFilter{Since: day().Add(3 * time.Hour), Until: day().Add(5 * time.Hour)}, 100, []int64{4, 5}},
		{"all at once", 3, catalog.AuditFilter{User: 1, Action: "put", Since: day(), Until: day().Add(15 * time.Hour)}, 100, []int64{5, 11}},
		{"no more than asked for", 7, catalog.AuditFilter{}, 2, []int64{8, 9}},
		{"behind the end", 20, catalog.AuditFilter{}, 2, nil},
	} {
		view(t, c, func(tx *catalog.Tx) error {
			found, err := tx.Audit.Entries(test.after, test.f, test.limit)
			var seqs []int64
			for _, e := range found {
				seqs = append(seqs, e.Seq)
			}
			same(t, test.name, seqs, err, test.want)
			return nil
		})
	}
}
