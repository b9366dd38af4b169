package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/test/engines"
)

func TestADatabaseThatIsAwayIsSaidSoUntilItIsBack(t *testing.T) {
	pg := engines.Cluster(t)
	c := openAt(t, pg.Database(t))
	ctx := t.Context()
	set := func(value string) error {
		return c.Update(ctx, func(tx *catalog.Tx) error { return tx.Settings.Set("a", value) })
	}
	get := func() (value string, err error) {
		err = c.View(ctx, func(tx *catalog.Tx) (err error) {
			value, err = tx.Settings.Get("a")
			return err
		})
		return value, err
	}
	if err := set("before"); err != nil {
		t.Fatal(err)
	}
	if got, err := get(); err != nil || got != "before" {
		t.Fatalf("before: %q, %v", got, err)
	}
	pg.Stop()
	start := time.Now()
	_, viewed := get()
	_, changed := c.Changed(ctx)
	for what, err := range map[string]error{"Update": set("lost"), "View": viewed, "Changed": changed, "Probe": c.Probe(ctx)} {
		if !errors.Is(err, fault.Unreachable) {
			t.Errorf("away: %s: %v", what, err)
		}
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v to say so", d)
	}
	pg.Start(t)
	if got, err := get(); err != nil || got != "before" {
		t.Errorf("back: %q, %v", got, err)
	}
	if err := c.Probe(ctx); err != nil {
		t.Error(err)
	}
}

// kill ends every connection to the database from outside.
func kill(t *testing.T, url string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
}

func TestAnUpdateWhoseConnectionBreaksRunsOnceMore(t *testing.T) {
	url := engines.Postgres(t)
	c := openAt(t, url)
	runs := 0
	err := c.Update(t.Context(), func(tx *catalog.Tx) error {
		if err := tx.Audit.Append(catalog.Entry{Action: "put"}); err != nil {
			return err
		}
		if runs++; runs == 1 {
			kill(t, url)
		}
		return nil
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs, %v", runs, err)
	}
	err = c.Update(t.Context(), func(tx *catalog.Tx) error {
		kill(t, url)
		return tx.Audit.Append(catalog.Entry{Action: "put"})
	})
	if !errors.Is(err, fault.Unreachable) {
		t.Errorf("broken every time: %v", err)
	}
	head := func() (seq int64) {
		err := c.View(t.Context(), func(tx *catalog.Tx) (err error) {
			seq, _, err = tx.Audit.Head()
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return seq
	}
	if n := head(); n != 1 {
		t.Errorf("%d entries", n)
	}
	kill(t, url) // connections that wait in the pool are dead now, which nobody notices
	if n := head(); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestALostViewIsSaidSo(t *testing.T) {
	url := engines.Postgres(t)
	c := openAt(t, url)
	err := c.View(t.Context(), func(tx *catalog.Tx) error {
		kill(t, url)
		_, err := tx.Accounts.Users("", 1)
		return err
	})
	if !errors.Is(err, fault.Unreachable) {
		t.Errorf("View: %v", err)
	}
	if err := c.View(t.Context(), func(*catalog.Tx) error { return nil }); err != nil {
		t.Errorf("the next: %v", err)
	}
}

// cutter passes connections on to a database and cuts those that commit, before or
// after the database has heard of it.
type cutter struct {
	real   string // socket
	before atomic.Bool
	after  atomic.Bool
	cuts   atomic.Int32
	all    sync.WaitGroup
}

// cut starts a cutter in front of the database at url.
func cut(t *testing.T, to string) (c *cutter, through string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cut") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	name := ".s.PGSQL." + q.Get("port")
	c = &cutter{real: filepath.Join(q.Get("host"), name)}
	l, err := net.Listen("unix", filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	c.all.Go(func() { c.serve(l) })
	t.Cleanup(func() {
		l.Close()
		c.all.Wait()
		os.RemoveAll(dir)
	})
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	return c, u.String()
}

func (c *cutter) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", c.real)
		if err != nil {
			client.Close()
			continue
		}
		c.all.Go(func() { c.pass(client, server) })
	}
}

func (c *cutter) pass(client, server net.Conn) {
	defer server.Close()
	defer client.Close()
	var deaf atomic.Bool // the client hears no more
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer client.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := server.Read(buffer)
			if err != nil || deaf.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			break
		}
		commits := bytes.Contains(buffer[:n], []byte("COMMIT\x00"))
		if commits && c.before.CompareAndSwap(true, false) {
			c.cuts.Add(1)
			break
		}
		last := commits && c.after.CompareAndSwap(true, false)
		deaf.Store(last)
		if _, err := server.Write(buffer[:n]); err != nil {
			break
		}
		if last {
			c.cuts.Add(1)
			<-done // the answer was read, and dropped
			return
		}
	}
	server.Close()
	<-done
}

func TestACommitWhoseAnswerIsLostCountsOnce(t *testing.T) {
	for name, arm := range map[string]func(*cutter){
		"lost on the way to the database": func(c *cutter) { c.before.Store(true) },
		"lost on the way back":            func(c *cutter) { c.after.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			cutter, through := cut(t, engines.Postgres(t))
			c := openAt(t, through)
			add := func() error {
				return c.Update(t.Context(), func(tx *catalog.Tx) error {
					return tx.Audit.Append(catalog.Entry{Action: "put"})
				})
			}
			for n := range int64(4) {
				if n == 2 {
					arm(cutter)
				}
				if err := add(); err != nil {
					t.Fatalf("Update %d: %v", n+1, err)
				}
				err := c.View(t.Context(), func(tx *catalog.Tx) error {
					seq, _, err := tx.Audit.Head()
					if seq != n+1 {
						t.Errorf("%d entries after %d Updates", seq, n+1)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := cutter.cuts.Load(); got != 1 {
				t.Errorf("%d cuts", got)
			}
		})
	}
}
