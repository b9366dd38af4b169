// Package blobdir keeps finished content as files in a folder.
//
// In the folder: blobs/ab/ROOT is content (ROOT is 64 hex digits, ab the first
// two), staging/ID is an upload on its way, arriving/ROOT.ID is a commit whose
// acknowledgement may or may not have been given, quarantine/ROOT is damaged
// content, lock says which server has the folder.
package blobdir

import (
	"errors"
	"io"

	"tandem/internal/store"
)

// Blobs is a folder of content. It implements store.Blobs; what Open of a Blobs
// returns is an *os.File.
type Blobs struct {
	store.Blobs
}

// Open opens the folder dir, making it (0700) if there is none.
func Open(dir string) (*Blobs, error) { return nil, errors.New("not built yet") }

// Lock makes the caller the one server of dir, until it closes what is returned
// or dies. fault.Busy: there is another. Commands that look after the folder
// work beside a server without a lock.
func Lock(dir string) (io.Closer, error) { return nil, errors.New("not built yet") }
