package client

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll makes everything written since folder was opened durable with a single call:
// hundreds of small files would each wait for the device.
func syncAll(folder *os.File) error { return unix.Syncfs(int(folder.Fd())) }

// syncEarly leaves it to syncAll.
func syncEarly(*os.File) error { return nil }

func syncFolder(d *os.File) error { return d.Sync() }

// syncNames makes the names of files durable.
func syncNames(root *os.Root, _ []wanted) error {
	d, err := root.Open(".")
	if err != nil {
		return fileFault(err)
	}
	defer d.Close()
	return fileFault(syncAll(d))
}
