package blobdir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

var errQuota error = syscall.Errno(windows.ERROR_DISK_FULL)

// keepsIdle says whether an open file can be renamed and removed.
const keepsIdle = false

func named(fs.FileInfo) bool { return false }

func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

func syncDir(*os.File) error { return nil } // folders cannot be synced
