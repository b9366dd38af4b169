package sqlcat

import (
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

// audit implements catalog.Audit. Sequence and chain are right because
// Updates are serial over all instances.
type audit struct{ *tx }

const (
	entryColumns = "seq, at, usr, actor, action, object, outcome, remote, request, detail, hash"
	entryWidth   = 11
)

func readEntry(r row, e *catalog.Entry) error {
	var user int64
	err := r.to(&e.Seq, &e.Time, &user, &e.Actor, &e.Action, &e.Object, &e.Outcome, &e.Remote, &e.Request, &e.Detail, &e.Hash)
	e.User = catalog.UserID(user)
	return err
}

// Append takes any text: what was tried may not be, and is worth a line most of all.
func (a audit) Append(entries ...catalog.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	seq, head, err := a.Head()
	if err != nil {
		return err
	}
	values := make([]any, 0, entryWidth*len(entries))
	for _, e := range entries {
		seq++
		e.Seq, e.Time = seq, stamp(e.Time)
		for _, s := range []*string{&e.Actor, &e.Action, &e.Object, &e.Outcome, &e.Remote, &e.Request, &e.Detail} {
			*s = legible(*s)
		}
		head = e.Chain(head)
		values = append(values, e.Seq, e.Time.UnixMicro(), int64(e.User), e.Actor, e.Action, e.Object, e.Outcome,
			e.Remote, e.Request, e.Detail, head)
	}
	if err := a.rows("INSERT INTO audit ("+entryColumns+") VALUES ", entryWidth, values); err != nil {
		return about(err, "audit entries up to %d", seq)
	}
	return a.must("UPDATE audit_head SET seq = ?, hash = ?", seq, head)
}

// stamp returns t as it comes back from the database, so that the chain holds.
func stamp(t time.Time) time.Time { return instant(micros(t)) }

// legible returns s with a replacement character for what not every engine can hold.
func legible(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func (a audit) Entries(after int64, f catalog.AuditFilter, limit int) ([]catalog.Entry, error) {
	query := "SELECT " + entryColumns + " FROM audit WHERE seq > ?"
	args := []any{after}
	if f.User != 0 {
		query, args = query+" AND usr = ?", append(args, f.User)
	}
	if f.Action != "" {
		query, args = query+" AND action = ?", append(args, f.Action)
	}
	if !f.Since.IsZero() {
		query, args = query+" AND at >= ?", append(args, f.Since)
	}
	if !f.Until.IsZero() {
		query, args = query+" AND at < ?", append(args, f.Until)
	}
	return list(a.tx, readEntry, query+" ORDER BY seq LIMIT ?", append(args, max(limit, 0))...)
}

func (a audit) Head() (seq int64, hash content.Hash, err error) {
	err = a.scan(into{&seq, &hash}, "SELECT seq, hash FROM audit_head")
	return seq, hash, err
}
