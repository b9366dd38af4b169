package rest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
)

// maxRanges is how many ranges of one request are looked at; more than that is
// an attempt to make much work of little.
const maxRanges = 64

var (
	privately    = []string{"private, no-cache"} // kept, but asked about each time
	acceptRanges = []string{"bytes"}
)

func (x *exchange) download() error {
	version, err := number("version", x.r.URL.Query().Get("version"))
	if err != nil {
		return err
	}
	c, at, err := x.target()
	if err != nil {
		return err
	}
	return x.giveFile(c, at, catalog.VersionID(version))
}

// giveFile answers with a file, whole or in part, or with what a condition asks
// for instead.
func (x *exchange) giveFile(c origin.Caller, at origin.Place, version catalog.VersionID) error {
	if strings.Count(x.r.Header.Get("Range"), ",") >= maxRanges {
		x.r.Header.Del("Range")
	}
	if x.r.Method == http.MethodHead {
		return x.headFile(c, at, version)
	}
	start := firstByte(x.r.Header.Get("Range"))
	if c.Link != nil && c.Link.MaxDownloads > 0 {
		var answered bool
		var err error
		if start, answered, err = x.rehearse(c, at); answered || err != nil {
			return err
		}
	}
	return x.sendFile(c, at, version, start)
}

func (x *exchange) sendFile(c origin.Caller, at origin.Place, version catalog.VersionID, start int64) error {
	var err error
	if c.Node, err = nodeOf(x.r.Header); err != nil {
		return err
	}
	out := x.lets(c)
	defer out.close()
	d, err := x.h.cfg.Server.Open(x.r.Context(), c, at, version, start, out.cut)
	if err != nil {
		return ofDownload(err)
	}
	if err := unchanged(x.r.Header, d.Version.Sum.Root); err != nil {
		return errors.Join(err, d.Drop())
	}
	if answered, err := x.askGate(c, d.Version.Sum.Size); answered || err != nil {
		return errors.Join(err, d.Drop())
	}
	broken := errUnfinished // of a panic
	defer func() {
		if err := d.Close(x.sent, broken); err != nil && x.err == nil {
			x.err = err
		}
	}()
	x.describe(d.Entry.Node.Name, d.Version)
	// The bare file, so that net/http finds what the kernel can send by itself.
	if plain(x.r) {
		x.sendWhole(d)
	} else {
		http.ServeContent(x, x.r, "", d.Version.Modified, d.Content)
	}
	broken = x.broken
	return nil
}

// errUnfinished says that content may still be read by somebody.
var errUnfinished = fault.Errorf(fault.Other, "the answer was not finished")

// ofDownload gives an error the status it has when content is asked for: damage
// is the server's fault then.
func ofDownload(err error) error {
	if errors.Is(err, fault.Corrupt) {
		return withStatus(http.StatusInternalServerError, err)
	}
	return err
}

// describe sets the headers of a version of a file. It is on the path of every
// download, so the values share one array.
func (x *exchange) describe(name string, v catalog.Version) {
	h, sum := x.Header(), &v.Sum.SHA256
	values := &[4]string{typeOf(name), disposition(name), etag(*sum), digestField(*sum)}
	h["Content-Type"] = values[0:1:1]
	h["Content-Disposition"] = values[1:2:2]
	h["Etag"] = values[2:3:3]
	h["Repr-Digest"] = values[3:4:4]
	h["Content-Security-Policy"] = contentPolicy
	h["Cache-Control"] = privately
	h["Accept-Ranges"] = acceptRanges
}

func etag(sum [32]byte) string {
	var b [66]byte
	hex.Encode(b[1:], sum[:])
	b[0], b[65] = '"', '"'
	return string(b[:])
}

func digestField(sum [32]byte) string {
	b := append(make([]byte, 0, 64), "sha-256=:"...)
	return string(append(base64.StdEncoding.AppendEncode(b, sum[:]), ':'))
}

// typeOf goes by the name. What stands in the file is not looked at, and no
// browser is to look either.
func typeOf(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return typeBytes
}

