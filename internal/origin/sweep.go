package origin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

const (
	// unusedFor is how long content that no version names stays, and staged bytes
	// that no upload has.
	unusedFor = 24 * time.Hour
	// sweepPage is how much one transaction of a Sweep looks at.
	sweepPage = 100
	// purgePage is how many nodes or versions one transaction removes.
	purgePage = 500
	// strayEvery is how often the store is searched for content that the catalog
	// does not know: that reads the list of all of it.
	strayEvery = 24 * time.Hour
	strayLast  = "sweep/strays" // the setting that says when it was
	// removers is how many contents are removed at once.
	removers = 8
)

// Swept is what one Sweep removed.
type Swept struct {
	Trash, Versions, Uploads, Stages, Blobs int
	Bytes                                   int64
}

// Sweep removes what nobody can reach any more: trash and versions past their
// time, expired uploads, staged bytes without an upload, content without a version for a day. While a
// backup runs it leaves content alone. Of several at once, on any instances, one removes content.
func (s *Server) Sweep(ctx context.Context) (Swept, error) {
	owner, err := s.randomText(16)
	if err != nil {
		return Swept{}, err
	}
	w := &sweep{s: s, now: s.now(), owner: owner}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"trash", w.trash},
		{"versions", w.versions},
		{"uploads", w.uploads},
		{"staged bytes", w.stages},
		{"content", w.content},
	} {
		if e := step.run(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("sweep %s: %w", step.name, e))
		}
	}
	return w.Swept, errors.Join(err, w.end(ctx), w.audit(ctx))
}

// sweep is a Sweep under way.
type sweep struct {
	Swept
	s     *Server
	now   time.Time
	owner string
	held  bool // the lease
	// denied says that a backup or another sweep has the content.
	denied bool
}

// audit says what was removed, if anything was.
func (w *sweep) audit(ctx context.Context) error {
	if w.Swept == (Swept{}) {
		return nil
	}
	e := w.s.entry(Caller{}, "sweep", "server", "ok", fmt.Sprintf("trash=%d versions=%d uploads=%d stages=%d contents=%d bytes=%d",
		w.Trash, w.Versions, w.Uploads, w.Stages, w.Blobs, w.Bytes))
	e.Actor = "server"
	return w.s.update(context.WithoutCancel(ctx), func(tx *catalog.Tx) error { return tx.Audit.Append(e) })
}

// trash purges what was in the trash for its time.
func (w *sweep) trash(ctx context.Context) error {
	for {
		var due []catalog.Node
		err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
			due, err = tx.Tree.TrashedBefore(w.now, w.s.cfg.KeepTrash, sweepPage)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		before := w.Trash
		for _, n := range due {
			if err := w.purge(ctx, n); err != nil {
				return err
			}
		}
		if w.Trash == before { // nothing was left of it
			return nil
		}
	}
}

// purge removes a node and all below it, in steps.
func (w *sweep) purge(ctx context.Context, n catalog.Node) error {
	for {
		var done, mine bool
		err := w.s.update(ctx, func(tx *catalog.Tx) error {
			done, mine = true, false
			now, err := tx.Tree.Node(n.ID)
			if errors.Is(err, fault.NotFound) || err == nil && !now.Trashed.Equal(n.Trashed) {
				return nil // purged, or taken out, by somebody meanwhile
			}
			if err == nil {
				mine = true
				done, err = tx.Tree.Purge(n.ID, purgePage)
			}
			return err
		})
		if err != nil {
			return err
		}
		if done {
			if mine {
				w.Trash++
			}
			return nil
		}
	}
}

