package rest

import (
	"net/http"
	"strings"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/origin"
)

func (x *exchange) put() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	r, err := x.uploadOf(c, at)
	if err != nil {
		return err
	}
	// Nothing of the body is read before the server has decided: a client that
	// waits for 100 Continue learns without having sent it.
	e, created, err := x.h.cfg.Server.Put(x.r.Context(), c, r, x.r.Body)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	sum := e.Node.Version.Sum.SHA256
	x.Header()["Etag"] = []string{etag(sum)}
	x.Header()["Repr-Digest"] = []string{digestField(sum)}
	return x.json(status, entryShape(e))
}

// uploadOf reads what a PUT says of the file it brings.
func (x *exchange) uploadOf(c origin.Caller, at origin.Place) (r origin.UploadRequest, err error) {
	h := x.r.Header
	if x.r.ContentLength < 0 {
		return r, withStatus(http.StatusLengthRequired, fault.Errorf(fault.Invalid, "Content-Length is needed, so that the room can be set aside; or use a resumable upload"))
	}
	if len(h["Content-Range"]) > 0 {
		return r, fault.Errorf(fault.Invalid, "a part of a file cannot be put: use a resumable upload")
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return r, withStatus(http.StatusUnsupportedMediaType, fault.Errorf(fault.Invalid, "Content-Encoding %q is not understood", e))
	}
	r = origin.UploadRequest{At: at, Size: x.r.ContentLength}
	if r.SHA256, err = digests(h); err != nil {
		return r, err
	}
	if r.Modified, err = moment("modified", x.r.URL.Query().Get("modified")); err != nil {
		return r, err
	}
	switch none := h.Get("If-None-Match"); {
	case none == "*":
		r.IfAbsent = true
	case none != "":
		return r, fault.Errorf(fault.Invalid, "of If-None-Match only * is understood here")
	}
	if match := h.Get("If-Match"); match != "" {
		r.IfMatch, err = x.matching(c, at, match)
	}
	return r, err
}

// matching returns the one of If-Match's tags that the file has now. Whether it
// still has it when the upload ends is the server's to check again.
func (x *exchange) matching(c origin.Caller, at origin.Place, field string) (content.Hash, error) {
	tags, err := parseTags(field)
	if err != nil {
		return content.Hash{}, err
	}
	if len(tags) == 1 && field != "*" {
		return tags[0], nil
	}
	e, err := x.h.cfg.Server.Stat(x.r.Context(), c, at)
	switch {
	case fault.KindOf(err) == fault.NotFound:
	case err != nil:
		return content.Hash{}, err
	case e.Node.Folder:
	default:
		sum := e.Node.Version.Sum.SHA256
		for _, t := range tags {
			if t == sum {
				return sum, nil
			}
		}
		if field == "*" {
			return sum, nil
		}
	}
	return content.Hash{}, fault.Errorf(fault.Precondition, "%q is not what If-Match asks for", at.Path)
}

// parseTags reads If-Match: tags of ours. Others, and weak ones, match nothing
// that is here, but have to be well formed; when none is left that could match,
// the error is fault.Precondition.
func parseTags(field string) (tags []content.Hash, _ error) {
	if field == "*" {
		return nil, nil
	}
	for tag := range splitQuoted(field, ',') {
		tag = strings.Trim(tag, " \t")
		opaque, weak := strings.CutPrefix(tag, "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' || strings.Contains(opaque[1:len(opaque)-1], `"`) {
			return nil, fault.Errorf(fault.Invalid, "If-Match: %q is no entity tag", tag)
		}
		sum, err := parseHash("tag", opaque[1:len(opaque)-1])
		if !weak && err == nil && !sum.IsZero() {
			tags = append(tags, sum)
		}
	}
	if len(tags) == 0 {
		return nil, fault.Errorf(fault.Precondition, "the file has another tag than If-Match asks for")
	}
	return tags, nil
}
