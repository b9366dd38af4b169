package sqlcat

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"slices"
	"strings"

	"tandem/internal/fault"
)

// Load implements catalog.Catalog. A dump of an older version is read too: what it
// has no column for gets the default.
func (db *DB) Load(ctx context.Context, r io.Reader) error {
	begun := false
	err := db.update(ctx, func(t *tx) error {
		if begun { // the connection was lost, and r is not to be had again
			return fault.Errorf(fault.Unreachable, "the database was lost in between; nothing was loaded")
		}
		begun = true
		if err := t.empty(); err != nil {
			return err
		}
		l := &loader{ctx: ctx, tx: t, lasts: make(map[string]int64)}
		if err := readDump(r, l); err != nil {
			return err
		}
		return l.setLasts()
	})
	return about(err, "load")
}

// empty returns fault.Exists when anything is in the catalog.
func (t *tx) empty() error {
	for _, tb := range tables() {
		if tb.one {
			continue
		}
		var n int
		err := t.scan(into{&n}, "SELECT 1 FROM "+tb.name+" LIMIT 1")
		if err == nil {
			return fault.Errorf(fault.Exists, "the catalog is not empty: %s has rows", tb.name)
		}
		if !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

// sink takes what readDump finds.
type sink interface {
	// begin says that rows of a table follow; columns are some of the table's, each once.
	begin(tb table, columns []string, last int64) error
	// put takes a row, whose values are int64, string, []byte and nil.
	put(row []any) error
	end() error // no more rows of this table
}

// readDump reads a dump to its end. What it hands on is well formed; only
// when it returns nil was the sum right.
func readDump(from io.Reader, to sink) error {
	d := &decoder{in: bufio.NewReaderSize(from, 1<<16), sum: sha256.New(), to: to, left: tables()}
	for n := 1; ; n++ {
		done, err := d.next(n == 1)
		if err != nil {
			return about(err, "line %d", n)
		}
		if done {
			return nil
		}
	}
}

// decoder is the state of readDump.
type decoder struct {
	in   *bufio.Reader
	sum  hash.Hash
	to   sink
	left []table // not begun yet
	rows int64

	table   *table // whose rows come; nil: none yet
	columns []string
	last    int64
}

// next reads one line; done says that it was the last.
func (d *decoder) next(first bool) (done bool, err error) {
	text, err := readLine(d.in)
	if err != nil {
		return false, err
	}
	l, err := decodeLine(text)
	if err != nil {
		return false, err
	}
	sum := hex.EncodeToString(d.sum.Sum(nil))
	d.sum.Write(text)
	switch {
	case first:
		return false, l.header()
	case l.Rows != nil:
		return true, d.finish(l, sum)
	case l.Table != "":
		return false, d.begin(l)
	case l.Row != nil:
		return false, d.row(l.Row)
	}
	return false, fault.Errorf(fault.Invalid, "neither table nor row")
}

// readLine returns a line with its line feed.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(text)+len(part) > longestLine {
			return nil, fault.Errorf(fault.Invalid, "longer than %d bytes", longestLine)
		}
		text = append(text, part...)
		switch {
		case err == nil:
			return text, nil
		case errors.Is(err, io.EOF):
			return nil, fault.Errorf(fault.Corrupt, "the dump ends too early")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

func (l line) header() error {
	if l.Format != dumpFormat {
		return fault.Errorf(fault.Invalid, "not a dump of a catalog")
	}
	if l.Version != dumpVersion {
		return fault.Errorf(fault.Invalid, "version %d of the form; this program reads %d", l.Version, dumpVersion)
	}
	known, err := migrations()
	if err != nil {
		return err
	}
	if len(l.Schema) > len(known) {
		return fault.Errorf(fault.Invalid, "made by a newer version: it has %.80q", l.Schema[len(known)])
	}
	for i, name := range l.Schema {
		if name != known[i].name {
			return fault.Errorf(fault.Invalid, "its schema has %.80q where this version has %q", name, known[i].name)
		}
	}
	return nil
}

func (d *decoder) begin(l line) error {
	i := slices.IndexFunc(d.left, func(t table) bool { return t.name == l.Table })
	if i < 0 {
		return fault.Errorf(fault.Invalid, "table %.80q is unknown or out of order", l.Table)
	}
	if err := d.over(); err != nil {
		return err
	}
	tb := d.left[i]
	d.left = d.left[i+1:]
	kinds := tb.kinds()
	for j, name := range l.Columns {
		if kinds[name] == 0 || slices.Contains(l.Columns[:j], name) {
			return fault.Errorf(fault.Invalid, "table %s has no column %.80q, or has it twice", tb.name, name)
		}
	}
	if len(l.Columns) == 0 || tb.ids != (l.Last != nil) || (tb.ids && l.Columns[0] != "id") {
		return fault.Errorf(fault.Invalid, "table %s: columns do not fit", tb.name)
	}
	d.table, d.columns, d.last = &tb, l.Columns, 0
	if tb.ids {
		d.last = *l.Last
	}
	return d.to.begin(tb, l.Columns, d.last)
}

// over ends the table at hand.
func (d *decoder) over() error {
	if d.table == nil {
		return nil
	}
	return d.to.end()
}

func (d *decoder) row(values []any) error {
	if d.table == nil || len(values) != len(d.columns) {
		return fault.Errorf(fault.Invalid, "a row of %d values where %d belong", len(values), len(d.columns))
	}
	kinds := d.table.kinds()
	for i, v := range values {
		w, err := column(kinds[d.columns[i]], v)
		if err != nil {
			return about(err, "%s", d.columns[i])
		}
		values[i] = w
	}
	if id, ok := values[0].(int64); d.table.ids && (!ok || id < 1 || id > d.last) {
		return fault.Errorf(fault.Invalid, "an id outside 1 to %d", d.last)
	}
	d.rows++
	return d.to.put(values)
}

// column returns the value of a column from the form it has in a line.
func column(k kind, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.Number:
		if k == whole {
			n, err := v.Int64()
			if err == nil && string(v) != "-0" {
				return n, nil
			}
		}
	case string:
		switch k {
		case words:
			return v, checkText(v)
		case raw:
			b, err := base64.StdEncoding.Strict().DecodeString(v)
			if err == nil && base64.StdEncoding.EncodeToString(b) == v {
				return b, nil
			}
		}
	}
	return nil, fault.Errorf(fault.Invalid, "%.80q does not fit", v)
}

func (d *decoder) finish(l line, sum string) error {
	if err := d.over(); err != nil {
		return err
	}
	if l.SHA256 != sum || *l.Rows != d.rows {
		return fault.Errorf(fault.Corrupt, "the sum at the end is not that of the lines before it")
	}
	if _, err := d.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fault.Errorf(fault.Invalid, "something follows the last line")
	}
	return nil
}

