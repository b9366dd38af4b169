package sqlcat

import (
	"context"
	"database/sql"
	"time"
)

// mostStatements bounds the prepared statements that a session keeps.
const mostStatements = 256

// session is one connection. One goroutine at a time uses it.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // nil: the driver keeps its own
}

func openSession(ctx context.Context, pool *sql.DB, prepare bool) (*session, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn}
	if prepare {
		s.stmts = make(map[string]*sql.Stmt)
	}
	return s, nil
}

// stmt returns the prepared form of query, nil where the driver sees to that itself.
func (s *session) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s.stmts == nil {
		return nil, nil
	}
	if st := s.stmts[query]; st != nil {
		return st, nil
	}
	if len(s.stmts) >= mostStatements {
		for old, st := range s.stmts { // any one will do: this many are queries of changing length
			delete(s.stmts, old)
			st.Close()
			break
		}
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = st
	return st, nil
}

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	var res sql.Result
	if st != nil {
		res, err = st.ExecContext(ctx, args...)
	} else {
		res, err = s.conn.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// script runs statements that are not worth preparing, several in one text.
func (s *session) script(ctx context.Context, text string) error {
	_, err := s.conn.ExecContext(ctx, text)
	return err
}

func (s *session) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.conn.QueryContext(ctx, query, args...)
}

// rollback ends a transaction without a trace. An error says that the session
// is of no more use.
func (s *session) rollback() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := s.exec(ctx, "ROLLBACK")
	return err
}

func (s *session) close() {
	for _, st := range s.stmts {
		st.Close()
	}
	s.conn.Close()
}
