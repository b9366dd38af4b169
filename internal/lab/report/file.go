package report

import (
	"errors"
	"os"
	"path/filepath"
)

// file is one file of the report.
type file struct {
	name string
	text []byte
}

// put writes text at path: whole, or not at all. Nothing is synced: a report that a
// power cut takes away is made again.
func put(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644) // a report is made to be shown
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
