package origin

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// maxUpload is the most that a file can have: what a torrent of it could describe.
const maxUpload = int64(content.MaxPieces) * content.MaxPieceLength

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
// name that is taken gets a number. An upload of nothing is finished at once.
func (s *Server) BeginUpload(ctx context.Context, c Caller, r UploadRequest) (catalog.Upload, error) {
	u, err := s.beginUpload(ctx, c, r, s.cfg.UploadTTL)
	if err != nil || r.Size > 0 {
		return u, err
	}
	in := &intake{s: s, u: u, sum: content.NewStream()}
	if _, err := s.finish(ctx, c, in); err != nil {
		return catalog.Upload{}, err
	}
	return in.u, nil
}

// beginUpload makes the row of an upload.
func (s *Server) beginUpload(ctx context.Context, c Caller, r UploadRequest, ttl time.Duration) (catalog.Upload, error) {
	var u catalog.Upload
	id, err := s.randomText(26)
	if err == nil {
		err = s.room(r.Size)
	}
	if err == nil {
		err = s.update(ctx, func(tx *catalog.Tx) error {
			a, err := s.admit(tx, c, r)
			if err != nil {
				return err
			}
			if u, err = a.upload(s, c, r, id, ttl); err != nil {
				return err
			}
			if err := tx.Quotas.Reserve(u.User, u.Collection, u.Size); err != nil {
				return err
			}
			if u.Via != 0 {
				if err := tx.Links.AddBytes(u.Via, u.Size); err != nil {
					return err
				}
			}
			return tx.Uploads.CreateUpload(u)
		})
	}
	if err != nil {
		s.refuse(ctx, c, "put", asked(c, r.At), err)
		return catalog.Upload{}, fmt.Errorf("upload %s: %w", asked(c, r.At), err)
	}
	return u, nil
}

// room refuses what the device has no room for.
func (s *Server) room(size int64) error {
	if size < 0 || size > maxUpload {
		return fault.Errorf(fault.Invalid, "a size of %d bytes: it must be known, and at most %d", size, maxUpload)
	}
	free, total, ok := s.cfg.Blobs.Space()
	if !ok {
		return nil
	}
	least := s.cfg.MinFree
	if least <= 0 {
		least = min(1<<30, total/20)
	}
	if size > 0 && free-size < least {
		return fault.Errorf(fault.Full, "the server has no room for %d bytes more", size)
	}
	return nil
}

// admit asks whether c may put what r says, as far as it can be known before the bytes are
// there. The conditions are asked for again at the end.
func (s *Server) admit(tx *catalog.Tx, c Caller, r UploadRequest) (arrival, error) {
	p, err := s.find(tx, c, policy.PublishFile, r.At)
	if err != nil {
		return arrival{}, err
	}
	if err := p.creatable(); err != nil {
		return arrival{}, err
	}
	a := arrival{
		spot: p, payer: c.User.ID, ifAbsent: r.IfAbsent, ifMatch: r.IfMatch, modified: r.Modified,
	}
	if c.Link != nil {
		top, err := tx.Tree.Node(p.base)
		if err != nil {
			return a, err
		}
		if !top.Folder {
			return a, fault.Errorf(fault.Invalid, "the link leads to a file, not to a folder")
		}
		a.payer, a.via, a.rename = c.Link.By, c.Link.ID, true
	}
	n, err := p.node(tx)
	switch {
	case errors.Is(err, fault.NotFound):
		if err := a.fits(nil); err != nil {
			return a, err
		}
		return a, a.reachable(tx)
	case err != nil:
		return a, err
	}
	return a, a.fits(&n)
}

// reachable says early that a file stands where a folder would have to be.
func (a arrival) reachable(tx *catalog.Tx) error {
	at := a.base
	for _, name := range a.names[:len(a.names)-1] {
		n, err := tx.Tree.Child(at, name)
		switch {
		case errors.Is(err, fault.NotFound) || err == nil && !n.Folder && a.rename:
			return nil
		case err != nil:
			return err
		case !n.Folder:
			return fault.Errorf(fault.Exists, "%s: %q is a file", a.at(a.names), name)
		}
		at = n.ID
	}
	return nil
}

// upload is the row that remembers a.
func (a arrival) upload(s *Server, c Caller, r UploadRequest, id string, ttl time.Duration) (catalog.Upload, error) {
	now := s.now()
	state, err := sealState(a.ifMatch, content.NewStream())
	return catalog.Upload{
		ID: id, User: a.payer, Via: a.via, Collection: a.col.ID, Path: a.full(),
		Size: r.Size, Want: r.SHA256, Modified: canonicalTime(r.Modified),
		IfAbsent: a.ifAbsent, Rename: a.rename,
		Created: now, Updated: now, Expires: now.Add(ttl), State: state,
	}, err
}

