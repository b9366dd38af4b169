package client

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Limits of what goes in one batch. The server's are higher (origin.MaxBatch...);
// several of ours at a time keep it busy.
const (
	SmallFile  = 256 << 10 // a larger file goes alone
	batchFiles = 256
	batchBytes = 8 << 20
)

// Small is a file that is sent or received with others in one go.
type Small struct {
	Path     string
	Content  []byte
	Modified time.Time
}

// Batch sends small files below path. Results are in no order: each file stands or falls
// alone.
func (t Tree) Batch(ctx context.Context, path string, list []Small) ([]api.BatchResult, error) {
	body, err := tarOf(list)
	if err != nil {
		return nil, err
	}
	r := t.request(verb(http.MethodPost, t.below("batch", path)))
	r.header = http.Header{"Content-Type": {"application/x-tar"}}
	r.body = func() (io.Reader, error) { return bytes.NewReader(body), nil }
	r.length = int64(len(body))
	return one[[]api.BatchResult](ctx, t.c, r, nil)
}

func tarOf(list []Small) ([]byte, error) {
	size := 1024
	for i := range list {
		size += len(list[i].Content) + 4*512
	}
	buf := bytes.NewBuffer(make([]byte, 0, size))
	w := tar.NewWriter(buf)
	for i := range list {
		f := &list[i]
		sum := sha256.Sum256(f.Content)
		err := w.WriteHeader(&tar.Header{
			Name: f.Path, Size: int64(len(f.Content)), Mode: 0o644, ModTime: f.Modified, Format: tar.FormatPAX,
			PAXRecords: map[string]string{"TANDEM.sha256": hex.EncodeToString(sum[:])},
		})
		if err == nil {
			_, err = w.Write(f.Content)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, fmt.Errorf("pack %s: %w", f.Path, err))
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Fetch calls f with small files below path, in one go. Those that are missing or
// have become large are left out; an answer that breaks off is an error.
func (t Tree) Fetch(ctx context.Context, path string, paths []string, f func(Small) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watch(cancel)
	defer dog.stop()
	r := t.request(verb(http.MethodPost, t.below("fetch", path)))
	res, err := t.c.post(ctx, r, api.Fetch{Paths: paths})
	if err != nil {
		return err
	}
	defer drain(res.Body)
	wanted := make(map[string]bool, len(paths))
	for _, p := range paths {
		wanted[p] = true
	}
	in := tar.NewReader(res.Body)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return brokenOff(ctx, err)
		}
		dog.moved()
		if h.Typeflag != tar.TypeReg || !wanted[h.Name] {
			return fault.Errorf(fault.Protocol, "the server sent %q, which nobody asked for", h.Name)
		}
		wanted[h.Name] = false
		if h.Size < 0 || h.Size > SmallFile {
			continue
		}
		data := make([]byte, h.Size)
		if _, err := io.ReadFull(in, data); err != nil {
			return brokenOff(ctx, err)
		}
		if err := f(Small{Path: h.Name, Content: data, Modified: h.ModTime}); err != nil {
			return err
		}
	}
}

// brokenOff is an answer that ended early.
func brokenOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return stalled(ctx, fault.Wrap(fault.Closed, ctx.Err()))
	}
	if errors.Is(err, tar.ErrHeader) {
		return fault.Errorf(fault.Protocol, "the server's archive is damaged")
	}
	return fault.Wrap(fault.Unreachable, &lost{err: fmt.Errorf("the answer broke off: %w", err)})
}
