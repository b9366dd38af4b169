package client

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Journal remembers unfinished uploads, so that the same command takes them up
// after anything. It is a folder with one small file an upload.
type Journal struct {
	dir string
	now func() time.Time
}

// forgetAfter is when a server has surely cleared away an unfinished upload.
const forgetAfter = 30 * 24 * time.Hour

// upload is one entry. What it is about is in the file's name.
type journaled struct {
	Tandem int       `json:"tandem"` // version of this form
	ID     string    `json:"id"`
	Begun  time.Time `json:"begun"`
}

// OpenJournal opens the journal in dir, which is made when first needed, and forgets
// what is too old.
func OpenJournal(dir string, now func() time.Time) *Journal {
	j := &Journal{dir, now}
	list, _ := os.ReadDir(dir) // absent: nothing to forget
	for _, e := range list {
		if st, err := e.Info(); err == nil && now().Sub(st.ModTime()) > forgetAfter {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return j
}

// file names the entry about an upload by everything that must be the same.
func (j *Journal) file(about ...string) string {
	return filepath.Join(j.dir, sumOf([]byte(strings.Join(about, "\x00")))[:32]+".json")
}

// get returns the ID of the upload about that, "" when there is none.
func (j *Journal) get(about ...string) string {
	if j == nil {
		return ""
	}
	data, err := os.ReadFile(j.file(about...))
	if err != nil {
		return ""
	}
	var e journaled
	if json.Unmarshal(data, &e) != nil || e.Tandem != 1 || !plainID(e.ID) {
		return ""
	}
	return e.ID
}

// set remembers an upload, or forgets it when id is "".
func (j *Journal) set(id string, about ...string) error {
	if j == nil {
		return nil
	}
	name := j.file(about...)
	if id == "" {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fileFault(err)
		}
		return nil
	}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return fileFault(err)
	}
	data, err := json.Marshal(journaled{1, id, j.now().UTC()})
	if err != nil {
		return err
	}
	temp := name + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fileFault(err)
	}
	return fileFault(os.Rename(temp, name))
}
