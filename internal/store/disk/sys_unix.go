//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var errQuota error = syscall.EDQUOT

// syncsReadOnly says whether a file opened for reading can be synced.
const syncsReadOnly = true

// inodeOf returns a file's number and how many names it has.
func inodeOf(fi fs.FileInfo) (inode, links uint64) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino), uint64(st.Nlink)
	}
	return 0, 0
}

// foreign reports whether somebody made fi who has no say over us or over the
// folder it is in.
func foreign(fi, parent fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	above, ok2 := parent.Sys().(*syscall.Stat_t)
	return ok && ok2 && st.Uid != 0 && int(st.Uid) != os.Geteuid() && st.Uid != above.Uid
}

func lockFile(f *os.File) error {
	err := retry(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

func syncDir(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil // a file system whose folders need no sync
	}
	return err
}

func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
