package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
)

// The parts of tus 1.0 that are here. A checksum in a trailer is not: the bytes
// would have been taken before they could be judged.
const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,expiration,termination,checksum"
)

// maxChecked is the longest chunk with a checksum: it is held in memory until it is
// known to be right. Whole files are checked by metadata sha256, at any size.
const maxChecked = 16 << 20

func (x *exchange) tusOptions() error {
	h := x.Header()
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	h.Set("Tus-Checksum-Algorithm", checksumNames)
	return x.nothing()
}

// tusBegin checks what every request but OPTIONS has, and finds out who asks.
func (x *exchange) tusBegin(link string) (c origin.Caller, err error) {
	h := x.Header()
	h.Set("Tus-Resumable", tusVersion)
	if x.r.Header.Get("Tus-Resumable") != tusVersion {
		h.Set("Tus-Version", tusVersion)
		return c, withStatus(http.StatusPreconditionFailed, fault.Errorf(fault.Precondition, "Tus-Resumable is not %s", tusVersion))
	}
	if x.route.auth == byLink {
		link = x.r.PathValue("token")
	} else if token := x.r.Header.Get("Tandem-Link"); token != "" {
		link = token
	}
	if link == "" {
		if err := x.signedIn(); err != nil {
			return c, err
		}
		return x.caller, nil
	}
	if c, err = x.linkCaller(link); err != nil {
		return c, err
	}
	x.caller, x.asked = c, true
	return c, nil
}

func (x *exchange) tusCreate() error {
	meta, metaErr := parseMetadata(strings.Join(x.r.Header["Upload-Metadata"], ","))
	c, err := x.tusBegin(meta["link"])
	if err != nil {
		return err
	}
	if metaErr != nil {
		return metaErr
	}
	r, err := uploadMeta(meta)
	if err != nil {
		return err
	}
	if r.Size, err = x.tusNumber("Upload-Length"); err != nil {
		return err
	}
	sum, err := x.tusChunk(true)
	if err != nil {
		return err
	}
	if x.r.ContentLength > r.Size {
		return withStatus(http.StatusRequestEntityTooLarge, fault.Errorf(fault.Invalid, "the body is longer than Upload-Length"))
	}
	u, err := x.h.cfg.Server.BeginUpload(x.r.Context(), c, r)
	if err != nil {
		return err
	}
	x.locate(c, u.ID)
	if x.r.Header.Get("Content-Type") == "" && r.Size > 0 {
		return x.tusAnswer(http.StatusCreated, u, nil)
	}
	return x.tusWrite(http.StatusCreated, c, u.ID, 0, sum)
}

// locate names the new upload, where the same caller reaches it.
func (x *exchange) locate(c origin.Caller, id string) {
	root := strings.TrimSuffix(x.r.URL.EscapedPath(), "/")
	if c.Link != nil && x.route.auth != byLink && x.r.Header.Get("Tandem-Link") == "" {
		// The link was in the metadata, which later requests do not have.
		root = v1 + "shared/" + url.PathEscape(c.Link.Token) + "/uploads"
	}
	x.Header().Set("Location", x.base()+root+"/"+url.PathEscape(id))
}

func (x *exchange) tusHead() error {
	c, err := x.tusBegin("")
	if err != nil {
		return err
	}
	u, err := x.h.cfg.Server.Upload(x.r.Context(), c, x.r.PathValue("id"))
	if err != nil {
		return err
	}
	h := x.Header()
	h["Cache-Control"] = noStore
	h.Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	h.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	x.tusExpires(u)
	x.WriteHeader(http.StatusOK)
	return nil
}

func (x *exchange) tusPatch() error {
	c, err := x.tusBegin("")
	if err != nil {
		return err
	}
	offset, err := x.tusNumber("Upload-Offset")
	if err != nil {
		return err
	}
	sum, err := x.tusChunk(false)
	if err != nil {
		return err
	}
	return x.tusWrite(http.StatusNoContent, c, x.r.PathValue("id"), offset, sum)
}

func (x *exchange) tusDelete() error {
	c, err := x.tusBegin("")
	if err != nil {
		return err
	}
	if err := x.h.cfg.Server.DropUpload(x.r.Context(), c, x.r.PathValue("id")); err != nil {
		return err
	}
	return x.nothing()
}

