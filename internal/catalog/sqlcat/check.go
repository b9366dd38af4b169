package sqlcat

import (
	"context"
	"fmt"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

// mostFindings is how many a check returns; where so much is wrong, the next
// one tells nothing new.
const mostFindings = 20

// check looks for one thing that never may be and returns a sentence for each finding.
type check func(*tx) ([]string, error)

// Check implements catalog.Catalog.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	var found []string
	err := db.view(ctx, func(t *tx) error {
		t.long = true
		engine, err := db.dialect.Inspect(ctx, t.session.conn)
		if err != nil {
			return t.judge(err)
		}
		found = engine
		for _, look := range checks() {
			more, err := look(t)
			if err != nil {
				return err
			}
			found = append(found, more...)
		}
		return nil
	})
	if err != nil {
		return nil, about(err, "check")
	}
	return found, nil
}

func accountChecks() []check { return []check{checkOnes, checkIDs, checkFolded, checkAudit} }

// checkOnes looks for counters that are not there once.
func checkOnes(t *tx) (found []string, err error) {
	for _, name := range []string{"changes", "access", "audit_head"} {
		var n int
		if err := t.scan(into{&n}, "SELECT COUNT(*) FROM "+name); err != nil {
			return nil, err
		}
		if n != 1 {
			found = append(found, fmt.Sprintf("table %s has %d rows instead of one", name, n))
		}
	}
	return found, nil
}

// checkIDs looks for ids that would be given again.
func checkIDs(t *tx) (found []string, err error) {
	for _, tb := range tables() {
		if !tb.ids {
			continue
		}
		var highest, last int64
		if err := t.scan(into{&highest}, "SELECT COALESCE(MAX(id), 0) FROM "+tb.name); err != nil {
			return nil, err
		}
		if err := t.scan(into{&last}, t.db.dialect.LastID(tb.name)); err != nil {
			return nil, err
		}
		if highest > last {
			found = append(found, fmt.Sprintf("table %s has the id %d, but ids go on behind %d", tb.name, highest, last))
		}
	}
	return found, nil
}

// checkFolded looks for names whose folded form, which keeps them unique, is another's.
func checkFolded(t *tx) (found []string, err error) {
	for _, name := range []string{"users", "groups"} {
		err := t.each(false, func(r row) (bool, error) {
			var plain, folded string
			err := r.to(&plain, &folded)
			if fold(plain) != folded {
				found = append(found, fmt.Sprintf("%s: %q is folded to %q", name, plain, folded))
			}
			return len(found) < mostFindings, err
		}, "SELECT name, folded FROM "+name, nil)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// checkAudit follows the chain of the audit log from its first entry.
func checkAudit(t *tx) (found []string, err error) {
	const page = 1000
	log := audit{t}
	var seq int64
	var hash content.Hash
	for {
		entries, err := log.Entries(seq, catalog.AuditFilter{}, page)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Seq != seq+1 {
				return append(found, fmt.Sprintf("audit: entry %d follows %d", e.Seq, seq)), nil
			}
			if e.Chain(hash) != e.Hash {
				return append(found, fmt.Sprintf("audit: entry %d does not fit the one before it", e.Seq)), nil
			}
			seq, hash = e.Seq, e.Hash
		}
		if len(entries) < page {
			break
		}
	}
	headSeq, headHash, err := log.Head()
	if err != nil {
		return nil, err
	}
	if headSeq != seq || headHash != hash {
		found = append(found, fmt.Sprintf("audit: the log ends at entry %d, but should at %d", seq, headSeq))
	}
	return found, nil
}
