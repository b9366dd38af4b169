package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

const (
	// smallPut is the size below which Put holds the whole body in memory and makes no
	// row for it: nothing is to be swept after a crash.
	smallPut = 1 << 20
	// putTTL is how long the row of a bigger Put may outlive a crash.
	putTTL = 24 * time.Hour
)

// Put is a whole upload in one call; when body breaks off nothing of it remains.
// created says whether the name was free. Body is read as WriteUpload reads it.
func (s *Server) Put(ctx context.Context, c Caller, r UploadRequest, body io.Reader) (_ Entry, created bool, _ error) {
	if r.Size >= smallPut {
		return s.putBig(ctx, c, r, body)
	}
	e, created, err := s.putSmall(ctx, c, r, body)
	if err != nil {
		s.refuse(ctx, c, "put", asked(c, r.At), err)
		return Entry{}, false, fmt.Errorf("put %s: %w", asked(c, r.At), err)
	}
	return e, created, nil
}

func (s *Server) putBig(ctx context.Context, c Caller, r UploadRequest, body io.Reader) (Entry, bool, error) {
	u, err := s.beginUpload(ctx, c, r, putTTL)
	if err != nil {
		return Entry{}, false, err
	}
	in, e, err := s.write(ctx, c, u.ID, 0, body)
	if err == nil && e != nil {
		return *e, in.created, nil
	}
	if err == nil {
		err = fault.Errorf(fault.Invalid, "put %s: %d of %d bytes came", asked(c, r.At), in.u.Offset, r.Size)
	}
	if in.u.ID == "" {
		in.u = u
	}
	in.s = s
	return Entry{}, false, s.giveUp(context.WithoutCancel(ctx), c, in, err)
}

func (s *Server) putSmall(ctx context.Context, c Caller, r UploadRequest, body io.Reader) (e Entry, created bool, _ error) {
	if err := s.room(r.Size); err != nil {
		return e, false, err
	}
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error { // before any byte is read
		a, err := s.admit(tx, c, r)
		if err != nil {
			return err
		}
		return s.affordable(tx, a, r.Size)
	})
	if err != nil {
		return e, false, err
	}
	data, err := readWhole(body, int(r.Size))
	if err != nil {
		return e, false, err
	}
	sum := sumOf(data)
	if !r.SHA256.IsZero() && sum.SHA256 != r.SHA256 {
		return e, false, fault.Errorf(fault.Corrupt, "what arrived has the SHA-256 %x, not the %x that was announced", sum.SHA256, r.SHA256)
	}
	brought := false
	if sum.Size > 0 {
		if brought, err = s.storeSmall(ctx, sum, data); err != nil {
			return e, false, err
		}
	}
	err = s.unlessInDoubt(ctx, func() error {
		return s.update(ctx, func(tx *catalog.Tx) error {
			e, created, err = s.completeSmall(tx, c, r, sum, brought)
			return err
		})
	})
	return e, created, lostMeanwhile(err)
}

// readWhole reads a body of exactly size bytes. Memory grows with what arrives.
func readWhole(body io.Reader, size int) ([]byte, error) {
	data := make([]byte, 0, min(size, smallChunk))
	for len(data) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 2*cap(data))), data...)
		}
		n, err := io.ReadFull(body, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && len(data) < size {
			return nil, fault.Errorf(fault.Closed, "the body broke off at byte %d of %d: %w", len(data), size, err)
		}
	}
	if err := (&feed{body: body}).more(); err != nil {
		return nil, err
	}
	return data, nil
}

func sumOf(data []byte) content.FileSum {
	h := content.NewStream()
	h.Write(data)
	return h.Sum()
}

// affordable says early what pay would say at the end.
func (s *Server) affordable(tx *catalog.Tx, a arrival, size int64) error {
	u, err := tx.Accounts.User(a.payer)
	if err != nil {
		return err
	}
	if over(u.Quota, u.Used, u.Reserved, size) {
		return fault.Errorf(fault.Quota, "%d bytes more are over the quota of %d bytes of %s", size, u.Quota, u.Name)
	}
	if over(a.col.Quota, a.col.Used, a.col.Reserved, size) {
		return fault.Errorf(fault.Quota, "%d bytes more are over the quota of %d bytes of %q", size, a.col.Quota, a.col.Name)
	}
	if a.via != 0 {
		l, err := tx.Links.Link(a.via)
		if err != nil {
			return err
		}
		if over(l.MaxBytes, l.Bytes, 0, size) {
			return fault.Errorf(fault.Quota, "%d bytes more are over the %d bytes this link takes", size, l.MaxBytes)
		}
	}
	return nil
}

