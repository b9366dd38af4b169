package catalogtest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/policy"
)

// Benchmark measures what every request costs: one small Update, many that wait
// at once, and a View of two point queries. c is empty.
func Benchmark(b *testing.B, c catalog.Catalog) {
	ctx := context.Background()
	var ann catalog.UserID
	err := c.Update(ctx, func(tx *catalog.Tx) (err error) {
		if ann, err = tx.Accounts.CreateUser(catalog.User{Name: "ann", Role: policy.Admin}); err != nil {
			return err
		}
		_, err = tx.Sessions.CreateSession(session(ann, 1))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	add := func() error {
		key := strconv.FormatInt(n.Add(1)%1000, 10)
		return c.Update(ctx, func(tx *catalog.Tx) error { return tx.Settings.Set(key, "value") })
	}
	b.Run("update", func(b *testing.B) {
		for b.Loop() {
			if err := add(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("update, 64 at once", func(b *testing.B) {
		var all sync.WaitGroup
		var left atomic.Int64
		left.Store(int64(b.N))
		for range 64 {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					if err := add(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	})
	b.Run("view of two", func(b *testing.B) {
		for b.Loop() {
			err := c.View(ctx, func(tx *catalog.Tx) error {
				s, err := tx.Sessions.Session(hash(1))
				if err != nil {
					return err
				}
				_, err = tx.Accounts.User(s.User)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("changed", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Changed(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("audit, 64 an update", func(b *testing.B) {
		set := make([]catalog.Entry, 64)
		for i := range set {
			set[i] = entry("put", ann, day())
		}
		for b.Loop() {
			if err := c.Update(ctx, func(tx *catalog.Tx) error { return tx.Audit.Append(set...) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
