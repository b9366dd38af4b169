package sqlcat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// waiting is how many Updates may stand in line; those beyond wait to stand there.
const waiting = 1024

// DB is a catalog.Catalog over a database.
type DB struct {
	dialect Dialect
	queries sync.Map // query with ? -> query of the dialect

	queue   chan *job
	closing chan struct{} // closed: nothing new begins
	stopped chan struct{} // closed: the writer has ended
	once    sync.Once

	slots chan struct{} // one for each View that runs
	mu    sync.Mutex    // guards idle
	idle  []*session
}

// Open brings the schema up to date and starts the writer. The pools in d are
// the catalog's from now on, also when Open fails.
func Open(ctx context.Context, d Dialect) (*DB, error) {
	db := &DB{
		dialect: d,
		queue:   make(chan *job, waiting),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		slots:   make(chan struct{}, d.Readers),
	}
	for _, pool := range []*sql.DB{d.Read, d.Write} {
		pool.SetMaxIdleConns(0) // a session that was closed is not wanted back
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, d.Read.Close(), d.Write.Close())
	}
	go db.run()
	return db, nil
}

// Close lets what runs end, and refuses what has not begun.
func (db *DB) Close() error {
	var err error
	db.once.Do(func() {
		close(db.closing)
		<-db.stopped
		for range cap(db.slots) {
			db.slots <- struct{}{} // never given back: Views find closing first
		}
		for _, s := range db.idle {
			s.close()
		}
		err = errors.Join(db.dialect.Read.Close(), db.dialect.Write.Close())
	})
	return err
}

// View implements catalog.Catalog.
func (db *DB) View(ctx context.Context, f func(*catalog.Tx) error) error {
	return db.view(ctx, func(t *tx) error { return f(t.roles()) })
}

func (db *DB) view(ctx context.Context, f func(*tx) error) error {
	s, err := db.reader(ctx)
	if err != nil {
		return err
	}
	t := &tx{ctx: ctx, db: db, session: s}
	defer func() { // also when f panics
		t.over = true
		if s.rollback() != nil {
			s.close()
			s = nil
		}
		db.release(s)
	}()
	if err := f(t); err != nil {
		return err
	}
	return t.bad
}

// reader returns a session in a transaction that reads.
func (db *DB) reader(ctx context.Context) (*session, error) {
	select {
	case <-db.closing:
		return nil, errClosed
	default:
	}
	select {
	case db.slots <- struct{}{}:
	case <-db.closing:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ended(ctx)
	}
	db.mu.Lock()
	var s *session
	if n := len(db.idle); n > 0 {
		s, db.idle = db.idle[n-1], db.idle[:n-1]
	}
	db.mu.Unlock()
	if s != nil {
		if _, err := s.exec(ctx, db.dialect.BeginView); err == nil {
			return s, nil
		}
		s.close() // the database may have been away: a fresh connection knows
	}
	s, err := openSession(ctx, db.dialect.Read, db.dialect.Prepare)
	if err == nil {
		if _, err = s.exec(ctx, db.dialect.BeginView); err == nil {
			return s, nil
		}
		s.close()
	}
	db.release(nil)
	kind, _ := db.judge(ctx, err)
	return nil, fault.Errorf(kind, "catalog: begin to read: %w", err)
}

// release gives a View's place back, and its session when it is still good.
func (db *DB) release(s *session) {
	if s != nil {
		db.mu.Lock()
		db.idle = append(db.idle, s)
		db.mu.Unlock()
	}
	<-db.slots
}

// Changed implements catalog.Catalog.
func (db *DB) Changed(ctx context.Context) (int64, error) {
	var n int64
	err := db.view(ctx, func(t *tx) error {
		return t.scan(into{&n}, "SELECT n FROM changes")
	})
	return n, err
}

// Probe implements catalog.Catalog.
func (db *DB) Probe(ctx context.Context) error {
	return db.update(ctx, func(t *tx) error {
		t.probe = true
		return t.must("UPDATE changes SET probed = 1 - probed")
	})
}

// rebind returns the dialect's form of a query.
func (db *DB) rebind(query string) string {
	if !db.dialect.Numbered {
		return query
	}
	if q, ok := db.queries.Load(query); ok {
		return q.(string)
	}
	q := dollars(query)
	if len(q) < 4096 { // longer ones are of changing length
		db.queries.Store(query, q)
	}
	return q
}

// dollars replaces each ? outside of quotes by $1, $2, ...
func dollars(query string) string {
	var b strings.Builder
	n, quoted := 0, false
	for _, c := range query {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == '?' && !quoted:
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

var errClosed = fault.Errorf(fault.Closed, "catalog: closed")

// ended is the error of a call whose context has ended.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Errorf(fault.Timeout, "catalog: %w", context.Cause(ctx))
	}
	return fault.Errorf(fault.Closed, "catalog: %w", context.Cause(ctx))
}

// judge returns the kind of an error of the database, and whether nothing is
// left of the transaction it came in.
func (db *DB) judge(ctx context.Context, err error) (kind fault.Kind, fatal bool) {
	if ctx.Err() != nil {
		return fault.KindOf(ended(ctx)), true
	}
	if kind, fatal = db.dialect.Judge(err); kind != fault.Other {
		return kind, fatal
	}
	var n net.Error
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.DeadlineExceeded), errors.As(err, &n):
		return fault.Unreachable, true
	}
	if k := fault.KindOf(err); k != fault.Other { // of value.go
		return k, fatal
	}
	return fault.Other, fatal
}