func over(quota, used, reserved, size int64) bool {
	return quota > 0 && size > 0 && size > quota-used-reserved
}

// lostMeanwhile is err, where content that was there when it was claimed is so no more: it can be
// sent again, and is then stored anew.
func lostMeanwhile(err error) error {
	if errors.Is(err, fault.Corrupt) {
		return retryLater(fault.Busy, time.Second, "the same content was just found damaged: send it again")
	}
	return err
}

// storeSmall claims content and commits it, unless the store has it.
func (s *Server) storeSmall(ctx context.Context, sum content.FileSum, data []byte) (brought bool, _ error) {
	var state catalog.ContentState
	err := s.patiently(ctx, func() error {
		return s.progress(ctx, func(tx *catalog.Tx) error {
			var err error
			state, err = s.claim(tx, sum)
			return err
		})
	})
	if err != nil || state == catalog.Ready {
		return false, err
	}
	return true, s.commit(ctx, sum, data)
}

// commit stages data under a name of its own and commits it.
func (s *Server) commit(ctx context.Context, sum content.FileSum, data []byte) error {
	stage, err := s.stage(ctx, data)
	if err != nil {
		return err
	}
	return commitStage(ctx, stage, sum)
}

// stage stages data under a name of its own.
func (s *Server) stage(ctx context.Context, data []byte) (store.Stage, error) {
	id, err := s.randomText(26)
	if err != nil {
		return nil, err
	}
	stage, err := s.cfg.Blobs.Stage(ctx, id, 0, int64(len(data)))
	if err != nil {
		return nil, err
	}
	if _, err := stage.Write(data); err != nil {
		return nil, errors.Join(err, stage.Discard())
	}
	return stage, nil
}

func commitStage(ctx context.Context, stage store.Stage, sum content.FileSum) error {
	if err := stage.Commit(ctx, sum.Root); err != nil {
		return errors.Join(err, stage.Discard())
	}
	return nil
}

// completeSmall is the Update that makes a small file visible. Quotas are checked and counted in it.
func (s *Server) completeSmall(tx *catalog.Tx, c Caller, r UploadRequest, sum content.FileSum, brought bool) (Entry, bool, error) {
	now, err := s.present(tx, c)
	if err != nil {
		return Entry{}, false, err
	}
	a, err := s.admit(tx, now, r)
	if err != nil {
		return Entry{}, false, err
	}
	if err := s.account(tx, a, sum, brought); err != nil {
		return Entry{}, false, err
	}
	a.modified = canonicalTime(a.modified)
	n, created, err := s.place(tx, a, sum)
	if err != nil {
		return Entry{}, false, err
	}
	if err := s.auditPut(tx, c, a, n, sum); err != nil {
		return Entry{}, false, err
	}
	e, err := s.arrived(tx, c, n.ID)
	return e, created, err
}

// account checks the quotas for sum, and marks its content as there when the caller has brought it. When the
// store had it, PutFile sees to it that it still has.
func (s *Server) account(tx *catalog.Tx, a arrival, sum content.FileSum, brought bool) error {
	if sum.Size == 0 {
		return nil
	}
	if err := s.pay(tx, a.payer, a.col.ID, sum.Size); err != nil {
		return err
	}
	if a.via != 0 {
		if err := tx.Links.AddBytes(a.via, sum.Size); err != nil {
			return err
		}
	}
	if !brought {
		return nil
	}
	return tx.Contents.SetReady(sum.Root, s.now())
}

// present is c as it is now: sessions and tokens that ended, and links that were revoked, end it.
func (s *Server) present(tx *catalog.Tx, c Caller) (Caller, error) {
	c, err := s.renew(tx, c)
	if err != nil || c.Link == nil || c.Subject.Link == nil {
		return c, err
	}
	l, err := tx.Links.Link(c.Link.ID)
	if errors.Is(err, fault.NotFound) {
		return c, errLinkEnded()
	}
	if err != nil {
		return c, err
	}
	sub := *c.Subject.Link
	sub.Expires, sub.Revoked = l.Expires, !l.Revoked.IsZero()
	sub.Locked = sub.Locked || l.Password != c.Link.Password
	sub.UsedUp = false // what is under way was counted before it began
	c.Link, c.Subject.Link = &l, &sub
	return c, nil
}