// loader is the sink that inserts.
type loader struct {
	ctx     context.Context
	tx      *tx
	insert  string // of a row, up to VALUES
	columns int
	lasts   map[string]int64 // table -> highest id ever given

	rows    int
	waiting []any
	size    int
}

func (l *loader) begin(tb table, columns []string, last int64) error {
	if tb.ids {
		l.lasts[tb.name] = last
	}
	l.insert = "INSERT INTO " + tb.name + " (" + strings.Join(columns, ", ") + ") VALUES "
	l.columns = len(columns)
	if tb.one {
		_, err := l.tx.exec("DELETE FROM " + tb.name)
		return err
	}
	return nil
}

func (l *loader) put(row []any) error {
	for _, v := range row {
		switch v := v.(type) {
		case string:
			l.size += len(v)
		case []byte:
			l.size += len(v)
		}
	}
	l.waiting = append(l.waiting, row...)
	if l.rows++; l.rows < together && l.size < togetherSize {
		return nil
	}
	return l.flush()
}

// flush inserts what waits.
func (l *loader) flush() error {
	if l.ctx.Err() != nil {
		return ended(l.ctx)
	}
	err := l.tx.rows(l.insert, l.columns, l.waiting)
	l.waiting, l.rows, l.size = l.waiting[:0], 0, 0
	return err
}

func (l *loader) end() error { return l.flush() }

// setLasts makes ids go on where they were. It comes last, because not every
// engine takes that back with the transaction.
func (l *loader) setLasts() error {
	for name, last := range l.lasts {
		for _, q := range l.tx.db.dialect.SetLastID(name, last) {
			if err := l.tx.session.script(l.tx.ctx, q); err != nil {
				return l.tx.judge(err)
			}
		}
	}
	return nil
}
