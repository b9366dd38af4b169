//go:build !linux

package client

import (
	"os"
	"path"
	"runtime"
)

// syncAll has nothing left to do after syncEarly.
func syncAll(*os.File) error { return nil }

// syncEarly makes one file durable: here no call does it for many.
func syncEarly(f *os.File) error { return f.Sync() }

// syncFolder does nothing where folders cannot be synced.
func syncFolder(d *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return d.Sync()
}

// syncNames makes the names of files durable, folder by folder.
func syncNames(root *os.Root, files []wanted) error {
	seen := map[string]bool{}
	for _, w := range files {
		dir := path.Dir(w.name)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if err := syncDir(root, dir); err != nil {
			return err
		}
	}
	return nil
}
