package origin

import (
	"context"
	"io"
	"iter"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

type files struct{}

// --- names

func (s *Server) Stat(ctx context.Context, c Caller, at Place) (Entry, error) {
	return Entry{}, errNotBuilt
}

// List returns a page of a folder, names behind after; limit is cut to 1,000, 0: 200.
func (s *Server) List(ctx context.Context, c Caller, at Place, after string, limit int) (Listing, error) {
	return Listing{}, errNotBuilt
}

// Walk yields what is below a folder, a folder before what is in it, names in
// byte order; a file yields itself. It reads page by page, so that changes made meanwhile may or may not
// show.
func (s *Server) Walk(ctx context.Context, c Caller, at Place) iter.Seq2[Entry, error] { return nil }

// MakeFolder makes a folder and those above it; one that is there is fine.
func (s *Server) MakeFolder(ctx context.Context, c Caller, at Place) (Entry, error) {
	return Entry{}, errNotBuilt
}

// Move renames or moves within a collection.
func (s *Server) Move(ctx context.Context, c Caller, from, to Place) (Entry, error) {
	return Entry{}, errNotBuilt
}

// Trash moves a file or folder to the trash; Restore takes it back, under a free name if its own is taken.
func (s *Server) Trash(ctx context.Context, c Caller, at Place) (catalog.Node, error) {
	return catalog.Node{}, errNotBuilt
}

// TrashedEntry is something in the trash.
type TrashedEntry struct {
	Node catalog.Node
	Path string // where it was
	By   string
	Goes time.Time // when it is removed for good
}

func (s *Server) TrashList(ctx context.Context, c Caller, collection string, after catalog.NodeID, limit int) ([]TrashedEntry, error) {
	return nil, errNotBuilt
}

func (s *Server) Restore(ctx context.Context, c Caller, collection string, id catalog.NodeID) (Entry, error) {
	return Entry{}, errNotBuilt
}

// Purge removes for good; it needs Administer.
func (s *Server) Purge(ctx context.Context, c Caller, collection string, id catalog.NodeID) error {
	return errNotBuilt
}

func (s *Server) Versions(ctx context.Context, c Caller, at Place) ([]catalog.Version, error) {
	return nil, errNotBuilt
}

// RestoreVersion makes a copy of an older version the current one.
func (s *Server) RestoreVersion(ctx context.Context, c Caller, at Place, id catalog.VersionID) (Entry, error) {
	return Entry{}, errNotBuilt
}

// Search looks for text in names in one collection, or in all the caller may list when collection is "".
func (s *Server) Search(ctx context.Context, c Caller, collection, text string, limit int) ([]Found, error) {
	return nil, errNotBuilt
}

// Found is a hit of Search.
type Found struct {
	Collection string
	Entry      Entry
}

// --- uploads

// UploadRequest begins an upload.
type UploadRequest struct {
	At       Place
	Size     int64        // bytes; must be known, so that it can be set aside
	SHA256   content.Hash // what the client says; zero: not said
	Modified time.Time
	IfAbsent bool // fault.Precondition when the name is taken at the end
	// IfMatch makes the upload fail with fault.Precondition unless the file's current SHA-256 is this; zero: not asked.
	IfMatch content.Hash
}

// BeginUpload decides, sets the size aside and returns the upload. fault.Quota,
// fault.Full, fault.Permission come before any byte. For a link of kind upload, a
// name that is taken gets a number.
func (s *Server) BeginUpload(ctx context.Context, c Caller, r UploadRequest) (catalog.Upload, error) {
	return catalog.Upload{}, errNotBuilt
}

// Upload returns how far an upload is. Another's upload is fault.NotFound. It takes the upload over
// from a writer that may still hold a dead connection.
func (s *Server) Upload(ctx context.Context, c Caller, id string) (catalog.Upload, error) {
	return catalog.Upload{}, errNotBuilt
}

// WriteUpload appends body at offset, which must be the upload's (fault.Precondition otherwise). What
// arrived is kept when body breaks off. With the last byte the content is checked
// (fault.Corrupt, and the upload is gone) and becomes the file: entry is then set. A later
// writer of the same upload ends this one with fault.Busy.
func (s *Server) WriteUpload(ctx context.Context, c Caller, id string, offset int64, body io.Reader) (_ catalog.Upload, entry *Entry, _ error) {
	return catalog.Upload{}, nil, errNotBuilt
}
func (s *Server) DropUpload(ctx context.Context, c Caller, id string) error { return errNotBuilt }

// Put is a whole upload in one call; when body breaks off nothing of it remains.
// created says whether the name was free.
func (s *Server) Put(ctx context.Context, c Caller, r UploadRequest, body io.Reader) (_ Entry, created bool, _ error) {
	return Entry{}, false, errNotBuilt
}

// BatchFile is one small file of PutBatch; Content is at most MaxBatchFile long.
type BatchFile struct {
	Path     string // below the batch's place
	Content  []byte
	Modified time.Time
	SHA256   content.Hash // zero: not said
}

// Limits of PutBatch.
const (
	MaxBatchFile  = 256 << 10
	MaxBatchBytes = 16 << 20
	MaxBatchFiles = 1024
)

// BatchResult is what became of one file.
type BatchResult struct {
	Path  string
	Entry Entry
	Err   error
}

// PutBatch stores many small files with one sync and one transaction; each stands or falls alone.
func (s *Server) PutBatch(ctx context.Context, c Caller, at Place, list []BatchFile) ([]BatchResult, error) {
	return nil, errNotBuilt
}

// --- downloads

// Download is content being given to somebody.
type Download struct {
	Entry   Entry
	Version catalog.Version
	Content io.ReadSeekCloser // an *os.File with the disk driver
	close   func(sent int64, err error)
}

// Open decides and opens a file, or one of its older versions (0: the current one). A limited link's download is reserved before
// this returns, for the bytes from start on: start > 0 goes on with one begun from the same address. HEAD
// requests use Stat. cut is called, at most once and from another goroutine, when the permission
// ends while the download runs.
func (s *Server) Open(ctx context.Context, c Caller, at Place, version catalog.VersionID, start int64, cut func()) (*Download, error) {
	return nil, errNotBuilt
}

// Close ends a download and counts it: sent bytes of content, and the error that ended it early, if any.
func (d *Download) Close(sent int64, err error) error {
	if d.close != nil {
		d.close(sent, err)
	}
	return d.Content.Close()
}

// ArchiveFormat is "zip" or "tar".
type ArchiveFormat string

// Archive writes a folder to w as it is read, without compression. The decision is
// made, and everything that can fail early has, before the first byte is written; begin is called then. A later
// failure leaves an archive without an end.
func (s *Server) Archive(ctx context.Context, c Caller, at Place, format ArchiveFormat, w io.Writer, begin func(name string), cut func()) error {
	return errNotBuilt
}

// Fetch writes the named small files below at to w as a tar in one go; missing ones are left out.
func (s *Server) Fetch(ctx context.Context, c Caller, at Place, paths []string, w io.Writer, begin func(), cut func()) error {
	return errNotBuilt
}
