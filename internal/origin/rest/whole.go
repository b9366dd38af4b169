package rest

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"tandem/internal/origin"
)

// conditional are the headers that make an answer something else than the whole file.
var conditional = [...]string{
	"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
}

const (
	// sniffed is what net/http copies through memory before it lets the system send files, unless the header is
	// out by then. So short a file goes with the header in one piece.
	sniffed = 512
	// heldBack is the longest answer of which the system is to send no piece that could be fuller. It is over soon,
	// and a client that waits for it is woken less often.
	heldBack = 1 << 20
)

// plain reports whether the answer is the whole file whatever the file is.
func plain(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	for _, name := range conditional {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	return true
}

// sendWhole is what http.ServeContent comes down to for a plain request. The size is known, so that nobody has to
// ask the file, and its first bytes are not copied.
func (x *exchange) sendWhole(d *origin.Download) {
	h, size := x.Header(), d.Version.Sum.Size
	values := &[2]string{strconv.FormatInt(size, 10)}
	h["Content-Length"] = values[0:1:1]
	if at := d.Version.Modified; !at.IsZero() && !at.Equal(time.Unix(0, 0)) {
		values[1] = at.UTC().Format(http.TimeFormat)
		h["Last-Modified"] = values[1:2:2]
	}
	x.WriteHeader(http.StatusOK)
	if size > 0 {
		_, _ = x.ReadFrom(&io.LimitedReader{R: d.Content, N: size}) // x knows what failed
	}
}

// inOnePiece reports whether what x sends is to leave in pieces as full as can be.
func (x *exchange) inOnePiece() bool {
	return x.socket != nil && x.socket.raw != nil && x.gives() &&
		x.out.asked.Bytes > 0 && x.out.asked.Bytes <= heldBack && !x.h.cfg.Gate.Paced()
}
