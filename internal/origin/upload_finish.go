package origin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// The last step of an upload is tried again for so long while the catalog does not answer,
// or the same content is just being removed.
const (
	tryFor     = 10 * time.Second
	firstDelay = 50 * time.Millisecond
)

// patiently calls f until it returns something else than fault.Unreachable or errRemoving,
// for ten seconds.
func (s *Server) patiently(ctx context.Context, f func() error) error {
	wait := firstDelay
	for left := tryFor; ; left -= wait {
		err := f()
		if err == nil || left <= 0 || !errors.Is(err, fault.Unreachable) && !errors.Is(err, errRemoving{}) {
			return err
		}
		wait = min(2*wait, time.Second)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// unlessInDoubt is patiently for what must not be done twice: it ends where the catalog may have done it.
func (s *Server) unlessInDoubt(ctx context.Context, f func() error) error {
	var doubt error
	err := s.patiently(ctx, func() error {
		err := f()
		if errors.Is(err, catalog.ErrDoubt) {
			doubt = err
			return nil
		}
		return err
	})
	if doubt != nil {
		return doubt
	}
	return err
}

// errRemoving is the fault.Busy of content that is being removed from the store.
type errRemoving struct{ error }

func (e errRemoving) Is(target error) bool {
	_, ok := target.(errRemoving)
	return ok
}
func (e errRemoving) Unwrap() error { return e.error }

// arrival is content on its way to its name.
type arrival struct {
	spot
	payer    catalog.UserID
	via      catalog.LinkID
	modified time.Time
	ifAbsent bool
	ifMatch  content.Hash
	rename   bool
}

// fits says whether a may take the place of what has its name now; nil: nothing.
func (a arrival) fits(there *catalog.Node) error {
	name := a.at(a.names)
	switch {
	case a.rename:
	case there != nil && there.Folder:
		return fault.Errorf(fault.Exists, "%s: a folder has that name", name)
	case there != nil && a.ifAbsent:
		return fault.Errorf(fault.Precondition, "%s: it is there already", name)
	case there == nil && !a.ifMatch.IsZero():
		return fault.Errorf(fault.Precondition, "%s: it is not there any more", name)
	case there != nil && !a.ifMatch.IsZero() && there.Version.Sum.SHA256 != a.ifMatch:
		return fault.Errorf(fault.Precondition, "%s: it has changed", name)
	}
	return nil
}

// place makes sum the file a says, and the folders above it.
func (s *Server) place(tx *catalog.Tx, a arrival, sum content.FileSum) (_ catalog.Node, created bool, _ error) {
	names := slices.Clone(a.names)
	last := len(names) - 1
	parent, _, err := s.folders(tx, a.base, names[:last], a.rename)
	if err != nil {
		return catalog.Node{}, false, fmt.Errorf("%s: %w", a.at(a.names), err)
	}
	there, err := child(tx, parent, names[last])
	if err != nil {
		return catalog.Node{}, false, err
	}
	if err := a.fits(there); err != nil {
		return catalog.Node{}, false, err
	}
	return s.placeIn(tx, a, parent, names[last], there, sum)
}

// child returns what has a name in a folder; nil: nothing.
func child(tx *catalog.Tx, parent catalog.NodeID, name string) (*catalog.Node, error) {
	n, err := tx.Tree.Child(parent, name)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &n, err
}

// placeIn is place in a folder that is there, where there has the name now and a fits.
func (s *Server) placeIn(tx *catalog.Tx, a arrival, parent catalog.NodeID, name string, there *catalog.Node, sum content.FileSum) (n catalog.Node, created bool, err error) {
	if there != nil && a.rename {
		if name, err = s.freeName(tx, parent, name); err != nil {
			return n, false, err
		}
		there = nil
	}
	now := s.now()
	v := catalog.Version{Sum: sum, By: a.payer, Via: a.via, Modified: a.modified, Created: now}
	if v.Modified.IsZero() {
		v.Modified = now
	}
	n, err = tx.Tree.PutFile(parent, name, v)
	return n, there == nil, err
}

// arrived shows c the file that came of its upload.
func (s *Server) arrived(tx *catalog.Tx, c Caller, id catalog.NodeID) (Entry, error) {
	n, err := tx.Tree.Node(id)
	if err != nil {
		return Entry{}, err
	}
	names, _, err := tx.Tree.Path(id)
	if err != nil {
		return Entry{}, err
	}
	p := spot{link: c.Link != nil}
	if p.link {
		above, _, err := tx.Tree.Path(c.Link.Node)
		if err != nil {
			return Entry{}, err
		}
		if len(above) < len(names) && slices.Equal(above, names[:len(above)]) {
			names = names[len(above):]
		} else { // moved elsewhere meanwhile, which is not the holder's business
			names = names[len(names)-1:]
		}
	}
	return p.entry(tx, authors{}, n, names)
}

// finish checks a whole upload and makes it the file. When it cannot, the upload stays as it is, unless it
// never could.
func (s *Server) finish(ctx context.Context, c Caller, in *intake) (*Entry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSteps)
	defer cancel()
	sum := in.sum.Sum()
	if want := in.u.Want; !want.IsZero() && sum.SHA256 != want {
		return nil, s.giveUp(ctx, c, in, fault.Errorf(fault.Corrupt,
			"upload: what arrived has the SHA-256 %x, not the %x that was announced", sum.SHA256, want))
	}
	if sum.Size > 0 {
		if err := s.settle(ctx, in, sum); err != nil {
			return nil, fmt.Errorf("upload: %w", err)
		}
	}
	e, err := s.complete(ctx, c, in, sum)
	if errors.Is(err, fault.Corrupt) { // found damaged since it was claimed, and the staged bytes are gone
		err = errors.Join(in.restart(ctx), lostMeanwhile(err))
	}
	for _, k := range []fault.Kind{
		fault.Precondition, fault.Exists, fault.NotFound, fault.Gone, fault.Invalid, fault.Quota,
	} {
		if errors.Is(err, k) {
			return nil, s.giveUp(ctx, c, in, err)
		}
	}
	return e, err
}

// settle claims the content and commits the bytes to the store, unless it has them.
func (s *Server) settle(ctx context.Context, in *intake, sum content.FileSum) error {
	durable := in.u.Offset
	if in.stage != nil {
		var err error
		if durable, err = in.stage.Sync(ctx); err != nil {
			return err
		}
	}
	m, rest := in.best(durable)
	var state catalog.ContentState
	err := s.patiently(ctx, func() error {
		return s.progress(ctx, func(tx *catalog.Tx) error {
			if err := tx.Uploads.Save(in.u.ID, in.u.Epoch, m.offset, m.state, s.now()); err != nil {
				return err
			}
			var err error
			state, err = s.claim(tx, sum)
			return err
		})
	})
	if err != nil {
		return err
	}
	in.u.Offset, in.u.State, in.marks = m.offset, m.state, rest
	if in.brought = state != catalog.Ready; !in.brought {
		stage := in.stage
		in.stage = nil
		if stage != nil {
			return stage.Discard()
		}
		return s.cfg.Blobs.DropStage(ctx, in.u.ID)
	}
	if in.stage == nil {
		if there, err := s.reopen(ctx, in, sum); there || err != nil {
			return err
		}
	}
	if err := in.stage.Commit(ctx, sum.Root); err != nil {
		return err
	}
	in.stage = nil
	return nil
}

// claim is Contents.Claim; busy content is told apart from a busy upload.
func (s *Server) claim(tx *catalog.Tx, sum content.FileSum) (catalog.ContentState, error) {
	state, err := tx.Contents.Claim(sum, s.now())
	if errors.Is(err, fault.Busy) {
		return state, errRemoving{err}
	}
	return state, err
}

// reopen opens the stage of an upload of which all bytes had arrived when its last step was
// interrupted. there: the step got as far as the store.
func (s *Server) reopen(ctx context.Context, in *intake, sum content.FileSum) (there bool, _ error) {
	stage, err := s.cfg.Blobs.Stage(ctx, in.u.ID, in.u.Size, in.u.Size)
	if err == nil {
		in.stage = stage
		return false, nil
	}
	if !errors.Is(err, fault.NotFound) {
		return false, err
	}
	at, err := s.cfg.Blobs.Stat(ctx, sum.Root)
	if err == nil && at.Size == sum.Size {
		return true, nil
	}
	if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Corrupt) {
		return false, err
	}
	if err := in.restart(ctx); err != nil {
		return false, err
	}
	return false, fault.Errorf(fault.Precondition, "the bytes that had arrived are lost: begin at byte 0 again")
}

