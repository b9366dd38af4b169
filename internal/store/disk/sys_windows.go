package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

var errQuota error = syscall.Errno(windows.ERROR_DISK_FULL)

// syncsReadOnly says whether a file opened for reading can be synced.
const syncsReadOnly = false

// inodeOf knows nothing: size and time must do.
func inodeOf(fs.FileInfo) (inode, links uint64) { return 0, 0 }

func foreign(_, _ fs.FileInfo) bool { return false }

func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

func syncDir(*os.File) error { return nil } // folders cannot be synced
