package blobdir_test

import (
	"testing"

	"tandem/internal/store"
	"tandem/internal/store/blobdir"
	"tandem/internal/store/storetest"
)

func TestBlobsKeepTheContract(t *testing.T) {
	storetest.RunBlobs(t, func(t testing.TB) *storetest.BlobPlace {
		dir := t.TempDir()
		return &storetest.BlobPlace{
			Open: func() (store.Blobs, error) { return blobdir.Open(dir) },
			// A killed process leaves its files as they are; what a loss of power
			// does is tested on a simulated file system.
			Crash: func(b store.Blobs, _ bool) { _ = b.Close() },
		}
	})
}
