package origin

import (
	"context"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/store"
)

// Swept is what one Sweep removed.
type Swept struct {
	Trash, Versions, Uploads, Stages, Blobs int
	Bytes                                   int64
}

// Sweep removes what nobody can reach any more: trash and versions past their
// time, expired uploads, staged bytes without an upload, content without a version for a day. While a
// backup runs it leaves content alone.
func (s *Server) Sweep(ctx context.Context) (Swept, error) { return Swept{}, errNotBuilt }

// ScrubReport is the outcome of Scrub.
type ScrubReport struct {
	Checked int64
	Bytes   int64
	Damaged []Damage // quarantined
	Missing []Damage // the catalog names it, the store has it not
	Stray   int64    // in the store, named by nobody; left for Sweep
}

// Damage is content that is not what it should be.
type Damage struct {
	Root  content.Hash
	Size  int64
	Paths []string // files that have it
}

// Scrub hashes all content again. An upload of the same content heals damage.
func Scrub(ctx context.Context, cat catalog.Catalog, blobs store.Blobs, now func() time.Time, progress func(bytes, total int64)) (ScrubReport, error) {
	return ScrubReport{}, errNotBuilt
}

// BackupReport is the outcome of Backup and Restore.
type BackupReport struct {
	Files   int64 // contents in the backup
	Bytes   int64
	Copied  int64  // contents copied this time; the others were there from an earlier backup
	Catalog string // name of the catalog's file in the backup
}

// Backup writes one consistent state into folder while the server runs: content first seen by an earlier
// backup in the same folder is not copied again. Everything is hashed on the way and synced before the catalog's
// file appears, whose name begins with the time.
func Backup(ctx context.Context, cat catalog.Catalog, blobs store.Blobs, folder string, now func() time.Time, progress func(done, total int64)) (BackupReport, error) {
	return BackupReport{}, errNotBuilt
}

// Restore reads the newest state in folder, or the named one, into an empty catalog and a store.
func Restore(ctx context.Context, cat catalog.Catalog, blobs store.Blobs, folder, name string, progress func(done, total int64)) (BackupReport, error) {
	return BackupReport{}, errNotBuilt
}
