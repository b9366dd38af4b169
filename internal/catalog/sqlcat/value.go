package sqlcat

import (
	"strings"
	"time"
	"unicode/utf8"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// number is the kinds of whole numbers that columns hold.
type number interface {
	~int | ~int64 | ~uint8
}

// value returns the database's form of an argument: times are microseconds
// since 1970 and 0 for the zero Time, durations microseconds, truth is 0 or 1,
// the id 0 is NULL so that it may stand in a foreign key, so are no bytes and the
// zero SHA-1, a hash, peer ID or source is its bytes.
func value(a any) (any, error) {
	switch a := a.(type) {
	case string:
		return a, checkText(a)
	case int64, nil:
		return a, nil
	case []byte:
		if len(a) == 0 { // engines differ in what comes back
			return nil, nil
		}
		return a, nil
	case int:
		return int64(a), nil
	case bool:
		if a {
			return int64(1), nil
		}
		return int64(0), nil
	case time.Time:
		return micros(a), nil
	case time.Duration:
		return a.Microseconds(), nil
	case content.Hash:
		return a[:], nil
	case content.SHA1:
		if a.IsZero() {
			return nil, nil
		}
		return a[:], nil
	case peer.ID:
		return a[:], nil
	case capability.Source:
		return a[:], nil
	case catalog.UserID:
		return ref(a), nil
	case catalog.GroupID:
		return ref(a), nil
	case catalog.CollectionID:
		return ref(a), nil
	case catalog.NodeID:
		return ref(a), nil
	case catalog.VersionID:
		return ref(a), nil
	case catalog.LinkID:
		return ref(a), nil
	case policy.Role:
		return int64(a), nil
	case policy.Rights:
		return int64(a), nil
	case catalog.ContentState:
		return int64(a), nil
	case catalog.TorrentState:
		return int64(a), nil
	case peer.Audience:
		return int64(a), nil
	case catalog.CredentialKind:
		return string(a), checkText(string(a))
	case catalog.LinkKind:
		return string(a), checkText(string(a))
	}
	return nil, fault.Errorf(fault.Other, "no column holds a %T", a)
}

// checkText refuses what not every engine can hold.
func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return fault.Errorf(fault.Invalid, "%.80q is not text", s)
	}
	return nil
}

func ref[T ~int64](id T) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// target returns where database/sql puts a column that belongs into d. NULL is
// the zero value.
func target(d any) any {
	switch d := d.(type) {
	case *bool:
		return truth{d}
	case *time.Time:
		return clock{d}
	case *time.Duration:
		return span{d}
	case *content.Hash:
		return digest(d[:])
	case *content.SHA1:
		return digest(d[:])
	case *peer.ID:
		return digest(d[:])
	case *capability.Source:
		return digest(d[:])
	case *int:
		return count[int]{d}
	case *int64:
		return count[int64]{d}
	case *catalog.UserID:
		return count[catalog.UserID]{d}
	case *catalog.GroupID:
		return count[catalog.GroupID]{d}
	case *catalog.CollectionID:
		return count[catalog.CollectionID]{d}
	case *catalog.NodeID:
		return count[catalog.NodeID]{d}
	case *catalog.VersionID:
		return count[catalog.VersionID]{d}
	case *catalog.LinkID:
		return count[catalog.LinkID]{d}
	case *policy.Role:
		return count[policy.Role]{d}
	case *policy.Rights:
		return count[policy.Rights]{d}
	case *catalog.ContentState:
		return count[catalog.ContentState]{d}
	case *catalog.TorrentState:
		return count[catalog.TorrentState]{d}
	case *peer.Audience:
		return count[peer.Audience]{d}
	}
	return d // *string, *[]byte and the named texts
}

type (
	truth           struct{ to *bool }
	clock           struct{ to *time.Time }
	span            struct{ to *time.Duration }
	digest          []byte
	count[T number] struct{ to *T }
)

func integer(src any) (int64, error) {
	switch v := src.(type) {
	case int64:
		return v, nil
	case nil:
		return 0, nil
	}
	return 0, fault.Errorf(fault.Corrupt, "a %T where a number belongs", src)
}

// Scan makes a truth a sql.Scanner.
func (t truth) Scan(src any) error {
	n, err := integer(src)
	*t.to = n != 0
	return err
}

// Scan makes a clock a sql.Scanner.
func (c clock) Scan(src any) error {
	n, err := integer(src)
	*c.to = instant(n)
	return err
}

// Scan makes a span a sql.Scanner.
func (s span) Scan(src any) error {
	n, err := integer(src)
	*s.to = time.Duration(n) * time.Microsecond
	return err
}

// Scan makes a count a sql.Scanner.
func (c count[T]) Scan(src any) error {
	n, err := integer(src)
	*c.to = T(n)
	return err
}

// Scan makes a digest a sql.Scanner.
func (d digest) Scan(src any) error {
	clear(d)
	if src == nil {
		return nil
	}
	b, ok := src.([]byte)
	if !ok || len(b) != len(d) {
		return fault.Errorf(fault.Corrupt, "%d bytes where %d belong", len(b), len(d))
	}
	copy(d, b)
	return nil
}