// versions drops those that were replaced long ago.
func (w *sweep) versions(ctx context.Context) error {
	for {
		var n int
		err := w.s.update(ctx, func(tx *catalog.Tx) (err error) {
			n, err = tx.Tree.DropVersions(w.now, w.s.cfg.KeepVersions, purgePage)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		w.Versions += n
	}
}

// uploads gives up those that have expired, and forgets those that have ended.
func (w *sweep) uploads(ctx context.Context) error {
	for {
		var due []catalog.Upload
		err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
			due, err = tx.Uploads.ExpiredUploads(w.now, sweepPage)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, u := range due {
			if err := w.forget(ctx, u); err != nil {
				return err
			}
		}
	}
}

func (w *sweep) forget(ctx context.Context, u catalog.Upload) error {
	writer, err := w.s.files.take(ctx, u.ID)
	if err != nil {
		return err
	}
	defer writer.release()
	err = w.s.update(ctx, func(tx *catalog.Tx) error {
		now, err := tx.Uploads.Upload(u.ID)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return w.s.forgetUpload(tx, now)
	})
	if err != nil {
		return err
	}
	w.Uploads++
	if u.Node != 0 {
		return nil
	}
	return w.s.cfg.Blobs.DropStage(ctx, u.ID)
}

// stages drops old staged bytes that no upload goes on with.
func (w *sweep) stages(ctx context.Context) error {
	var old []string
	flush := func() error {
		var drop []string
		err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
			drop = nil
			for _, id := range old {
				u, err := tx.Uploads.Upload(id)
				if errors.Is(err, fault.NotFound) || err == nil && u.Node != 0 {
					drop = append(drop, id)
				} else if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range drop {
			if err := w.s.cfg.Blobs.DropStage(ctx, id); err != nil {
				return err
			}
			w.Stages++
		}
		old = nil
		return nil
	}
	for info, err := range w.s.cfg.Blobs.Stages(ctx) {
		if err != nil {
			return err
		}
		if w.now.Sub(info.Modified) < unusedFor {
			continue
		}
		if old = append(old, info.ID); len(old) == sweepPage {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// content removes what no version names, and once a day what the catalog does not
// even know.
func (w *sweep) content(ctx context.Context) error {
	for {
		var unused []catalog.Content
		err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
			unused, err = tx.Contents.Unused(w.now.Add(-unusedFor), sweepPage)
			return err
		})
		if err != nil {
			return err
		}
		removed, err := w.remove(ctx, unused)
		if err != nil {
			return err
		}
		if removed == 0 {
			return w.strays(ctx)
		}
	}
}

// strays removes old content of the store that the catalog does not know.
func (w *sweep) strays(ctx context.Context) error {
	var last string
	err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		last, err = setting(tx, strayLast)
		return err
	})
	if err != nil || w.now.Sub(settingTime(last)) < strayEvery {
		return err
	}
	var page []catalog.Content
	flush := func() error {
		unknown, err := w.unknown(ctx, page)
		if err == nil {
			_, err = w.remove(ctx, unknown)
		}
		page = nil
		return err
	}
	for info, err := range w.s.cfg.Blobs.List(ctx) {
		if err != nil {
			return err
		}
		if w.now.Sub(info.Modified) < unusedFor {
			continue
		}
		if page = append(page, catalog.Content{Sum: content.FileSum{Root: info.Root, Size: info.Size}}); len(page) == sweepPage {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil || w.denied {
		return err
	}
	return w.s.update(ctx, func(tx *catalog.Tx) error {
		return tx.Settings.Set(strayLast, strconv.FormatInt(w.now.UnixMicro(), 10))
	})
}

// unknown returns those of page that the catalog does not know.
func (w *sweep) unknown(ctx context.Context, page []catalog.Content) (list []catalog.Content, _ error) {
	err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		list = nil
		for _, c := range page {
			_, err := tx.Contents.Content(c.Sum.Root)
			if errors.Is(err, fault.NotFound) {
				list = append(list, c)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// remove deletes contents that are still unused, and returns how many. It returns 0
// when another sweep or a backup has the content.
func (w *sweep) remove(ctx context.Context, list []catalog.Content) (int, error) {
	if len(list) == 0 {
		return 0, nil
	}
	// Nothing may be removed when the lease is no longer ours.
	ctx, cancel := context.WithTimeout(ctx, leaseFor/2)
	defer cancel()
	var doomed []catalog.Content
	err := w.s.update(ctx, func(tx *catalog.Tx) (err error) {
		doomed = nil
		if w.held, err = w.lease(tx); err != nil || !w.held {
			w.denied = err == nil
			return err
		}
		doomed, err = w.condemn(tx, list)
		return err
	})
	if err != nil {
		return 0, err
	}
	gone, err := w.delete(ctx, doomed)
	if len(gone) == 0 {
		return 0, err
	}
	err = errors.Join(err, w.s.update(ctx, func(tx *catalog.Tx) error {
		for _, c := range gone {
			if err := tx.Contents.Drop(c.Sum.Root); err != nil && !errors.Is(err, fault.Busy) {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		return 0, err
	}
	for _, c := range gone {
		w.Blobs++
		w.Bytes += c.Sum.Size
	}
	return len(gone), nil
}

// lease takes the right to remove content, or renews it.
func (w *sweep) lease(tx *catalog.Tx) (held bool, err error) {
	until, err := setting(tx, backupUntil)
	if err != nil {
		return false, err
	}
	there, err := setting(tx, sweepLease)
	if err != nil {
		return false, err
	}
	now := w.s.now()
	owner, _, _ := strings.Cut(there, " ")
	if settingTime(until).After(now) || owner != w.owner && settingTime(there).After(now) {
		return false, nil
	}
	return true, tx.Settings.Set(sweepLease, fmt.Sprintf("%s %d", w.owner, now.Add(leaseFor).UnixMicro()))
}

// end gives the lease back.
func (w *sweep) end(ctx context.Context) error {
	if !w.held {
		return nil
	}
	return w.s.update(context.WithoutCancel(ctx), func(tx *catalog.Tx) error {
		there, err := setting(tx, sweepLease)
		if owner, _, _ := strings.Cut(there, " "); err != nil || owner != w.owner {
			return err
		}
		return tx.Settings.Set(sweepLease, "")
	})
}

// condemn marks what may be removed. From then on an upload of the same content waits.
func (w *sweep) condemn(tx *catalog.Tx, list []catalog.Content) (doomed []catalog.Content, _ error) {
	for _, c := range list {
		now, err := tx.Contents.Content(c.Sum.Root)
		switch {
		case errors.Is(err, fault.NotFound): // the store has it, and nobody else
		case err != nil:
			return nil, err
		case now.State != catalog.Removing && !now.Created.Before(w.now.Add(-unusedFor)):
			continue // claimed again meanwhile
		default:
			if now.Sum.Size > 0 {
				c.Sum = now.Sum
			}
		}
		err = tx.Contents.SetRemoving(c.Sum.Root)
		if errors.Is(err, fault.Busy) {
			continue
		}
		if err != nil {
			return nil, err
		}
		doomed = append(doomed, c)
	}
	return doomed, nil
}

// delete removes contents from the store and returns those that are gone.
func (w *sweep) delete(ctx context.Context, doomed []catalog.Content) (gone []catalog.Content, _ error) {
	errs := make([]error, len(doomed))
	each(len(doomed), removers, func(i int) { errs[i] = w.s.cfg.Blobs.Remove(ctx, doomed[i].Sum.Root) })
	for i, err := range errs {
		if err == nil {
			gone = append(gone, doomed[i])
		}
	}
	return gone, errors.Join(errs...)
}
