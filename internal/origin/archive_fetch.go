package origin

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Limits of Fetch.
const (
	maxFetch = 2048
	// What is read ahead: so many files, each at most MaxBatchFile long; longer ones are
	// read when it is their turn.
	fetchAhead = 16
)

// wanted is a file of a Fetch.
type wanted struct {
	path    string
	version catalog.Version
}

// ahead is a file that was read ahead, or the reason why it was not.
type ahead struct {
	data []byte
	err  error
}

// Fetch writes the named small files below at to w as a tar in one go; missing and damaged ones are left out. Each has
// a PAX record TANDEM.sha256. It counts as one download of a limited link.
func (s *Server) Fetch(ctx context.Context, c Caller, at Place, paths []string, w io.Writer, begin func(), cut func()) error {
	if len(paths) > maxFetch {
		return fault.Errorf(fault.Invalid, "fetch: more than %d files", maxFetch)
	}
	c = openable(c)
	var p spot
	var list []wanted
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		var err error
		p, list, err = s.wanted(tx, c, at, paths)
		return err
	})
	if err == nil && c.Link != nil && c.Link.MaxDownloads > 0 {
		err = s.reserve(ctx, c, 0, 0)
	}
	if err != nil {
		s.files.tally.refused(s.entry(c, "fetch", asked(c, at), outcome(err), ""), c, err)
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := s.files.running.begin(c, policy.ReadFile, p.col.ID, func() {
		cancel(fault.Errorf(fault.Unauthenticated, "the permission for it has ended"))
		if cut != nil {
			cut()
		}
	})
	defer s.files.running.end(run)
	begin()
	f := &fetch{s: s, c: c, list: list, to: tarPacker{tar.NewWriter(w), true}, p: p}
	err = f.all(ctx)
	s.count(c, "fetch", p.object(), f.sent, true)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// wanted finds the files that are there.
func (s *Server) wanted(tx *catalog.Tx, c Caller, at Place, paths []string) (spot, []wanted, error) {
	p, err := s.find(tx, c, policy.ReadFile, at)
	if err != nil {
		return p, nil, err
	}
	top, err := p.node(tx)
	if err != nil {
		return p, nil, err
	}
	var list []wanted
	for _, path := range paths {
		names, err := splitPath(path)
		if err != nil || len(names)+len(p.names) > deepestAsked {
			continue
		}
		n, err := tx.Tree.Resolve(top.ID, names)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return p, nil, err
		}
		if err == nil && !n.Folder {
			if path = strings.Join(names, "/"); path == "" {
				path = n.Name
			}
			list = append(list, wanted{path, n.Version})
		}
	}
	return p, list, nil
}

// fetch is a Fetch under way.
type fetch struct {
	s    *Server
	c    Caller
	p    spot
	list []wanted
	to   tarPacker
	sent int64
}

// all writes the files in order, while the next ones are read.
func (f *fetch) all(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan chan ahead, fetchAhead)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(queue)
		for _, w := range f.list {
			got := make(chan ahead, 1)
			select {
			case queue <- got:
				go func() { got <- f.read(ctx, w) }()
			case <-ctx.Done():
				return
			}
		}
	}()
	var err error
	i := 0
	for got := range queue {
		a := <-got // also after an error: every goroutine is waited for
		if err == nil {
			err = f.write(ctx, f.list[i], a)
		}
		if err != nil {
			cancel()
		}
		i++
	}
	<-done
	if err == nil && ctx.Err() != nil {
		err = ended(ctx)
	}
	if err == nil {
		err = f.to.end()
	}
	return err
}

// read reads a small file ahead.
func (f *fetch) read(ctx context.Context, w wanted) ahead {
	if w.version.Sum.Size > MaxBatchFile {
		return ahead{}
	}
	from, err := f.s.bytes(ctx, w.version.Sum)
	if err != nil {
		return ahead{err: err}
	}
	data := make([]byte, w.version.Sum.Size)
	_, err = io.ReadFull(from, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.Wrap(fault.Corrupt, err)
	}
	return ahead{data, errors.Join(err, from.Close())}
}

// write packs one file.
func (f *fetch) write(ctx context.Context, w wanted, a ahead) error {
	if errors.Is(a.err, fault.Corrupt) {
		f.s.damaged(f.c, f.p.object()+"/"+w.path, a.err)
		return nil
	}
	if a.err != nil {
		return a.err
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if w.version.Sum.Size > MaxBatchFile {
		return f.stream(ctx, w)
	}
	to, err := f.to.file(w.path, w.version)
	if err != nil {
		return err
	}
	n, err := to.Write(a.data)
	f.sent += int64(n)
	return err
}

// stream packs a file that is too long to be held in memory.
func (f *fetch) stream(ctx context.Context, w wanted) error {
	from, err := f.s.bytes(ctx, w.version.Sum)
	if errors.Is(err, fault.Corrupt) {
		f.s.damaged(f.c, f.p.object()+"/"+w.path, err)
		return nil
	}
	if err != nil {
		return err
	}
	to, err := f.to.file(w.path, w.version)
	if err == nil {
		var n int64
		n, err = io.Copy(to, io.LimitReader(stopper{ctx, from}, w.version.Sum.Size))
		f.sent += n
		if err == nil && n < w.version.Sum.Size {
			err = fault.Errorf(fault.Corrupt, "%s ends at byte %d of %d", w.path, n, w.version.Sum.Size)
		}
	}
	return errors.Join(err, from.Close())
}
