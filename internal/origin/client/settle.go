package client

import (
	"context"
	"fmt"
	"os"
)

// small is a file that is written and not in place yet.
type small struct {
	w    wanted
	from string
}

// settler makes small files durable and gives them their names, beside whoever
// fetches more: what has come while one sync ran shares the next.
type settler struct {
	f      *fetching
	folder *os.File // open before anything is written, so that a sync reports every failure since
	in     chan []small
	ended  chan error
	cancel context.CancelCauseFunc
}

// newSettler starts one; end ends it. cancel is called when it fails.
func newSettler(f *fetching, cancel context.CancelCauseFunc) (*settler, error) {
	folder, err := f.root.Open(f.work)
	if err != nil {
		return nil, fileFault(err)
	}
	s := &settler{f: f, folder: folder, in: make(chan []small, 2*parallel), ended: make(chan error, 1), cancel: cancel}
	go s.run()
	return s, nil
}

// take hands files over. Their content is hashed already.
func (s *settler) take(ctx context.Context, list []small) error {
	if len(list) == 0 {
		return nil
	}
	select {
	case s.in <- list:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end waits until everything handed over is in place.
func (s *settler) end() error {
	close(s.in)
	return <-s.ended
}

func (s *settler) run() {
	var first error
	for list := range s.in {
		for more := true; more; {
			select {
			case next, ok := <-s.in:
				list, more = append(list, next...), ok
			default:
				more = false
			}
		}
		if first == nil { // after a failure nothing can be vouched for
			if first = s.settle(list); first != nil {
				s.cancel(first)
			}
		}
	}
	_ = s.folder.Close()
	s.ended <- first
}

func (s *settler) settle(list []small) error {
	f := s.f
	for _, l := range list {
		_ = f.root.Chtimes(l.from, l.w.entry.Modified, l.w.entry.Modified) // a nicety
	}
	if err := syncAll(s.folder); err != nil {
		return fmt.Errorf("make files durable: %w", fileFault(err))
	}
	for _, l := range list {
		if err := place(f.root, l.from, l.w.name, f.g.Force); err != nil {
			if err := f.tally.failed(context.Background(), l.w.entry.Path, err); err != nil {
				return err
			}
			continue
		}
		f.done(l.w, false)
	}
	return nil
}
