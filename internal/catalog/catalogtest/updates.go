package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

func testUpdates(t *testing.T, open Open) {
	t.Run("a thousand Updates at once leave what did not fail", func(t *testing.T) { thousandUpdates(t, open(t)) })
	t.Run("an Update that was given up while it waited never runs", func(t *testing.T) { givenUp(t, open(t)) })
	t.Run("an Update that runs is waited for", func(t *testing.T) { waitedFor(t, open(t)) })
	t.Run("a View sees one state while Updates go on", func(t *testing.T) { oneState(t, open(t)) })
	t.Run("a View does not write", func(t *testing.T) { viewReads(t, open(t)) })
	t.Run("roles are of no use when their function has returned", func(t *testing.T) { rolesEnd(t, open(t)) })
	t.Run("Changed moves with every commit that did something", func(t *testing.T) { changed(t, open(t)) })
	t.Run("a closed catalog says so", func(t *testing.T) { closed(t, open(t)) })
}

// thousandUpdates lets some fail, some panic and some leave by runtime.Goexit, all
// after they have written.
func thousandUpdates(t *testing.T, c catalog.Catalog) {
	const n = 1000
	failed := errors.New("failed")
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = fmt.Errorf("panic: %v", v)
				}
			}()
			errs[i] = failed // of the one that leaves
			errs[i] = c.Update(context.Background(), func(tx *catalog.Tx) error {
				name := fmt.Sprintf("user%04d", i)
				if _, err := tx.Accounts.CreateUser(catalog.User{Name: name, Created: day()}); err != nil {
					return err
				}
				if err := tx.Audit.Append(entry("create", 0, day())); err != nil {
					return err
				}
				switch {
				case i%100 == 7:
					panic(name)
				case i%100 == 8:
					runtime.Goexit()
				case i%10 == 3:
					return failed
				}
				return nil
			})
		})
	}
	all.Wait()
	want := 0
	view(t, c, func(tx *catalog.Tx) error {
		for i := range n {
			fails := i%100 == 7 || i%100 == 8 || i%10 == 3
			_, err := tx.Accounts.UserByName(fmt.Sprintf("user%04d", i))
			if there := err == nil; there == fails || (errs[i] == nil) == fails {
				t.Errorf("user %d: there %v, Update said %v", i, there, errs[i])
			}
			if !fails {
				want++
			}
		}
		return nil
	})
	if got := entries(t, c); len(got) != want {
		t.Errorf("%d audit entries of %d", len(got), want)
	}
}

// occupy keeps the writer busy until free is called.
func occupy(t *testing.T, c catalog.Catalog) (free func()) {
	t.Helper()
	runs, gate, done := make(chan struct{}, 2), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- c.Update(context.Background(), func(*catalog.Tx) error {
			runs <- struct{}{}
			<-gate
			return nil
		})
	}()
	<-runs
	return func() {
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func givenUp(t *testing.T, c catalog.Catalog) {
	free := occupy(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() {
		result <- c.Update(ctx, func(tx *catalog.Tx) error {
			t.Error("it ran")
			return nil
		})
	}()
	cancel()
	if err := <-result; !errors.Is(err, fault.Closed) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	free()
	update(t, c, func(*catalog.Tx) error { return nil })
}

func waitedFor(t *testing.T, c catalog.Catalog) {
	ctx, cancel := context.WithCancel(context.Background())
	err := c.Update(ctx, func(tx *catalog.Tx) error {
		cancel()
		return tx.Settings.Set("a", "b")
	})
	if err != nil {
		t.Fatal(err)
	}
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Settings.Get("a")
		same(t, "setting", got, err, "b")
		return nil
	})
}

func oneState(t *testing.T, c catalog.Catalog) {
	read := func(tx *catalog.Tx, want string) {
		t.Helper()
		got, err := tx.Settings.Get("a")
		same(t, "setting", got, err, want)
	}
	set := func(value string) {
		t.Helper()
		update(t, c, func(tx *catalog.Tx) error { return tx.Settings.Set("a", value) })
	}
	set("before")
	view(t, c, func(tx *catalog.Tx) error {
		read(tx, "before")
		set("after")
		read(tx, "before")
		view(t, c, func(tx *catalog.Tx) error { // beside the first
			read(tx, "after")
			return nil
		})
		return nil
	})
}