// tusOverride is for clients that can send nothing but POST.
func (x *exchange) tusOverride() error {
	switch method := x.r.Header.Get("X-Http-Method-Override"); method {
	case http.MethodPatch:
		return x.tusPatch()
	case http.MethodDelete:
		return x.tusDelete()
	case http.MethodHead:
		return x.tusHead()
	default:
		if _, err := x.tusBegin(""); err != nil {
			return err
		}
		x.Header().Set("Allow", "HEAD, PATCH, DELETE, POST")
		return withStatus(http.StatusMethodNotAllowed, fault.Errorf(fault.Invalid, "POST to an upload needs X-HTTP-Method-Override with PATCH, DELETE or HEAD, not %q", method))
	}
}

// tusNumber reads a header that has to be there and be a size.
func (x *exchange) tusNumber(name string) (int64, error) {
	if x.r.Header.Get("Upload-Defer-Length") != "" {
		return 0, fault.Errorf(fault.Invalid, "Upload-Defer-Length is not possible: the size has to be set aside first")
	}
	n, ok := digits(x.r.Header.Get(name))
	if !ok || len(x.r.Header[name]) != 1 {
		return 0, fault.Errorf(fault.Invalid, "%s is missing or no number", name)
	}
	return n, nil
}

// tusChunk checks how the bytes are sent, and what is said of them. A creation may
// have none.
func (x *exchange) tusChunk(creation bool) (*checksum, error) {
	empty := x.r.ContentLength == 0
	if !(creation && empty && x.r.Header.Get("Content-Type") == "") {
		if err := needType(x.r, typeChunk); err != nil {
			return nil, err
		}
	}
	return parseChecksum(x.r.Header.Get("Upload-Checksum"))
}

// tusWrite appends the body to an upload and answers how far it is.
func (x *exchange) tusWrite(status int, c origin.Caller, id string, offset int64, sum *checksum) error {
	body := io.Reader(x.r.Body)
	if body == nil {
		body = http.NoBody
	}
	if sum != nil {
		checked, free, err := x.verified(sum)
		if err != nil {
			return err
		}
		defer free()
		body = checked
	}
	u, e, err := x.h.cfg.Server.WriteUpload(x.r.Context(), c, id, offset, body)
	if err != nil {
		return tusFault(err)
	}
	return x.tusAnswer(status, u, e)
}

// tusFault gives an error the status that tus has for it.
func tusFault(err error) error {
	if errors.Is(err, fault.Precondition) {
		return withStatus(http.StatusConflict, err)
	}
	return err
}

// verified reads the body whole and checks it. Nothing of it counts before.
func (x *exchange) verified(sum *checksum) (_ io.Reader, free func(), _ error) {
	size := x.r.ContentLength
	if size < 0 {
		size = maxChecked
	}
	if size > maxChecked {
		return nil, nil, withStatus(http.StatusRequestEntityTooLarge, fault.Errorf(fault.Invalid, "a chunk with a checksum has at most %d bytes", maxChecked))
	}
	if err := x.h.memory.take(size); err != nil {
		return nil, nil, err
	}
	free = func() { x.h.memory.give(size) }
	data, err := io.ReadAll(http.MaxBytesReader(x.inner, x.r.Body, size))
	if err != nil {
		free()
		if x.r.Context().Err() != nil || errors.Is(err, context.Canceled) {
			return nil, nil, fault.Wrap(fault.Closed, err)
		}
		return nil, nil, fault.Wrap(fault.Invalid, err)
	}
	h := sum.make()
	_, _ = h.Write(data) // a hash takes everything
	if !bytes.Equal(h.Sum(nil), sum.sum) {
		free()
		return nil, nil, withStatus(statusChecksum, fault.Errorf(fault.Corrupt, "the chunk does not match its checksum: send it again"))
	}
	return bytes.NewReader(data), free, nil
}

func (x *exchange) tusExpires(u catalog.Upload) {
	if !u.Expires.IsZero() {
		x.Header().Set("Upload-Expires", u.Expires.UTC().Format(http.TimeFormat))
	}
}

// tusAnswer says how far an upload is, and when it is complete what it became.
func (x *exchange) tusAnswer(status int, u catalog.Upload, e *origin.Entry) error {
	h := x.Header()
	h["Cache-Control"] = noStore
	h.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	if e == nil {
		x.tusExpires(u)
	} else {
		v := e.Node.Version
		h["Etag"] = []string{etag(v.Sum.SHA256)}
		h["Repr-Digest"] = []string{digestField(v.Sum.SHA256)}
		h.Set("Tandem-Path", (&url.URL{Path: e.Path}).EscapedPath())
		h.Set("Tandem-Version", strconv.FormatInt(int64(v.ID), 10))
	}
	x.WriteHeader(status)
	return nil
}
