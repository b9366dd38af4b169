package origin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
	"tandem/internal/store"
)

const (
	// openKeep is how long a decision to let somebody read is good for.
	openKeep = time.Second
	openMost = 8192
	// resumeWithin is how long a limited link's download may be gone on with.
	resumeWithin = 24 * time.Hour
)

// Download is content being given to somebody.
type Download struct {
	Entry   Entry
	Version catalog.Version
	Content io.ReadSeekCloser // an *os.File with the disk driver

	s      *Server
	c      Caller
	object string
	fresh  bool // from the first byte on
	run    *running
	once   sync.Once
}

// opening is what a decision to let somebody read depends on.
type opening struct {
	user           int64
	session, token int64
	role           policy.Role
	limit          policy.Rights
	link           catalog.LinkID
	place          Place
	version        catalog.VersionID
}

// opened is what is remembered of it.
type opened struct {
	entry   Entry
	version catalog.Version
	col     catalog.CollectionID
	object  string
}

// Open decides and opens a file, or one of its older versions (0: the current one). A limited link's download is reserved before
// this returns, for the bytes from start on: start > 0 goes on with one begun from the same address, or begins one. HEAD
// requests use Stat. cut is called, at most once and from another goroutine, when the permission
// ends while the download runs.
//
// A decision is remembered for a second, or until something is changed by this Server.
// fault.Corrupt: the content is missing or not of its size.
func (s *Server) Open(ctx context.Context, c Caller, at Place, version catalog.VersionID, start int64, cut func()) (*Download, error) {
	c = openable(c)
	o, err := s.mayOpen(ctx, c, at, version)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, c, o, start, cut)
}

// mayOpen is decideOpen, or what is remembered of it.
func (s *Server) mayOpen(ctx context.Context, c Caller, at Place, version catalog.VersionID) (o opened, _ error) {
	gen, now := s.writes(), s.now()
	key, good := openKey(c, at, version, now)
	if good {
		var done func()
		if o, done = s.files.openings().turn(ctx, key, gen, now); done == nil {
			return o, nil
		}
		defer done()
	}
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		var err error
		o, err = s.decideOpen(tx, c, at, version)
		return err
	})
	if err != nil {
		if !errors.Is(err, fault.NotFound) {
			s.files.tally.refused(s.entry(c, "get", asked(c, at), outcome(err), ""), c, err)
		}
		return opened{}, err
	}
	if good {
		s.files.openings().put(key, o, gen, now)
	}
	return o, nil
}

// open opens the bytes, and reserves the download of a limited link.
func (s *Server) open(ctx context.Context, c Caller, o opened, start int64, cut func()) (*Download, error) {
	d := &Download{Entry: o.entry, Version: o.version, s: s, c: c, object: o.object, fresh: start <= 0}
	var err error
	if d.Content, err = s.bytes(ctx, o.version.Sum); err != nil {
		s.damaged(c, o.object, err)
		return nil, fmt.Errorf("%s: %w", o.entry.Path, err)
	}
	if c.Link != nil && c.Link.MaxDownloads > 0 {
		if err := s.reserve(ctx, c, o.version.Sum.Size, start); err != nil {
			return nil, errors.Join(err, d.Content.Close())
		}
	}
	d.run = s.files.running.begin(c, policy.ReadFile, o.col, cut)
	return d, nil
}

// openable is c with a used up link taken for a good one: whether a download may begin or go on is
// decided, exactly, when it is counted.
func openable(c Caller) Caller {
	if c.Subject.Link != nil && c.Subject.Link.UsedUp {
		link := *c.Subject.Link
		link.UsedUp = false
		c.Subject.Link = &link
	}
	return c
}

// openKey returns under what a decision may be remembered. Who stands badly is decided about each time.
func openKey(c Caller, at Place, version catalog.VersionID, now time.Time) (opening, bool) {
	k := opening{
		user: c.Subject.User, session: c.Session, token: c.Token, role: c.Subject.Role,
		limit: c.Subject.Limit, place: at, version: version,
	}
	if l := c.Subject.Link; l != nil && c.Link != nil {
		k.link = c.Link.ID
		return k, !l.Locked && !l.Revoked && (l.Expires.IsZero() || now.Before(l.Expires))
	}
	sub := c.Subject
	return k, sub.Known && !sub.Disabled && (sub.Expires.IsZero() || now.Before(sub.Expires))
}

