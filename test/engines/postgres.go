package engines

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PG is a PostgreSQL cluster of its own, on a Unix socket, with fsync on.
type PG struct {
	dir  string // data/ and the socket
	bin  string // initdb, postgres
	as   *syscall.Credential
	next atomic.Int64 // databases made

	mu   sync.Mutex
	proc *process
}

const pgPort = 5432 // names the socket only

// shared is the cluster that Postgres hands out databases of.
var shared struct {
	sync.Mutex
	pg *PG
}

// Close ends the shared cluster. A package that calls Postgres has
//
//	func TestMain(m *testing.M) { defer engines.Close(); m.Run() }
func Close() {
	shared.Lock()
	defer shared.Unlock()
	if shared.pg != nil {
		shared.pg.remove()
		shared.pg = nil
	}
}

// Postgres returns the URL of a fresh database in a cluster that the tests of
// this process share.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.pg == nil {
		pg, err := newPG()
		must(t, err)
		shared.pg = pg
	}
	return shared.pg.Database(t)
}

// Cluster returns a running cluster of the test's own, to stop and start.
func Cluster(t testing.TB) *PG {
	t.Helper()
	pg, err := newPG()
	must(t, err)
	t.Cleanup(pg.remove)
	return pg
}

func newPG() (*PG, error) {
	pg := &PG{}
	initdb, err := find("initdb", "apt-get install postgresql", "/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, err
	}
	pg.bin = filepath.Dir(initdb)
	if os.Getuid() == 0 { // which postgres refuses to run as
		if pg.as, err = credential("postgres"); err != nil {
			return nil, err
		}
	}
	if pg.dir, err = folder("tandem-pg-", pg.as); err != nil {
		return nil, err
	}
	init := pg.command("initdb", "-D", filepath.Join(pg.dir, "data"), "-U", "tandem", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := pg.start(); err != nil {
		pg.remove()
		return nil, err
	}
	return pg, nil
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (pg *PG) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(pg.bin, program), args...)
	cmd.Dir = pg.dir
	if pg.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.as}
	}
	return cmd
}

func (pg *PG) start() error {
	p, err := start(pg.command("postgres", "-D", filepath.Join(pg.dir, "data"), "-k", pg.dir,
		"-c", "listen_addresses=", "-p", strconv.Itoa(pgPort), "-c", "max_connections=60", "-c", "shared_buffers=64MB"))
	if err != nil {
		return err
	}
	pg.proc = p
	return p.await(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := pgx.Connect(ctx, pg.url("postgres"))
		if err != nil {
			return err
		}
		return c.Close(ctx)
	})
}

// Start starts a stopped cluster.
func (pg *PG) Start(t testing.TB) {
	t.Helper()
	pg.mu.Lock()
	defer pg.mu.Unlock()
	if pg.proc == nil {
		must(t, pg.start())
	}
}

// Stop ends the cluster at once, as a crash does: connections break, nothing
// is written back.
func (pg *PG) Stop() {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	if pg.proc != nil {
		pg.proc.stop(syscall.SIGQUIT)
		pg.proc = nil
	}
}

func (pg *PG) remove() {
	pg.Stop()
	_ = os.RemoveAll(pg.dir)
}

func (pg *PG) url(database string) string {
	return "postgres://tandem@/" + database + "?" + url.Values{"host": {pg.dir}, "port": {strconv.Itoa(pgPort)}}.Encode()
}

// Database makes a database and returns its URL.
func (pg *PG) Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	url, err := pg.database(ctx)
	must(t, err)
	return url
}

func (pg *PG) database(ctx context.Context) (string, error) {
	c, err := pgx.Connect(ctx, pg.url("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	name := "t" + strconv.FormatInt(pg.next.Add(1), 10)
	if _, err := c.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return pg.url(name), nil
}

// NewCluster starts a cluster for a program that is no test and returns the
// URL of a database in it, and what ends it.
func NewCluster() (url string, stop func(), err error) {
	pg, err := newPG()
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if url, err = pg.database(ctx); err != nil {
		pg.remove()
		return "", nil, err
	}
	return url, pg.remove, nil
}