// disposition has a browser store the content under name rather than show it
// (RFC 6266): once in a form that all understand, once in full.
func disposition(name string) string {
	plain, full := name, name
	if !plainName(name) {
		plain, full = spellName(name)
	}
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + full
}

func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if !plainByte(name[i]) {
			return false
		}
	}
	return true
}

// plainByte reports whether c stands for itself in both forms (RFC 8187, attr-char).
func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}

func spellName(name string) (plain, full string) {
	const digits = "0123456789ABCDEF"
	var p, f strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < 0x20 || c >= 0x7f || strings.IndexByte("\"\\%/", c) >= 0 {
			p.WriteByte('_')
		} else {
			p.WriteByte(c)
		}
		if plainByte(c) {
			f.WriteByte(c)
		} else {
			f.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return p.String(), f.String()
}

// headFile answers HEAD: everything but the bytes, which are not even opened.
func (x *exchange) headFile(c origin.Caller, at origin.Place, version catalog.VersionID) error {
	name, v, err := x.look(c, at, version)
	if err != nil {
		return err
	}
	x.describe(name, v)
	http.ServeContent(x, x.r, "", v.Modified, &blank{size: v.Sum.Size})
	return nil
}

// look finds what is known of a version of a file.
func (x *exchange) look(c origin.Caller, at origin.Place, version catalog.VersionID) (string, catalog.Version, error) {
	ctx, s := x.r.Context(), x.h.cfg.Server
	e, err := s.Stat(ctx, c, at)
	if err != nil {
		return "", catalog.Version{}, err
	}
	if e.Node.Folder {
		return "", catalog.Version{}, errFolder(at)
	}
	if version == 0 || version == e.Node.Version.ID {
		return e.Node.Name, e.Node.Version, nil
	}
	all, err := s.Versions(ctx, c, at)
	if err != nil {
		return "", catalog.Version{}, err
	}
	for _, v := range all {
		if v.ID == version {
			return e.Node.Name, v, nil
		}
	}
	return "", catalog.Version{}, fault.Errorf(fault.NotFound, "%q has no version %d", at.Path, version)
}

func errFolder(at origin.Place) error {
	return fault.Errorf(fault.Invalid, "%q is a folder: it has entries and an archive, and no content", at.Path)
}

// rehearse finds out, for a link whose downloads are counted, what the answer
// will be. One without content is given at once and counts for nothing; for the
// others start is the first byte of content.
func (x *exchange) rehearse(c origin.Caller, at origin.Place) (start int64, answered bool, _ error) {
	if strings.Contains(x.r.Header.Get("Range"), ",") {
		x.r.Header.Del("Range") // several ranges are one download that begins anew
	}
	name, v, err := x.look(c, at, 0)
	if errors.Is(err, fault.Gone) { // used up, for those who do not go on with theirs
		return firstByte(x.r.Header.Get("Range")), false, nil
	}
	if err != nil {
		return 0, false, err
	}
	content := &blank{size: v.Sum.Size}
	trial := &trial{header: http.Header{"Etag": {etag(v.Sum.SHA256)}, "Content-Type": {typeOf(name)}}}
	http.ServeContent(trial, x.r, "", v.Modified, content)
	switch trial.status {
	case http.StatusOK:
		return 0, false, nil
	case http.StatusPartialContent:
		return startOf(trial.header.Get("Content-Range")), false, nil
	}
	x.describe(name, v)
	http.ServeContent(x, x.r, "", v.Modified, content)
	return 0, true, nil
}

// trial takes an answer's header, and nothing else.
type trial struct {
	header http.Header
	status int
}

func (t *trial) Header() http.Header    { return t.header }
func (t *trial) WriteHeader(status int) { t.status = status }

func (t *trial) Write([]byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	return 0, io.ErrShortWrite // the header was all that was wanted
}

// blank has a size and nothing in it.
type blank struct{ size, at int64 }

func (b *blank) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), b.size-b.at))
	clear(p[:n])
	b.at += int64(n)
	return n, nil
}

func (b *blank) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, fault.Errorf(fault.Invalid, "seek before the beginning")
	}
	b.at = offset
	return offset, nil
}