// decideOpen asks policy and finds the version.
func (s *Server) decideOpen(tx *catalog.Tx, c Caller, at Place, version catalog.VersionID) (opened, error) {
	p, err := s.find(tx, c, policy.ReadFile, at)
	if err != nil {
		return opened{}, err
	}
	n, err := p.file(tx)
	if err != nil {
		return opened{}, err
	}
	if version != 0 {
		if err := notByLink(c); err != nil {
			return opened{}, err
		}
	}
	o := opened{col: p.col.ID, object: p.object()}
	if o.version, err = p.version(tx, n, version); err != nil {
		return opened{}, err
	}
	if version != 0 {
		o.object += fmt.Sprintf(" version %d", o.version.ID)
	}
	o.entry, err = p.entry(tx, authors{}, n, p.names)
	return o, err
}

// reserve counts a download of a limited link before its first byte.
func (s *Server) reserve(ctx context.Context, c Caller, size, start int64) error {
	remote := c.Remote.Unmap().String()
	err := s.progress(ctx, func(tx *catalog.Tx) error {
		now := s.now()
		if !c.Node.IsZero() { // of a node whose join was counted; keepBooks charges what it is sent
			err := tx.Links.ContinueDownload(c.Link.ID, downloadOf(c.Node), 0, now)
			if err == nil || !errors.Is(err, fault.Gone) {
				return err
			}
		}
		if start > 0 {
			err := tx.Links.ContinueDownload(c.Link.ID, remote, size-min(start, size), now)
			if err == nil || !errors.Is(err, fault.Gone) {
				return err
			}
		}
		return tx.Links.BeginDownload(c.Link.ID, remote, size, now, now.Add(resumeWithin))
	})
	if errors.Is(err, fault.Gone) {
		err = &refused{kind: fault.Gone, reason: policy.LinkUsedUp, text: "this link has no downloads left"}
		s.files.tally.refused(s.entry(c, "get", asked(c, Place{}), outcome(err), ""), c, err)
	}
	return err
}

// bytes opens content, and sees to it that it has its size.
func (s *Server) bytes(ctx context.Context, sum content.FileSum) (io.ReadSeekCloser, error) {
	if sum.Size == 0 {
		return nothing{bytes.NewReader(nil)}, nil
	}
	f, blob, err := s.cfg.Blobs.Open(ctx, sum.Root)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.Errorf(fault.Corrupt, "the content is missing from the store")
	}
	if err != nil {
		return nil, err
	}
	if blob.Size != sum.Size {
		return nil, errors.Join(fault.Errorf(fault.Corrupt, "the content has %d bytes instead of %d", blob.Size, sum.Size), f.Close())
	}
	return f, nil
}

// nothing is the content of an empty file.
type nothing struct{ *bytes.Reader }

func (nothing) Close() error { return nil }

// damaged writes down that content was asked for and is not whole.
func (s *Server) damaged(c Caller, object string, err error) {
	if errors.Is(err, fault.Corrupt) {
		s.cfg.Log.Error("content is damaged", "object", object, "err", err)
		s.files.tally.add(s.entry(c, "damaged", object, outcome(err), ""), 0, 0, 0)
	}
}

// Close ends a download and counts it: sent bytes of content, and the error that ended it early, if any. Without one nobody
// may read Content any more, from no goroutine: it is given to whoever asks for the same next.
// It may be called more than once.
func (d *Download) Close(sent int64, err error) (closing error) {
	d.once.Do(func() {
		d.s.files.running.end(d.run)
		d.s.count(d.c, "get", d.object, sent, d.fresh)
		if err == nil {
			closing = d.giveBack()
		} else {
			closing = d.Content.Close()
		}
	})
	return closing
}

// giveBack closes the content, which may be opened again soon.
func (d *Download) giveBack() error {
	if r, ok := d.s.cfg.Blobs.(store.Reuser); ok && d.Version.Sum.Size > 0 {
		return r.GiveBack(d.Version.Sum.Root, d.Content)
	}
	return d.Content.Close()
}

// count adds a download to what Run writes down each second.
func (s *Server) count(c Caller, action, object string, sent int64, fresh bool) {
	var link catalog.LinkID
	if c.Link != nil && c.Link.MaxDownloads == 0 && fresh {
		link = c.Link.ID
	}
	s.files.tally.transfer(s, c, action, object, sent, link)
}