// canonicalTime is t as the catalog keeps it; times nobody can have meant become none.
func canonicalTime(t time.Time) time.Time {
	if y := t.Year(); t.IsZero() || y < 1900 || y > 9999 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// sealState puts what an upload's row has no column for in front of the hash state.
func sealState(ifMatch content.Hash, sum *content.Stream) ([]byte, error) {
	return append(ifMatch[:len(ifMatch):len(ifMatch)], sum.State()...), nil
}

func openState(state []byte) (ifMatch content.Hash, sum *content.Stream, err error) {
	if len(state) < len(ifMatch) {
		return ifMatch, nil, fault.Errorf(fault.Invalid, "state of an upload: %d bytes are too few", len(state))
	}
	copy(ifMatch[:], state)
	sum, err = content.ResumeStream(state[len(ifMatch):])
	return ifMatch, sum, err
}

// Upload returns how far an upload is. Another's upload is fault.NotFound. It takes the upload over
// from a writer that may still hold a dead connection, and does the last step of one of which all
// bytes are there.
func (s *Server) Upload(ctx context.Context, c Caller, id string) (catalog.Upload, error) {
	w, err := s.files.take(ctx, id)
	if err != nil {
		return catalog.Upload{}, err
	}
	defer w.release()
	u, err := s.takeUpload(ctx, c, id)
	if err != nil || u.Node != 0 || u.Offset < u.Size {
		return u, err
	}
	in, err := s.resume(ctx, u)
	if err == nil && in.u.Offset == in.u.Size {
		_, err = s.finish(ctx, c, in)
	}
	if err != nil {
		return catalog.Upload{}, err
	}
	return in.u, nil
}

// takeUpload makes the caller the writer of an upload that is its own.
func (s *Server) takeUpload(ctx context.Context, c Caller, id string) (catalog.Upload, error) {
	var u catalog.Upload
	err := s.progress(ctx, func(tx *catalog.Tx) error {
		var err error
		if u, err = s.ownUpload(tx, c, id); err != nil || u.Node != 0 {
			return err
		}
		u, err = tx.Uploads.Take(id, s.now())
		return err
	})
	return u, err
}

// ownUpload finds an upload that c began and may still write to.
func (s *Server) ownUpload(tx *catalog.Tx, c Caller, id string) (catalog.Upload, error) {
	absent := fault.Errorf(fault.NotFound, "upload: there is none of that name, or it has ended")
	if c.Link == nil && !c.Subject.Known {
		return catalog.Upload{}, s.may(tx, c, policy.UseAccount, catalog.Collection{})
	}
	if !uploadName(id) {
		return catalog.Upload{}, absent
	}
	u, err := tx.Uploads.Upload(id)
	if errors.Is(err, fault.NotFound) {
		return u, absent
	}
	if err != nil {
		return u, fmt.Errorf("upload: %w", err)
	}
	own := u.Via == 0 && c.Link == nil && u.User == c.User.ID || u.Via != 0 && c.Link != nil && u.Via == c.Link.ID
	if !own || !s.now().Before(u.Expires) {
		return catalog.Upload{}, absent
	}
	col, err := tx.Collections.Collection(u.Collection)
	if errors.Is(err, fault.NotFound) {
		return catalog.Upload{}, absent
	}
	if err != nil {
		return u, fmt.Errorf("upload: %w", err)
	}
	return u, s.may(tx, c, policy.PublishFile, col)
}

func uploadName(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// DropUpload gives an upload up; what was set aside for it is free again. A finished one is only forgotten.
func (s *Server) DropUpload(ctx context.Context, c Caller, id string) error {
	w, err := s.files.take(ctx, id)
	if err != nil {
		return err
	}
	defer w.release()
	err = s.update(ctx, func(tx *catalog.Tx) error {
		u, err := s.ownUpload(tx, c, id)
		if err != nil {
			return err
		}
		return s.forgetUpload(tx, u)
	})
	if err != nil {
		s.refuse(ctx, c, "put", "upload "+plain(id, 64), err)
		return err
	}
	return s.cfg.Blobs.DropStage(ctx, id)
}

// forgetUpload removes an upload's row and gives back what was set aside for it. The staged
// bytes are the caller's to drop, behind the Update.
func (s *Server) forgetUpload(tx *catalog.Tx, u catalog.Upload) error {
	if u.Node == 0 {
		if err := tx.Quotas.Release(u.User, u.Collection, u.Size); err != nil {
			return err
		}
		if u.Via != 0 {
			if err := tx.Links.AddBytes(u.Via, -u.Size); err != nil && !errors.Is(err, fault.NotFound) {
				return err
			}
		}
	}
	return tx.Uploads.DeleteUpload(u.ID)
}

// randomText returns n characters of [a-z2-7], five bits each.
func (s *Server) randomText(n int) (string, error) {
	b := make([]byte, (n*5+7)/8)
	if err := s.random(b); err != nil {
		return "", fmt.Errorf("random: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))[:n], nil
}
