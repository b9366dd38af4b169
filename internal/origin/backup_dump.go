package origin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// longestRow is the longest line of a dump that is looked into: those of contents
// are short.
const longestRow = 4 << 10

// dumpedContents reads a catalog's dump and calls f for each content that is Ready.
// It does not check the dump's sum: Catalog.Load does. Errors are fault.Corrupt, or f's.
func dumpedContents(r io.Reader, f func(catalog.Content) error) error {
	in := bufio.NewReaderSize(r, longestRow)
	var table dumpTable
	for {
		line, err := in.ReadSlice('\n')
		head := bytes.HasPrefix(line, []byte(`{"table":`))
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fault.Errorf(fault.Corrupt, "broken off: %w", err)
		case long && (table.here() || head):
			return fault.Errorf(fault.Corrupt, "a row of contents is too long")
		case head:
			if table, err = readDumpTable(line); err != nil {
				return err
			}
		case table.here():
			if err := table.row(line, f); err != nil {
				return err
			}
		}
	}
}

// dumpTable is the head of a table: where its columns are.
type dumpTable struct {
	columns                   int
	root, sha256, size, state int
}

// here reports whether the rows that follow are contents.
func (t dumpTable) here() bool { return t.columns > 0 }

func readDumpTable(line []byte) (dumpTable, error) {
	var head struct {
		Table   string   `json:"table"`
		Columns []string `json:"columns"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return dumpTable{}, fault.Errorf(fault.Corrupt, "head of a table: %w", err)
	}
	if head.Table != "contents" {
		return dumpTable{}, nil
	}
	t := dumpTable{columns: len(head.Columns)}
	for name, at := range map[string]*int{"root": &t.root, "sha256": &t.sha256, "size": &t.size, "state": &t.state} {
		if *at = slices.Index(head.Columns, name); *at < 0 {
			return dumpTable{}, fault.Errorf(fault.Corrupt, "contents have no column %s", name)
		}
	}
	return t, nil
}

// row reads a row and hands it to f.
func (t dumpTable) row(line []byte, f func(catalog.Content) error) error {
	var row struct {
		Row []json.RawMessage `json:"row"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return fault.Errorf(fault.Corrupt, "row of contents: %w", err)
	}
	if row.Row == nil { // the last line
		return nil
	}
	if len(row.Row) != t.columns {
		return fault.Errorf(fault.Corrupt, "row of contents: %d columns, not %d", len(row.Row), t.columns)
	}
	var c catalog.Content
	err := errors.Join(
		readHash(row.Row[t.root], &c.Sum.Root), readHash(row.Row[t.sha256], &c.Sum.SHA256),
		json.Unmarshal(row.Row[t.size], &c.Sum.Size), json.Unmarshal(row.Row[t.state], &c.State),
	)
	if err != nil {
		return fault.Errorf(fault.Corrupt, "row of contents: %w", err)
	}
	if c.State != catalog.Ready {
		return nil
	}
	if c.Sum.Size <= 0 || c.Sum.Root.IsZero() {
		return fault.Errorf(fault.Corrupt, "row of contents: empty content")
	}
	return f(c)
}

func readHash(text json.RawMessage, h *content.Hash) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && copy(h[:], b) != len(b) || len(b) != len(h) {
		return fault.Errorf(fault.Corrupt, "a hash of %d bytes", len(b))
	}
	return err
}
