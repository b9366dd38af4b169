package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

const (
	scrubPage = 100 // contents of one transaction
	scrubbers = 4   // contents read at once
	mostPaths = 20  // named for each damage
)

// ScrubReport is the outcome of Scrub.
type ScrubReport struct {
	Checked int64
	Bytes   int64
	Damaged []Damage // quarantined
	Missing []Damage // the catalog names it, the store has it not
	Stray   int64    // in the store, named by nobody; left for Sweep
}

// Scrub hashes all content again. What is not whole is read twice before it is
// believed, then quarantined and marked, so that an upload of the same content
// heals it. It may run beside a server. The report is good as far as it got when
// there is an error.
func Scrub(ctx context.Context, cat catalog.Catalog, blobs store.Blobs, now func() time.Time, progress func(bytes, total int64)) (ScrubReport, error) {
	s := &scrub{cat: cat, blobs: blobs, now: now, progress: progress, begun: now().UTC().Truncate(time.Microsecond)}
	if err := s.survey(ctx); err != nil {
		return s.ScrubReport, fmt.Errorf("scrub: %w", err)
	}
	for {
		var page []catalog.Content
		err := cat.View(ctx, func(tx *catalog.Tx) (err error) {
			page, err = tx.Contents.ToCheck(s.begun, scrubPage)
			return err
		})
		if err == nil && len(page) > 0 {
			err = s.check(ctx, page)
		}
		if err != nil {
			return s.ScrubReport, fmt.Errorf("scrub: %w", err)
		}
		if len(page) == 0 {
			return s.ScrubReport, nil
		}
	}
}

// scrub is a Scrub under way.
type scrub struct {
	ScrubReport
	cat      catalog.Catalog
	blobs    store.Blobs
	now      func() time.Time
	begun    time.Time
	progress func(bytes, total int64)

	mu          sync.Mutex // guards the fields below
	done, total int64      // bytes
}

func (s *scrub) read(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done += n; s.progress != nil {
		s.progress(s.done, max(s.done, s.total))
	}
}

// survey looks at what the store lists.
func (s *scrub) survey(ctx context.Context) error {
	if err := s.blobs.Probe(ctx); err != nil { // rather than to miss everything
		return err
	}
	var page []content.Hash
	flush := func() error {
		var stray int64
		err := s.cat.View(ctx, func(tx *catalog.Tx) error {
			stray = 0
			for _, root := range page {
				_, err := tx.Contents.Content(root)
				if errors.Is(err, fault.NotFound) {
					stray++
				} else if err != nil {
					return err
				}
			}
			return nil
		})
		s.Stray += stray
		page = page[:0]
		return err
	}
	for info, err := range s.blobs.List(ctx) {
		if err != nil {
			return err
		}
		s.total += info.Size
		if page = append(page, info.Root); len(page) == scrubPage {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// verdict is what a look at content came to.
type verdict struct {
	whole, missing bool
	err            error // that says nothing about the content
}

// check hashes a page and records what came of it.
func (s *scrub) check(ctx context.Context, page []catalog.Content) error {
	found := make([]verdict, len(page))
	each(len(page), scrubbers, func(i int) { found[i] = s.look(ctx, page[i].Sum) })
	for i, v := range found {
		if v.err != nil {
			return v.err
		}
		if !v.whole && !v.missing {
			if err := s.quarantine(ctx, page[i]); err != nil {
				return err
			}
		}
	}
	at := s.now()
	if at.Before(s.begun) { // the clock was set back: it must not be looked at again for ever
		at = s.begun
	}
	var bad []int
	paths := make(map[int][]string)
	err := s.cat.Update(ctx, func(tx *catalog.Tx) error {
		bad = bad[:0]
		for i, c := range page {
			now, err := tx.Contents.Content(c.Sum.Root)
			if errors.Is(err, fault.NotFound) || err == nil && !now.Created.Equal(c.Created) && !found[i].whole {
				continue // swept, or brought anew meanwhile
			}
			if err == nil {
				err = tx.Contents.SetChecked(c.Sum.Root, at, found[i].whole)
			}
			if err == nil && !found[i].whole && now.State == catalog.Ready {
				bad = append(bad, i)
				paths[i], err = tx.Contents.Users(c.Sum.Root, mostPaths)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, v := range found {
		if v.whole {
			s.Bytes += page[i].Sum.Size
		}
	}
	s.Checked += int64(len(page))
	for _, i := range bad {
		d := Damage{Root: page[i].Sum.Root, Size: page[i].Sum.Size, Paths: paths[i]}
		if found[i].missing {
			s.Missing = append(s.Missing, d)
		} else {
			s.Damaged = append(s.Damaged, d)
		}
	}
	return nil
}

// look reads content, twice if it does not look whole the first time.
func (s *scrub) look(ctx context.Context, want content.FileSum) (v verdict) {
	for range 2 {
		got, err := sumOfBlob(ctx, s.blobs, want.Root, s.read)
		switch {
		case err == nil && got == want:
			return verdict{whole: true}
		case errors.Is(err, fault.NotFound):
			return verdict{missing: true}
		case err != nil && !damaging(err):
			return verdict{err: err}
		}
	}
	return verdict{}
}

// quarantine puts content apart, unless it was brought anew since it was looked at.
func (s *scrub) quarantine(ctx context.Context, c catalog.Content) error {
	same := false
	err := s.cat.View(ctx, func(tx *catalog.Tx) error {
		now, err := tx.Contents.Content(c.Sum.Root)
		same = err == nil && now.State == catalog.Ready && now.Created.Equal(c.Created)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
	if err != nil || !same {
		return err
	}
	err = s.blobs.Quarantine(ctx, c.Sum.Root)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// damaging says whether an error of reading means that the content is damaged: other
// errors pass.
func damaging(err error) bool {
	return errors.Is(err, fault.Corrupt) || errors.Is(err, syscall.EIO)
}

// sumOfBlob hashes what the store has under root. Read is told how many bytes were read.
func sumOfBlob(ctx context.Context, blobs store.Blobs, root content.Hash, read func(int64)) (content.FileSum, error) {
	r, _, err := blobs.Open(ctx, root)
	if err != nil {
		return content.FileSum{}, err
	}
	sum, err := sumOfReader(ctx, r, read)
	return sum, errors.Join(err, r.Close())
}

// sumOfReader hashes r to its end.
func sumOfReader(ctx context.Context, r io.Reader, read func(int64)) (content.FileSum, error) {
	sum := content.NewStream()
	_, err := copyCounted(ctx, sum, r, read)
	return sum.Sum(), err
}

// copyCounted copies r to w until ctx ends.
func copyCounted(ctx context.Context, w io.Writer, r io.Reader, read func(int64)) (total int64, err error) {
	b := bigChunks.Get().(*[bigChunk]byte)
	defer bigChunks.Put(b)
	for {
		var n int
		var rerr error
		for m := 0; n < len(b) && rerr == nil; n += m {
			m, rerr = r.Read(b[n:])
		}
		if n > 0 {
			if _, err := w.Write(b[:n]); err != nil {
				return total, err
			}
			total += int64(n)
			read(int64(n))
		}
		switch {
		case rerr == io.EOF: // itself: one that is wrapped is another matter
			return total, nil
		case rerr != nil:
			return total, rerr
		case ctx.Err() != nil:
			return total, fault.Wrap(fault.Closed, ctx.Err())
		}
	}
}
