package catalogtest

import (
	"errors"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func testSessions(t *testing.T, open Open) {
	t.Run("a session is found by its hash until it ends", func(t *testing.T) { sessions(t, open(t)) })
	t.Run("using a session moves its end", func(t *testing.T) { sessionSlides(t, open(t)) })
	t.Run("a token is found by its hash until it is deleted", func(t *testing.T) { tokens(t, open(t)) })
	t.Run("the epoch counts what ends access", func(t *testing.T) { epoch(t, open(t)) })
}

func session(user catalog.UserID, n byte) catalog.Session {
	return catalog.Session{
		Hash: hash(n), User: user, Created: day(), Seen: day(), Expires: day().Add(time.Duration(n) * time.Hour),
		Agent: "tandem/1 <b>", Remote: "192.0.2.7",
	}
}

func sessions(t *testing.T, c catalog.Catalog) {
	ann, bob := addUser(t, c, "ann"), addUser(t, c, "bob")
	var all []catalog.Session
	update(t, c, func(tx *catalog.Tx) (err error) {
		all = nil
		for i, user := range []catalog.UserID{ann, ann, ann, bob} {
			s := session(user, byte(i+1))
			if s.ID, err = tx.Sessions.CreateSession(s); err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Sessions.Session(hash(2))
		same(t, "Session", got, err, all[1])
		of, err := tx.Sessions.SessionsOf(ann)
		same(t, "SessionsOf", of, err, []catalog.Session{all[2], all[1], all[0]})
		if _, err := tx.Sessions.Session(hash(99)); !errors.Is(err, fault.NotFound) {
			t.Errorf("absent: %v", err)
		}
		return nil
	})
	refuse(t, c, "ending another's session", fault.NotFound, func(tx *catalog.Tx) error { return tx.Sessions.EndSession(bob, all[0].ID) })
	refuse(t, c, "the same secret", fault.Exists, func(tx *catalog.Tx) error { return second(tx.Sessions.CreateSession(session(bob, 1))) })
	refuse(t, c, "a session of nobody", fault.NotFound, func(tx *catalog.Tx) error { return second(tx.Sessions.CreateSession(session(99, 9))) })
	update(t, c, func(tx *catalog.Tx) error { return tx.Sessions.EndSession(ann, all[0].ID) })
	update(t, c, func(tx *catalog.Tx) error { return tx.Sessions.EndSessionsOf(ann, all[2].ID) })
	left := func(what string, user catalog.UserID, want []catalog.Session) {
		t.Helper()
		view(t, c, func(tx *catalog.Tx) error {
			got, err := tx.Sessions.SessionsOf(user)
			same(t, what, got, err, want)
			return nil
		})
	}
	left("all ended but one", ann, all[2:3])
	left("another's", bob, all[3:])
	update(t, c, func(tx *catalog.Tx) error { return tx.Sessions.SweepSessions(all[2].Expires) })
	left("expired", ann, nil)
	left("not expired", bob, all[3:])
}

func sessionSlides(t *testing.T, c catalog.Catalog) {
	want := session(addUser(t, c, "ann"), 1)
	later := want.Seen.Add(10 * time.Minute)
	update(t, c, func(tx *catalog.Tx) (err error) {
		if want.ID, err = tx.Sessions.CreateSession(want); err != nil {
			return err
		}
		return tx.Sessions.TouchSession(want.ID, later)
	})
	want.Seen, want.Expires = later, want.Expires.Add(10*time.Minute)
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Sessions.Session(want.Hash)
		same(t, "Session", got, err, want)
		return nil
	})
	refuse(t, c, "absent", fault.NotFound, func(tx *catalog.Tx) error { return tx.Sessions.TouchSession(99, later) })
}

func tokens(t *testing.T, c catalog.Catalog) {
	ann, bob := addUser(t, c, "ann"), addUser(t, c, "bob")
	first := catalog.Token{Hash: hash(1), User: ann, Name: "CI", Limit: policy.Read | policy.List, Server: true, Created: day()}
	next := catalog.Token{Hash: hash(2), User: ann, Name: "CI", Limit: policy.AllRights, Created: day(), Expires: day().Add(time.Hour)}
	update(t, c, func(tx *catalog.Tx) (err error) {
		if first.ID, err = tx.Sessions.CreateToken(first); err != nil {
			return err
		}
		next.ID, err = tx.Sessions.CreateToken(next)
		return err
	})
	update(t, c, func(tx *catalog.Tx) error { return tx.Sessions.TouchToken(next.ID, day().Add(time.Minute)) })
	next.Seen = day().Add(time.Minute)
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Sessions.Token(hash(1))
		same(t, "Token", got, err, first)
		of, err := tx.Sessions.TokensOf(ann)
		same(t, "TokensOf", of, err, []catalog.Token{next, first})
		return nil
	})
	refuse(t, c, "deleting another's token", fault.NotFound, func(tx *catalog.Tx) error { return tx.Sessions.DeleteToken(bob, first.ID) })
	refuse(t, c, "touching an absent token", fault.NotFound, func(tx *catalog.Tx) error { return tx.Sessions.TouchToken(99, day()) })
	update(t, c, func(tx *catalog.Tx) error { return tx.Sessions.DeleteToken(ann, first.ID) })
	view(t, c, func(tx *catalog.Tx) error {
		if _, err := tx.Sessions.Token(hash(1)); !errors.Is(err, fault.NotFound) {
			t.Errorf("deleted: %v", err)
		}
		return nil
	})
}