// complete is the Update that makes an upload visible.
func (s *Server) complete(ctx context.Context, c Caller, in *intake, sum content.FileSum) (*Entry, error) {
	var e Entry
	var node catalog.NodeID
	err := s.unlessInDoubt(ctx, func() error {
		return s.update(ctx, func(tx *catalog.Tx) error {
			a, err := s.again(tx, c, in)
			if err != nil {
				return err
			}
			if in.brought {
				if err := tx.Contents.SetReady(sum.Root, s.now()); err != nil {
					return err
				}
			}
			if err := tx.Quotas.Release(in.u.User, in.u.Collection, in.u.Size); err != nil {
				return err
			}
			n, created, err := s.place(tx, a, sum)
			if err != nil {
				return err
			}
			node, in.created = n.ID, created
			if err := tx.Uploads.Finish(in.u.ID, in.u.Epoch, n.ID, s.now()); err != nil {
				return err
			}
			if e, err = s.arrived(tx, c, n.ID); err != nil {
				return err
			}
			return s.auditPut(tx, c, a, n, sum)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	in.u.Node, in.u.Offset = node, in.u.Size
	return &e, nil
}

// again decides at the end of an upload as at its begin, with today's rights.
func (s *Server) again(tx *catalog.Tx, c Caller, in *intake) (arrival, error) {
	now, err := s.present(tx, c)
	if err != nil {
		return arrival{}, err
	}
	col, err := tx.Collections.Collection(in.u.Collection)
	if err != nil {
		return arrival{}, fmt.Errorf("collection: %w", err)
	}
	return arrival{
		spot:  spot{col: col, base: col.Root, names: in.u.Path, link: c.Link != nil},
		payer: in.u.User, via: in.u.Via, modified: in.u.Modified,
		ifAbsent: in.u.IfAbsent, ifMatch: in.ifMatch, rename: in.u.Rename,
	}, s.may(tx, now, policy.PublishFile, col)
}

func (s *Server) auditPut(tx *catalog.Tx, c Caller, a arrival, n catalog.Node, sum content.FileSum) error {
	names := append(a.full()[:len(a.above)+len(a.names)-1], n.Name)
	return tx.Audit.Append(s.entry(c, "put", objectName(a.col.Name, names), "ok",
		fmt.Sprintf("bytes=%d sha256=%x", sum.Size, sum.SHA256)))
}

// giveUp ends an upload for good and returns why.
func (s *Server) giveUp(ctx context.Context, c Caller, in *intake, why error) error {
	if in.stage != nil {
		why = errors.Join(why, in.stage.Discard())
		in.stage = nil
	}
	err := s.patiently(ctx, func() error {
		return s.update(ctx, func(tx *catalog.Tx) error {
			u, err := tx.Uploads.Upload(in.u.ID)
			if err != nil || u.Epoch != in.u.Epoch {
				return err
			}
			if err := s.forgetUpload(tx, u); err != nil {
				return err
			}
			return tx.Audit.Append(s.entry(c, "put", "upload "+u.ID+" "+joinNames(u.Path), outcome(why), ""))
		})
	})
	if err != nil && !errors.Is(err, fault.NotFound) {
		s.cfg.Log.Error("upload could not be given up; it will be swept", "upload", in.u.ID, "err", err)
	}
	if err := s.cfg.Blobs.DropStage(ctx, in.u.ID); err != nil {
		s.cfg.Log.Error("staged bytes could not be dropped; they will be swept", "upload", in.u.ID, "err", err)
	}
	return why
}