func viewReads(t *testing.T, c catalog.Catalog) {
	err := c.View(context.Background(), func(tx *catalog.Tx) error {
		if err := tx.Settings.Set("a", "b"); err == nil {
			t.Error("Set in a View")
		}
		if _, err := tx.Accounts.CreateUser(catalog.User{Name: "ann"}); err == nil {
			t.Error("CreateUser in a View")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	view(t, c, func(tx *catalog.Tx) error {
		if _, err := tx.Settings.Get("a"); !errors.Is(err, fault.NotFound) {
			t.Errorf("Get: %v", err)
		}
		return nil
	})
}

func rolesEnd(t *testing.T, c catalog.Catalog) {
	var kept []*catalog.Tx
	keep := func(tx *catalog.Tx) error {
		kept = append(kept, tx)
		return nil
	}
	update(t, c, keep)
	view(t, c, keep)
	for i, tx := range kept {
		if _, err := tx.Accounts.User(1); !errors.Is(err, fault.Closed) {
			t.Errorf("transaction %d reads: %v", i, err)
		}
		if err := tx.Settings.Set("a", "b"); !errors.Is(err, fault.Closed) {
			t.Errorf("transaction %d writes: %v", i, err)
		}
	}
}

func changed(t *testing.T, c catalog.Catalog) {
	ctx := context.Background()
	read := func() int64 {
		n, err := c.Changed(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	last := read()
	for _, step := range []struct {
		name  string
		moves bool
		run   func() error
	}{
		{"a change", true, func() error {
			return c.Update(ctx, func(tx *catalog.Tx) error { return tx.Settings.Set("a", "b") })
		}},
		{"an Update that only reads", false, func() error {
			return c.Update(ctx, func(tx *catalog.Tx) error { return second(tx.Accounts.Users("", 1)) })
		}},
		{"an Update that finds nothing to do", false, func() error {
			return c.Update(ctx, func(tx *catalog.Tx) error { return tx.Attempts.ClearAttempts("nobody") })
		}},
		{"an Update that fails", false, func() error {
			err := c.Update(ctx, func(tx *catalog.Tx) error { return errors.Join(tx.Settings.Set("a", "c"), fault.Quota) })
			if !errors.Is(err, fault.Quota) {
				return fmt.Errorf("want a quota error, got %w", err)
			}
			return nil
		}},
		{"Probe", false, func() error { return c.Probe(ctx) }},
		{"a View", false, func() error { return c.View(ctx, func(tx *catalog.Tx) error { return nil }) }},
		{"another change", true, func() error {
			return c.Update(ctx, func(tx *catalog.Tx) error { return tx.Sessions.Bump() })
		}},
	} {
		if err := step.run(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		now := read()
		if (now > last) != step.moves || now < last {
			t.Errorf("%s: from %d to %d", step.name, last, now)
		}
		last = now
	}
}

func closed(t *testing.T, c catalog.Catalog) {
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	_, errChanged := c.Changed(ctx)
	never := func(*catalog.Tx) error { t.Error("it ran"); return nil }
	for name, err := range map[string]error{
		"View": c.View(ctx, never), "Update": c.Update(ctx, never), "Probe": c.Probe(ctx), "Changed": errChanged,
	} {
		if !errors.Is(err, fault.Closed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Errorf("closed once more: %v", err)
	}
}

// Instances holds two catalogs over one database to what is promised of all
// instances together.
func Instances(t *testing.T, a, b catalog.Catalog) {
	ctx := context.Background()
	before, err := b.Changed(ctx)
	if err != nil {
		t.Fatal(err)
	}
	update(t, a, func(tx *catalog.Tx) error { return tx.Settings.Set("n", "0") })
	if after, err := b.Changed(ctx); err != nil || after <= before {
		t.Errorf("a change of one is seen by the other: from %d to %d, %v", before, after, err)
	}
	const each, times = 4, 25
	var all sync.WaitGroup
	for range each {
		for _, c := range []catalog.Catalog{a, b} {
			all.Go(func() {
				for range times {
					if err := c.Update(ctx, increment); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	for _, c := range []catalog.Catalog{a, b} {
		view(t, c, func(tx *catalog.Tx) error {
			got, err := tx.Settings.Get("n")
			same(t, "no Updates overlap", got, err, strconv.Itoa(2*each*times))
			return nil
		})
		if got := entries(t, c); len(got) != 2*each*times {
			t.Errorf("%d audit entries", len(got))
		}
	}
}

// increment adds one to a setting, the long way.
func increment(tx *catalog.Tx) error {
	text, err := tx.Settings.Get("n")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	return errors.Join(tx.Settings.Set("n", strconv.Itoa(n+1)), tx.Audit.Append(entry("increment", 0, day())))
}
