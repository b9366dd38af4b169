package origin

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// ArchiveFormat is "zip" or "tar".
type ArchiveFormat string

// The formats.
const (
	Zip ArchiveFormat = "zip"
	Tar ArchiveFormat = "tar"
)

// Archive writes a folder to w as it is read, without compression. The decision is
// made, and everything that can fail early has, before the first byte is written; begin is called then. A later
// failure leaves an archive without an end.
//
// Names begin with the folder's own, or the collection's. A file is an archive of one. It counts as one download
// of a limited link.
func (s *Server) Archive(ctx context.Context, c Caller, at Place, format ArchiveFormat, w io.Writer, begin func(name string), cut func()) error {
	if format != Zip && format != Tar {
		return fault.Errorf(fault.Invalid, "archive: %q is neither zip nor tar", plain(string(format), 20))
	}
	c = openable(c)
	walk := walk{s: s, c: c, at: at, action: policy.ReadFile}
	top, err := walk.begin(ctx)
	if err == nil {
		err = s.mayList(ctx, c, walk.p, top.Node)
	}
	if err == nil && c.Link != nil && c.Link.MaxDownloads > 0 {
		err = s.reserve(ctx, c, 0, 0)
	}
	if err != nil {
		s.files.tally.refused(s.entry(c, "archive", asked(c, at), outcome(err), ""), c, err)
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := s.files.running.begin(c, policy.ReadFile, walk.p.col.ID, func() {
		cancel(fault.Errorf(fault.Unauthenticated, "the permission for it has ended"))
		if cut != nil {
			cut()
		}
	})
	defer s.files.running.end(run)
	name := top.Node.Name
	if name == "" {
		name = walk.p.col.Name
	}
	a := &archiver{s: s, ctx: ctx, c: c, to: newPacker(format, w), p: walk.p, name: name}
	begin(name)
	err = a.all(&walk, top)
	s.count(c, "archive", walk.p.object(), a.sent, true)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// mayList asks whether c may also see what is below a folder it reads.
func (s *Server) mayList(ctx context.Context, c Caller, p spot, n catalog.Node) error {
	if !n.Folder {
		return nil
	}
	return s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		return s.may(tx, c, policy.ListFiles, p.col)
	})
}

// archiver is an Archive under way.
type archiver struct {
	s    *Server
	ctx  context.Context
	c    Caller
	to   packer
	p    spot
	name string // what every name in the archive begins with
	sent int64
}

func (a *archiver) all(w *walk, top Entry) error {
	if !top.Node.Folder {
		if err := a.file(a.name, top.Node.Version); err != nil {
			return err
		}
		return a.to.end()
	}
	if err := a.to.folder(a.name, top.Node.Created); err != nil {
		return err
	}
	for e, err := range w.below(a.ctx, top.Node) {
		if a.ctx.Err() != nil {
			return ended(a.ctx)
		}
		if err != nil {
			return err
		}
		name := a.name + "/" + strings.TrimPrefix(e.Path[len(joinNames(a.p.names)):], "/")
		if e.Node.Folder {
			err = a.to.folder(name, e.Node.Created)
		} else {
			err = a.file(name, e.Node.Version)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return a.to.end()
}

func (a *archiver) file(name string, v catalog.Version) error {
	to, err := a.to.file(name, v)
	if err != nil {
		return err
	}
	from, err := a.s.bytes(a.ctx, v.Sum)
	if err != nil {
		a.s.damaged(a.c, name, err)
		return err
	}
	n, err := io.Copy(to, io.LimitReader(stopper{a.ctx, from}, v.Sum.Size))
	a.sent += n
	if err == nil && n < v.Sum.Size {
		err = fault.Errorf(fault.Corrupt, "the content ends at byte %d of %d", n, v.Sum.Size)
	}
	return errors.Join(err, from.Close())
}

// stopper reads until a context ends.
type stopper struct {
	ctx  context.Context
	from io.Reader
}

func (s stopper) Read(b []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, ended(s.ctx)
	}
	return s.from.Read(b)
}

// packer writes one kind of archive. Names are those of the tree: checked, without separators
// or dots, joined by "/".
type packer interface {
	folder(name string, t time.Time) error
	file(name string, v catalog.Version) (io.Writer, error) // takes v.Sum.Size bytes
	end() error
}

func newPacker(f ArchiveFormat, w io.Writer) packer {
	if f == Zip {
		return zipPacker{zip.NewWriter(w)}
	}
	return tarPacker{tar.NewWriter(w), false}
}

type zipPacker struct{ w *zip.Writer }

func (z zipPacker) folder(name string, t time.Time) error {
	h := &zip.FileHeader{Name: name + "/", Modified: t.UTC()}
	h.SetMode(0o755 | 1<<31) // fs.ModeDir
	_, err := z.w.CreateHeader(h)
	return err
}

func (z zipPacker) file(name string, v catalog.Version) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Store, Modified: v.Modified.UTC()}
	h.SetMode(0o644)
	return z.w.CreateHeader(h)
}

func (z zipPacker) end() error { return z.w.Close() }

type tarPacker struct {
	w    *tar.Writer
	sums bool // with PAX records that say the SHA-256
}

func (t tarPacker) folder(name string, at time.Time) error {
	return t.w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: at.UTC(), Format: tar.FormatPAX,
	})
}

// sha256Record is the PAX record that names a file's SHA-256, in hex.
const sha256Record = "TANDEM.sha256"

func (t tarPacker) file(name string, v catalog.Version) (io.Writer, error) {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: v.Sum.Size, Mode: 0o644, ModTime: v.Modified.UTC(), Format: tar.FormatPAX,
	}
	if t.sums {
		h.PAXRecords = map[string]string{sha256Record: hexOf(v.Sum.SHA256)}
	}
	return t.w, t.w.WriteHeader(h)
}

func (t tarPacker) end() error { return t.w.Close() }

func hexOf(h content.Hash) string { return fmt.Sprintf("%x", h[:]) }
