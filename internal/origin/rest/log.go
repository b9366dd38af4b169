package rest

import (
	"encoding/hex"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ids makes request IDs: random for the process, counted within it.
type ids struct {
	start string
	last  atomic.Uint64
}

func newIDs(rand io.Reader) (*ids, error) {
	var b [6]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, err
	}
	return &ids{start: hex.EncodeToString(b[:]) + "-"}, nil
}

func (i *ids) next() string {
	var b [32]byte
	return string(strconv.AppendUint(append(b[:0], i.start...), i.last.Add(1), 36))
}

// log writes the line of one request. Queries are left out, and of a path what
// is a secret; slog quotes control characters.
func (h *Handler) log(x *exchange, took time.Duration) {
	ctx := x.r.Context()
	level := slog.LevelInfo
	if x.status >= 500 {
		level = slog.LevelError
	}
	if h.cfg.Log == nil || !h.cfg.Log.Enabled(ctx, level) {
		return
	}
	list := [...]slog.Attr{
		slog.String("request", x.id),
		slog.String("method", x.r.Method),
		slog.String("path", withoutSecrets(x.r.URL.Path)),
		slog.String("proto", x.r.Proto),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.sent),
		slog.Duration("took", took),
		slog.String("remote", x.remote.String()),
		slog.String("user", x.caller.User.Name),
		{},
	}
	attrs := list[:9]
	if x.err != nil {
		list[9] = slog.String("error", x.err.Error())
		attrs = list[:]
	}
	h.cfg.Log.LogAttrs(ctx, level, "request", attrs...)
}

// withoutSecrets cuts the tokens in a path down to what tells them apart.
func withoutSecrets(path string) string {
	for _, before := range [...]string{"/s/", "/api/v1/shared/", "/invite/", "/api/v1/uploads/"} {
		rest, ok := strings.CutPrefix(path, before)
		if !ok {
			continue
		}
		token, tail, more := strings.Cut(rest, "/")
		if len(token) > 4 {
			token = token[:4] + "..."
		}
		if more {
			tail = "/" + tail
		}
		return before + token + tail
	}
	return path
}
