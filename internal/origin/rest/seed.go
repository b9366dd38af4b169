package rest

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/origin"
)

// padFolder is where a .torrent's padding is, by BEP 47's custom: a file for each length, named after it.
const padFolder = ".pad/"

// webSeed gives a file of a torrent of several, as BitTorrent clients ask for it (BEP 19): below the torrent's
// name, which is not looked at. Padding is zeros, for clients that ask for it.
func (x *exchange) webSeed() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	_, at.Path, _ = strings.Cut(at.Path, "/")
	err = x.giveFile(c, at, 0)
	size, pad := padding(at.Path)
	if !pad || !errors.Is(err, fault.NotFound) {
		return err
	}
	if _, err := x.h.cfg.Server.Stat(x.r.Context(), c, origin.Place{}); err != nil {
		return err
	}
	defer x.lets(c).close()
	h := x.Header()
	h["Content-Type"] = []string{typeBytes}
	h["Content-Security-Policy"] = contentPolicy
	h["Cache-Control"] = privately
	http.ServeContent(x, x.r, "", time.Time{}, &blank{size: size})
	return nil
}

// padding returns the length of the pad file at path; false when there is none.
func padding(path string) (int64, bool) {
	name, ok := strings.CutPrefix(path, padFolder)
	n, good := digits(name)
	return n, ok && good && n > 0 && n < content.MaxPieceLength
}
