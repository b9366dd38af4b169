package blobdir

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// syncsAll says whether syncAll works.
const syncsAll = true

func datasync(f *os.File) error {
	return retry(func() error { return unix.Fdatasync(int(f.Fd())) })
}

// syncAll syncs the file system that f is on. Since Linux 5.8 it tells of every
// byte that could not be written since f was opened.
func syncAll(f *os.File) error {
	return retry(func() error { return unix.Syncfs(int(f.Fd())) })
}

// flush only asks: what goes wrong is told by the sync that follows.
func flush(f *os.File, at, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), at, n, unix.SYNC_FILE_RANGE_WRITE)
}

func space(f *os.File) (free, total int64, ok bool) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(int(f.Fd()), &st) }); err != nil || st.Bsize <= 0 {
		return 0, 0, false
	}
	bytes := func(blocks uint64) int64 {
		if blocks > math.MaxInt64/uint64(st.Bsize) {
			return math.MaxInt64
		}
		return int64(blocks) * int64(st.Bsize)
	}
	return bytes(st.Bavail), bytes(st.Blocks), true
}
