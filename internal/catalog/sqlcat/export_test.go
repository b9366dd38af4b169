package sqlcat

import (
	"bytes"
	"context"
	"errors"
)

// Exec runs statements in one Update; each hears what the one before returned.
func (db *DB) Exec(ctx context.Context, f func(exec func(query string, args ...any) (int64, error)) error) error {
	return db.update(ctx, func(t *tx) error { return f(t.exec) })
}

// Query returns the first column of a query's rows, which is text.
func (db *DB) Query(ctx context.Context, query string, args ...any) (all []string, err error) {
	err = db.view(ctx, func(t *tx) (err error) {
		all, err = list(t, func(r row, s *string) error { return r.to(s) }, query, args...)
		return err
	})
	return all, err
}

// Dollars is what rebind does for PostgreSQL.
func Dollars(query string) string { return dollars(query) }

// Columns returns what Dump knows: "users id int", ...
func Columns() (all []string) {
	for _, t := range tables() {
		for _, c := range t.columns {
			all = append(all, t.name+" "+c)
		}
	}
	return all
}

// Rewrite reads a dump and writes it again.
func Rewrite(text []byte) ([]byte, error) {
	var b bytes.Buffer
	r := &rewriter{d: newDumper(&b)}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	head, err := decodeLine(append(bytes.Clone(first), '\n'))
	if err == nil {
		err = r.d.write(head)
	}
	if err == nil {
		err = readDump(bytes.NewReader(text), r)
	}
	if err == nil {
		err = r.d.finish()
	}
	return b.Bytes(), err
}

type rewriter struct {
	d     *dumper
	kinds []kind
}

func (r *rewriter) begin(tb table, columns []string, last int64) error {
	r.kinds = nil
	for _, c := range columns {
		r.kinds = append(r.kinds, tb.kinds()[c])
	}
	return r.d.begin(tb, columns, last)
}

func (r *rewriter) put(row []any) error { return r.d.row(r.kinds, row) }
func (r *rewriter) end() error          { return nil }

// Sample returns a dump with a row in each table.
func Sample() []byte {
	var b bytes.Buffer
	d := newDumper(&b)
	all, err := migrations()
	head := line{Format: dumpFormat, Version: dumpVersion}
	for _, m := range all {
		head.Schema = append(head.Schema, m.name)
	}
	err = errors.Join(err, d.write(head))
	for _, tb := range tables() {
		var kinds []kind
		var values []any
		for _, name := range tb.names() {
			k := tb.kinds()[name]
			kinds = append(kinds, k)
			values = append(values, map[kind]any{whole: int64(1), words: "é<", raw: []byte{0, 0xff}}[k])
		}
		err = errors.Join(err, d.begin(tb, tb.names(), 1), d.row(kinds, values))
	}
	if err = errors.Join(err, d.finish()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Seal returns body with the last line of a dump behind it.
func Seal(body []byte) []byte {
	b := bytes.NewBuffer(bytes.Clone(body))
	d := newDumper(b)
	d.sum.Write(body)
	for l := range bytes.Lines(body) {
		if bytes.HasPrefix(l, []byte(`{"row":`)) {
			d.rows++
		}
	}
	if err := d.finish(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
