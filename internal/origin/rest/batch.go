package rest

import (
	"archive/tar"
	"errors"
	"io"
	"net/http"
	"path"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// maxBatchBody is the longest tar of a batch: the files, and up to 4 KiB of
// header and padding for each.
const maxBatchBody = origin.MaxBatchBytes + 4<<10*origin.MaxBatchFiles

// shaRecord is the PAX record with the SHA-256 a file is to have.
const shaRecord = "TANDEM.sha256"

func (x *exchange) batch() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	if err := needType(x.r, typeTar); err != nil {
		return err
	}
	size := x.r.ContentLength
	if size < 0 {
		size = maxBatchBody
	}
	if size > maxBatchBody {
		return errBatchLong()
	}
	if err := x.h.memory.take(size); err != nil {
		return err
	}
	defer x.h.memory.give(size)
	list, err := readBatch(http.MaxBytesReader(x.inner, x.r.Body, maxBatchBody))
	if err != nil {
		return err
	}
	results, err := x.h.cfg.Server.PutBatch(x.r.Context(), c, at, list)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(results, func(r origin.BatchResult) api.BatchResult {
		if r.Err != nil {
			p := ProblemOf(r.Err)
			return api.BatchResult{Path: r.Path, Problem: &p}
		}
		e := entryShape(r.Entry)
		return api.BatchResult{Path: r.Path, Entry: &e}
	}))
}

func errBatchLong() error {
	return withStatus(http.StatusRequestEntityTooLarge, fault.Errorf(fault.Invalid, "a batch is at most %d files and %d bytes", origin.MaxBatchFiles, origin.MaxBatchBytes))
}

// readBatch reads a tar of small files. Folders in it are passed over: those a
// file needs are made.
func readBatch(body io.Reader) (list []origin.BatchFile, _ error) {
	total := int64(0)
	t := tar.NewReader(body)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, badTar(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			continue
		case tar.TypeReg:
		default:
			return nil, fault.Errorf(fault.Invalid, "%q in the tar is neither a file nor a folder", h.Name)
		}
		if len(list) >= origin.MaxBatchFiles || total+h.Size > origin.MaxBatchBytes {
			return nil, errBatchLong()
		}
		if h.Size > origin.MaxBatchFile {
			return nil, withStatus(http.StatusRequestEntityTooLarge, fault.Errorf(fault.Invalid, "%q in the tar has %d bytes: more than %d are no small file", h.Name, h.Size, origin.MaxBatchFile))
		}
		f, err := readSmall(t, h)
		if err != nil {
			return nil, err
		}
		total += h.Size
		list = append(list, f)
	}
}

func readSmall(t *tar.Reader, h *tar.Header) (f origin.BatchFile, err error) {
	f = origin.BatchFile{Path: h.Name, Modified: modifiedIn(h), Content: make([]byte, h.Size)}
	if f.SHA256, err = parseHash(shaRecord+" of "+path.Base(h.Name), h.PAXRecords[shaRecord]); err != nil {
		return f, err
	}
	if _, err := io.ReadFull(t, f.Content); err != nil {
		return f, badTar(err)
	}
	return f, nil
}

func badTar(err error) error {
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return errBatchLong()
	case errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, tar.ErrFieldTooLong):
		return fault.Errorf(fault.Invalid, "the body is no whole tar: %w", err)
	}
	return fault.Wrap(fault.Invalid, err)
}

// modifiedIn returns the time a tar gives a file; the epoch says nothing.
func modifiedIn(h *tar.Header) time.Time {
	if h.ModTime.Unix() <= 0 {
		return time.Time{}
	}
	return h.ModTime.UTC()
}