func epoch(t *testing.T, c catalog.Catalog) {
	ann := addUser(t, c, "ann")
	var s, k int64
	read := func() (n int64) {
		view(t, c, func(tx *catalog.Tx) (err error) {
			n, err = tx.Sessions.Epoch()
			return err
		})
		return n
	}
	last := read()
	for _, step := range []struct {
		name  string
		moves bool
		f     func(tx *catalog.Tx) error
	}{
		{"signing in", false, func(tx *catalog.Tx) (err error) {
			s, err = tx.Sessions.CreateSession(session(ann, 1))
			return err
		}},
		{"a new token", false, func(tx *catalog.Tx) (err error) {
			k, err = tx.Sessions.CreateToken(catalog.Token{Hash: hash(1), User: ann})
			return err
		}},
		{"nothing to end", false, func(tx *catalog.Tx) error { return tx.Sessions.EndSessionsOf(ann, s) }},
		{"ending a session", true, func(tx *catalog.Tx) error { return tx.Sessions.EndSession(ann, s) }},
		{"deleting a token", true, func(tx *catalog.Tx) error { return tx.Sessions.DeleteToken(ann, k) }},
		{"Bump", true, func(tx *catalog.Tx) error { return tx.Sessions.Bump() }},
	} {
		update(t, c, step.f)
		now := read()
		if (now > last) != step.moves {
			t.Errorf("%s: epoch from %d to %d", step.name, last, now)
		}
		last = now
	}
}

func testAttempts(t *testing.T, open Open) {
	c := open(t)
	add := func(key string, at time.Time, want int) {
		t.Helper()
		update(t, c, func(tx *catalog.Tx) error {
			got, err := tx.Attempts.AddAttempt(key, at)
			same(t, "AddAttempt "+key, got, err, catalog.Attempt{Count: want, Last: at})
			return err
		})
	}
	read := func(key string, want catalog.Attempt) {
		t.Helper()
		view(t, c, func(tx *catalog.Tx) error {
			got, err := tx.Attempts.Attempt(key)
			same(t, "Attempt "+key, got, err, want)
			return nil
		})
	}
	read("login-user/ann", catalog.Attempt{})
	add("login-user/ann", day(), 1)
	add("login-user/ann", day().Add(time.Second), 2)
	add("login-user/bob", day().Add(time.Hour), 1)
	read("login-user/ann", catalog.Attempt{Count: 2, Last: day().Add(time.Second)})
	update(t, c, func(tx *catalog.Tx) error { return tx.Attempts.SweepAttempts(day().Add(time.Minute)) })
	read("login-user/ann", catalog.Attempt{})
	read("login-user/bob", catalog.Attempt{Count: 1, Last: day().Add(time.Hour)})
	update(t, c, func(tx *catalog.Tx) error { return tx.Attempts.ClearAttempts("login-user/bob") })
	update(t, c, func(tx *catalog.Tx) error { return tx.Attempts.ClearAttempts("login-user/bob") }) // silent
	read("login-user/bob", catalog.Attempt{})
}

func testSettings(t *testing.T, open Open) {
	c := open(t)
	set := func(value string) {
		t.Helper()
		update(t, c, func(tx *catalog.Tx) error { return tx.Settings.Set("setup", value) })
	}
	read := func(want string, kind error) {
		t.Helper()
		view(t, c, func(tx *catalog.Tx) error {
			got, err := tx.Settings.Get("setup")
			if got != want || !errors.Is(err, kind) {
				t.Errorf("Get: %q, %v; want %q, %v", got, err, want, kind)
			}
			return nil
		})
	}
	read("", fault.NotFound)
	set("one")
	set("two")
	read("two", nil)
	set("")
	read("", fault.NotFound)
	set("") // silent
}
