//go:build !linux

package client

import (
	"os"
	"runtime"
)

func syncAll(_ *os.File, files []*os.File) error {
	for _, f := range files {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder does nothing where folders cannot be synced.
func syncFolder(d *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return d.Sync()
}
