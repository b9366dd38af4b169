// Package disk keeps working copies in folders of the local file system.
//
// A Workspace is the folder .tandem-<key> beside the final name, private to its
// owner: the metadata, the piece map and the staged files, sparse. Files get
// their final names only by Finish, and nothing that stands there already is
// ever replaced. InPlace serves files where they stand, OpenExisting checks and
// repairs them.
//
// Every name is resolved by os.Root, below the folder the user named; symbolic
// links are neither made nor followed. Source: docs/protocol/workspace.md.
package disk

import (
	"context"
	"io"

	"tandem/internal/content"
	"tandem/internal/store"
)

// Source is a file or folder that was found fit to be shared.
type Source struct {
	Name     string         // of the file or folder
	Single   bool           // a file rather than a folder
	Files    []content.File // in BEP 52 order: Path, Length and Exec are set
	Warnings []string       // what was skipped, and names that other systems cannot hold
}

// Scan walks a file or folder. Symbolic links inside a folder, devices, sockets
// and working copies of ours are skipped with a warning. An error names the
// file and is of kind fault.NotFound, fault.Permission (something cannot be
// read) or fault.Invalid (a name that cannot be shared, nothing to share, too
// many files).
func Scan(ctx context.Context, path string) (*Source, error) { panic("todo") }

// Open opens file i for hashing; it may be called from several goroutines. Reads
// are of kind fault.Changed when the file is no longer what Scan saw.
func (s *Source) Open(i int) (io.ReaderAt, io.Closer, error) { panic("todo") }

// InPlace serves the files of s as the content of m, whose files are those of s in
// the same order. It is InPlace below, but what changed since Scan counts as
// changed, too.
func (s *Source) InPlace(m *content.Manifest) (store.Pieces, error) { panic("todo") }

// Close releases s. What Open and InPlace returned stays usable.
func (s *Source) Close() error { panic("todo") }

// InPlace serves what stands at path as the content of m, read-only. Nothing is
// verified at first: the caller says what is by Commit. A file that is no longer
// the same (size, time, identity) after a read makes the read an error of kind
// fault.Changed. Finish and Sync do nothing; Remove removes nothing; WriteAt is
// of kind fault.Permission.
func InPlace(m *content.Manifest, path string) (store.Pieces, error) { panic("todo") }

// OpenExisting opens the content of m that stands under its final name in dir, to
// check, seed or repair it. Every piece of which all files are there is suspect.
// Without repair it is read-only like InPlace. With it, pieces may be written where
// they stand: missing files are created and wrong lengths put right by the first
// write to a file, or by Finish once all its pieces are verified.
func OpenExisting(dir string, m *content.Manifest, repair bool) (store.Pieces, error) {
	panic("todo")
}

// Workspace is the folder of one working copy, locked against other processes.
type Workspace struct{}

// OpenWorkspace opens or makes dir/.tandem-<first 16 hex digits of key>; dir is
// made, too. Errors are of kind fault.Busy (another process has it),
// fault.Permission or fault.Exists (something else stands in the way).
func OpenWorkspace(dir string, key content.SHA1) (*Workspace, error) { panic("todo") }

// Torrent returns what SaveTorrent kept, an error of kind fault.NotFound if
// nothing.
func (w *Workspace) Torrent() ([]byte, error) { panic("todo") }

// SaveTorrent keeps metadata for the next time, replacing what was kept.
func (w *Workspace) SaveTorrent(data []byte) error { panic("todo") }

// Pieces opens the working copy of m, once for a Workspace; wanted says by file
// what is to appear under its final name, nil stands for all. The Workspace
// belongs to what Pieces returns, whose Close and Remove close it.
//
// A wanted file that already stands under its final name with the right
// length is adopted: its pieces are suspect, it is never written, and when what
// is verified proves it different, WriteAt or Commit is of kind fault.Exists.
// Pieces itself is of that kind when a final name holds anything else, and
// fault.Full when what is still to come does not fit with 64 MiB to spare.
//
// Once every wanted file has its final name, Close deletes the Workspace, unless
// KeepFinished was called.
func (w *Workspace) Pieces(m *content.Manifest, wanted []bool) (store.Pieces, error) {
	panic("todo")
}

// KeepFinished makes Close leave a finished Workspace, so that opening it again
// need not hash the files anew.
func (w *Workspace) KeepFinished() { panic("todo") }

// Close unlocks w and keeps it for the next time. It may be called again.
func (w *Workspace) Close() error { panic("todo") }

// Remove deletes w and everything staged in it, and closes it.
func (w *Workspace) Remove() error { panic("todo") }
