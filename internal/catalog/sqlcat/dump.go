package sqlcat

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"strings"

	"tandem/internal/fault"
)

// The form of a dump, one JSON object a line:
//
//	{"format":"tandem catalog","version":1,"schema":["0001_accounts.sql",...]}
//	{"table":"users","columns":["id","name",...],"last":17}
//	{"row":[1,"ann",...]}
//	...
//	{"rows":1234,"sha256":"..."}
//
// Tables come in the order of tables, rows sorted by key; a blob is base64; last
// is the highest id ever given, for tables that give ids. The sum is that of
// all lines before it, line feeds included. There is one way to write each line.
const (
	dumpFormat  = "tandem catalog"
	dumpVersion = 1
	longestLine = 96 << 20 // a .torrent of 64 MiB in base64, and room
)

// line is any line of a dump.
type line struct {
	Format  string   `json:"format,omitempty"`
	Version int      `json:"version,omitempty"`
	Schema  []string `json:"schema,omitempty"`

	Table   string   `json:"table,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Last    *int64   `json:"last,omitempty"`

	Row []any `json:"row,omitempty"`

	Rows   *int64 `json:"rows,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

func (l line) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil { // ends with a line feed
		return nil, err
	}
	return b.Bytes(), nil
}

// parts returns of how many kinds of line l has something.
func (l line) parts() (n int) {
	for _, has := range []bool{
		l.Format != "" || l.Version != 0 || l.Schema != nil,
		l.Table != "" || l.Columns != nil || l.Last != nil,
		l.Row != nil,
		l.Rows != nil || l.SHA256 != "",
	} {
		if has {
			n++
		}
	}
	return n
}

// decodeLine is strict: what it accepts, encode writes just so.
func decodeLine(text []byte) (l line, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return line{}, fault.Wrap(fault.Invalid, err)
	}
	if l.parts() != 1 {
		return line{}, fault.Errorf(fault.Invalid, "not one kind of line")
	}
	for _, v := range l.Row {
		switch v.(type) {
		case nil, string, json.Number:
		default:
			return line{}, fault.Errorf(fault.Invalid, "a row holds a %T", v)
		}
	}
	again, err := l.encode()
	if err != nil {
		return line{}, fault.Wrap(fault.Invalid, err)
	}
	if !bytes.Equal(again, text) {
		return line{}, fault.Errorf(fault.Invalid, "not in the one form that is written")
	}
	return l, nil
}

// Dump implements catalog.Catalog.
func (db *DB) Dump(ctx context.Context, w io.Writer) error {
	buffer := bufio.NewWriterSize(w, 1<<16)
	err := db.view(ctx, func(t *tx) error {
		t.long = true
		return newDumper(buffer).all(t)
	})
	if err == nil {
		err = buffer.Flush()
	}
	return about(err, "dump")
}

// dumper writes lines and sums them up.
type dumper struct {
	to   io.Writer
	sum  hash.Hash
	rows int64
}

func newDumper(w io.Writer) *dumper { return &dumper{to: w, sum: sha256.New()} }

func (d *dumper) write(l line) error {
	text, err := l.encode()
	if err != nil {
		return err
	}
	d.sum.Write(text)
	_, err = d.to.Write(text)
	return err
}

func (d *dumper) all(t *tx) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	head := line{Format: dumpFormat, Version: dumpVersion}
	for _, m := range steps {
		head.Schema = append(head.Schema, m.name)
	}
	if err := d.write(head); err != nil {
		return err
	}
	for _, tb := range tables() {
		if err := d.table(t, tb); err != nil {
			return about(err, "%s", tb.name)
		}
	}
	return d.finish()
}

// begin writes the line before a table's rows.
func (d *dumper) begin(tb table, columns []string, last int64) error {
	head := line{Table: tb.name, Columns: columns}
	if tb.ids {
		head.Last = &last
	}
	return d.write(head)
}

// row writes a row as it comes from the database, or from a dump.
func (d *dumper) row(kinds []kind, values []any) error {
	for i, k := range kinds {
		switch b, ok := values[i].([]byte); {
		case ok && k == raw:
			values[i] = base64.StdEncoding.EncodeToString(b)
		case ok:
			values[i] = string(b)
		}
	}
	d.rows++
	return d.write(line{Row: values})
}

// finish writes the last line.
func (d *dumper) finish() error {
	return d.write(line{Rows: &d.rows, SHA256: hex.EncodeToString(d.sum.Sum(nil))})
}

func (d *dumper) table(t *tx, tb table) error {
	names, known := tb.names(), tb.kinds()
	kinds := make([]kind, len(names))
	for i, name := range names {
		kinds[i] = known[name]
	}
	var last int64
	if tb.ids {
		if err := t.scan(into{&last}, t.db.dialect.LastID(tb.name)); err != nil {
			return err
		}
	}
	if err := d.begin(tb, names, last); err != nil {
		return err
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + tb.name + " ORDER BY " + tb.order
	var failed error // of the writer, which is no error of the database
	err := t.each(false, func(r row) (bool, error) {
		values, err := r.values(len(names))
		if err != nil {
			return false, err
		}
		failed = d.row(kinds, values)
		return failed == nil, nil
	}, query, nil)
	if err != nil {
		return err
	}
	return failed
}

// values reads n columns as they come.
func (r row) values(n int) ([]any, error) {
	values, dest := make([]any, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	return values, r.rows.Scan(dest...)
}
