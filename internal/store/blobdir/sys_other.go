//go:build !linux

package blobdir

import "os"

func datasync(f *os.File) error { return f.Sync() }

func syncAll(*os.File) error { return errNoSyncAll }

func flush(*os.File, int64, int64) {}

func space(*os.File) (free, total int64, ok bool) { return 0, 0, false }
