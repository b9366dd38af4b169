package sqlcat

import (
	"errors"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// attempts implements catalog.Attempts.
type attempts struct{ *tx }

func readAttempt(r row, a *catalog.Attempt) error { return r.to(&a.Count, &a.Last) }

func (a attempts) Attempt(key string) (catalog.Attempt, error) {
	v, err := one(a.tx, readAttempt, "SELECT tries, last FROM attempts WHERE name = ?", key)
	if errors.Is(err, fault.NotFound) {
		return v, nil
	}
	return v, err
}

func (a attempts) AddAttempt(key string, now time.Time) (catalog.Attempt, error) {
	var v catalog.Attempt
	err := a.change(into{&v.Count, &v.Last}, `INSERT INTO attempts (name, tries, last) VALUES (?, 1, ?)
		ON CONFLICT (name) DO UPDATE SET tries = attempts.tries + 1, last = excluded.last RETURNING tries, last`, key, now)
	return v, err
}

func (a attempts) ClearAttempts(key string) error {
	_, err := a.exec("DELETE FROM attempts WHERE name = ?", key)
	return err
}

func (a attempts) SweepAttempts(before time.Time) error {
	_, err := a.exec("DELETE FROM attempts WHERE last < ?", before)
	return err
}
