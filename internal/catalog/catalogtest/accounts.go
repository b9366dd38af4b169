package catalogtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// day is when the tests play.
func day() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC) }

func testAccounts(t *testing.T, open Open) {
	t.Run("a user is found by number and by name", func(t *testing.T) {
		c := open(t)
		want := catalog.User{Name: "Ann", Role: policy.Admin, Quota: 1 << 40, Created: day()}
		update(t, c, func(tx *catalog.Tx) (err error) {
			want.ID, err = tx.Accounts.CreateUser(want)
			return err
		})
		view(t, c, func(tx *catalog.Tx) error {
			got, err := tx.Accounts.User(want.ID)
			if err != nil || got != want {
				t.Errorf("User: %+v, %v; want %+v", got, err, want)
			}
			if got, err = tx.Accounts.UserByName("Ann"); err != nil || got != want {
				t.Errorf("UserByName: %+v, %v; want %+v", got, err, want)
			}
			return nil
		})
		err := c.Update(context.Background(), func(tx *catalog.Tx) error {
			_, err := tx.Accounts.CreateUser(catalog.User{Name: "aNN"})
			return err
		})
		if !errors.Is(err, fault.Exists) {
			t.Errorf("a name that differs in case only: %v", err)
		}
	})
}
