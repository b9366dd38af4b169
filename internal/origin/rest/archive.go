package rest

import (
	"net/http"
	"path"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

func (x *exchange) archive() error {
	format := origin.ArchiveFormat(x.r.URL.Query().Get("format"))
	switch format {
	case "":
		format = "zip"
	case "zip", "tar":
	default:
		return fault.Errorf(fault.Invalid, "format is zip or tar")
	}
	c, at, err := x.target()
	if err != nil {
		return err
	}
	return x.giveArchive(c, at, format)
}

// giveArchive answers with a folder as one file, made as it is sent.
func (x *exchange) giveArchive(c origin.Caller, at origin.Place, format origin.ArchiveFormat) error {
	if x.r.Method == http.MethodHead {
		e, err := x.h.cfg.Server.Stat(x.r.Context(), c, at)
		if err != nil {
			return err
		}
		name := e.Node.Name
		if name == "" {
			name = at.Collection
		}
		x.describeArchive(name, format)
		x.WriteHeader(http.StatusOK)
		return nil
	}
	out := x.lets(c)
	defer out.close()
	err := x.h.cfg.Server.Archive(x.r.Context(), c, at, format, x, func(name string) { x.describeArchive(name, format) }, out.cut)
	return ofDownload(err)
}

func (x *exchange) describeArchive(name string, format origin.ArchiveFormat) {
	name = path.Base(name)
	if ext := "." + string(format); path.Ext(name) != ext {
		name += ext
	}
	h := x.Header()
	h["Content-Type"] = []string{typeZip}
	if format == "tar" {
		h["Content-Type"] = []string{typeTar}
	}
	h["Content-Disposition"] = []string{disposition(name)}
	h["Content-Security-Policy"] = contentPolicy
	h["Cache-Control"] = noStore
}

func (x *exchange) fetch() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	var in api.Fetch
	if err := x.decode(&in); err != nil {
		return err
	}
	out := x.lets(c)
	defer out.close()
	err = x.h.cfg.Server.Fetch(x.r.Context(), c, at, in.Paths, x, func() {
		h := x.Header()
		h["Content-Type"] = []string{typeTar}
		h["Cache-Control"] = noStore
	}, out.cut)
	return ofDownload(err)
}
