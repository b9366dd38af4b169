package client

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"tandem/internal/fault"
)

// archive fetches a folder as one archive. That is for links that count downloads: any
// number of requests would be as many downloads. What breaks off cannot be taken up.
func (f *fetching) archive(ctx context.Context, files []wanted) error {
	missing := make(map[string]wanted, len(files))
	for _, w := range files {
		ok, err := f.there(ctx, w)
		if err != nil {
			if err := f.tally.failed(ctx, w.entry.Path, err); err != nil {
				return err
			}
			continue
		}
		if rel, _ := below(w.entry.Path, f.at.Path); !ok {
			missing[rel] = w
		}
	}
	if len(missing) == 0 {
		return ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watch(cancel)
	defer dog.stop()
	r := f.t.request(get(f.t.below("archive", f.at.Path)))
	r.query, r.once = url.Values{"format": {"tar"}}, true
	res, err := f.t.c.send(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := f.unpack(ctx, tar.NewReader(watched{res.Body, dog}), missing); err != nil {
		return err
	}
	for rel, w := range missing {
		err := fault.Errorf(fault.NotFound, "it was not in what the server sent")
		if err := f.tally.failed(ctx, rel, err); err != nil {
			return err
		}
		f.g.Meter.Done.Add(w.entry.Size)
	}
	return ctx.Err()
}

// watched is a body whose watchdog sees it move.
type watched struct {
	io.Reader
	dog watchdog
}

// Read implements io.Reader.
func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.dog.moved()
	}
	return n, err
}

// unpack takes what is wanted out of an archive, in which names stand below that of the folder.
func (f *fetching) unpack(ctx context.Context, in *tar.Reader, missing map[string]wanted) error {
	var ready []small
	var size int64
	buffer := make([]byte, 256<<10)
	for n := 0; ; n++ {
		h, err := in.Next()
		if err != nil {
			if serr := f.settle.take(ctx, ready); serr != nil { // what has arrived whole stays
				return serr
			}
			if err == io.EOF {
				return nil
			}
			return brokenOff(ctx, err)
		}
		_, rel, _ := strings.Cut(h.Name, "/")
		w, ok := missing[rel]
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		from := f.work + "/" + strconv.Itoa(n)
		right, err := f.write(in, w, from, buffer)
		switch {
		case errors.Is(err, errDisk):
			return err
		case err != nil:
			return errors.Join(brokenOff(ctx, err), f.settle.take(ctx, ready))
		case !right:
			continue
		}
		delete(missing, rel)
		ready = append(ready, small{w, from})
		if size += h.Size; len(ready) == batchFiles || size > batchBytes {
			if err := f.settle.take(ctx, ready); err != nil {
				return err
			}
			ready, size = nil, 0
		}
	}
}

// write writes one file of the archive beside its place; false: it is not what was listed.
func (f *fetching) write(in io.Reader, w wanted, from string, buffer []byte) (bool, error) {
	file, err := f.root.OpenFile(from, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errDisk, fileFault(err))
	}
	defer file.Close()
	sum := sha256.New()
	if _, err = io.CopyBuffer(io.MultiWriter(writer{file}, sum, counter(f.seen)), in, buffer); err != nil {
		return false, err
	}
	if err := syncEarly(file); err != nil {
		return false, fmt.Errorf("%w: %w", errDisk, fileFault(err))
	}
	return hexSum(sum) == w.entry.SHA256, nil
}

func (f *fetching) seen(n int) { f.g.Meter.Done.Add(int64(n)) }

// errDisk marks a failure of this machine, to be told from the connection's.
var errDisk = errors.New("write the file")

// writer marks the file system's errors.
type writer struct{ f *os.File }

func (w writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errDisk, fileFault(err))
	}
	return n, err
}

// counter is told how many bytes pass.
type counter func(int)

func (c counter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}
