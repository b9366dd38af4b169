package sqlcat

import (
	"math"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

type quotas struct{ *tx }

func newQuotas(t *tx) catalog.Quotas { return quotas{t} }

// account is what counts against a quota.
type account struct{ quota, used, reserved int64 }

func readAccount(r row, a *account) error { return r.to(&a.quota, &a.used, &a.reserved) }

// room says whether n bytes more may be set aside. No bytes always may, also
// where a quota was lowered below what is used.
func (a account) room(n int64) error {
	if n == 0 {
		return nil
	}
	if n > math.MaxInt64-a.used-a.reserved {
		return fault.Errorf(fault.Quota, "%d bytes are too many", n)
	}
	if a.quota > 0 && a.used+a.reserved+n > a.quota {
		return fault.Errorf(fault.Quota, "%d bytes would pass the quota: %d of %d are used or reserved", n, a.used+a.reserved, a.quota)
	}
	return nil
}

// Reserve implements catalog.Quotas. Both are looked at before either is
// changed, so that a refusal leaves nothing behind.
func (t quotas) Reserve(user catalog.UserID, in catalog.CollectionID, n int64) error {
	if n < 0 {
		return fault.Errorf(fault.Invalid, "reserve %d bytes", n)
	}
	u, err := one(t.tx, readAccount, `SELECT quota, used, reserved FROM users WHERE id = ?`, user)
	if err != nil {
		return about(err, "reserve for user %d", user)
	}
	c, err := one(t.tx, readAccount, `SELECT quota, used, reserved FROM collections WHERE id = ?`, in)
	if err != nil {
		return about(err, "reserve in collection %d", in)
	}
	if err := u.room(n); err != nil {
		return about(err, "reserve for user %d", user)
	}
	if err := c.room(n); err != nil {
		return about(err, "reserve in collection %d", in)
	}
	return t.reserved(user, in, n)
}

func (t quotas) reserved(user catalog.UserID, in catalog.CollectionID, n int64) error {
	if n == 0 {
		return nil
	}
	if err := t.must(`UPDATE users SET reserved = reserved + ? WHERE id = ?`, n, user); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE collections SET reserved = reserved + ? WHERE id = ?`, n, in)
	return err
}

// Release implements catalog.Quotas. The collection may be gone by now.
func (t quotas) Release(user catalog.UserID, in catalog.CollectionID, n int64) error {
	u, err := one(t.tx, readAccount, `SELECT quota, used, reserved FROM users WHERE id = ?`, user)
	if err != nil {
		return about(err, "release of user %d", user)
	}
	c, err := one(t.tx, readAccount, `SELECT quota, used, reserved FROM collections WHERE id = ?`, in)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		c.reserved = math.MaxInt64
	case err != nil:
		return err
	}
	if n < 0 || n > u.reserved || n > c.reserved {
		return fault.Errorf(fault.Invalid, "release %d bytes of user %d in collection %d: fewer are reserved", n, user, in)
	}
	return t.reserved(user, in, -n)
}
