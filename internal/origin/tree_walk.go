package origin

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Walk yields what is below a folder, a folder before what is in it, names in
// byte order; a file yields itself. It reads page by page, so that changes made meanwhile may or may not
// show. An error ends it.
func (s *Server) Walk(ctx context.Context, c Caller, at Place) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := walk{s: s, c: c, at: at, action: policy.ListFiles}
		top, err := w.begin(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if !top.Node.Folder {
			yield(top, nil)
			return
		}
		for e, err := range w.below(ctx, top.Node) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// walk reads a tree, page by page.
type walk struct {
	s      *Server
	c      Caller
	at     Place
	action policy.Action
	p      spot
	who    authors
	any    bool // for the server itself: nobody is asked
}

// begin decides and returns where the walk begins.
func (w *walk) begin(ctx context.Context) (Entry, error) {
	var e Entry
	err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		var err error
		if w.p, err = w.s.find(tx, w.c, w.action, w.at); err != nil {
			return err
		}
		n, err := w.p.node(tx)
		if err != nil {
			return err
		}
		w.who = authors{}
		e, err = w.p.entry(tx, w.who, n, w.p.names)
		return err
	})
	return e, err
}

// level is a folder of which a part was yielded.
type level struct {
	id    catalog.NodeID
	names []string // below the walk's base
	page  []Entry  // read and not yet yielded
	after string
	last  bool // nothing behind page
}

// below yields what is below top. It keeps a page for each folder on the way down.
func (w *walk) below(ctx context.Context, top catalog.Node) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		stack := []*level{{id: top.ID, names: w.p.names}}
		for len(stack) > 0 {
			l := stack[len(stack)-1]
			if len(l.page) == 0 {
				if l.last {
					stack = stack[:len(stack)-1]
					continue
				}
				if err := w.read(ctx, l); err != nil {
					yield(Entry{}, err)
					return
				}
				continue
			}
			e := l.page[0]
			l.page = l.page[1:]
			if !yield(e, nil) {
				return
			}
			if !e.Node.Folder {
				continue
			}
			if len(stack) > 2*deepestAsked {
				yield(Entry{}, fault.Errorf(fault.Invalid, "%s: folders are too deep", e.Path))
				return
			}
			stack = append(stack, &level{id: e.Node.ID, names: append(l.names[:len(l.names):len(l.names)], e.Node.Name)})
		}
	}
}

// read fetches the next page of l. Permission is asked for again: a walk may be long.
func (w *walk) read(ctx context.Context, l *level) error {
	err := w.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		if !w.any {
			if err := w.s.may(tx, w.c, w.action, w.p.col); err != nil {
				return err
			}
		}
		children, err := tx.Tree.Children(l.id, l.after, pageMost)
		if err != nil {
			return fmt.Errorf("%s: %w", w.p.at(l.names), err)
		}
		l.page, err = w.p.entries(tx, w.who, children, l.names)
		return err
	})
	if errors.Is(err, fault.NotFound) && l.after == "" { // the folder went away meanwhile
		l.last = true
		return nil
	}
	if err != nil {
		return err
	}
	l.last = len(l.page) < pageMost
	if n := len(l.page); n > 0 {
		l.after = l.page[n-1].Node.Name
	}
	return nil
}
