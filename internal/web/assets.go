package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

// assetFiles is everything a page loads beside itself. manifest.txt says where
// what is not ours came from.
//
//go:embed assets
var assetFiles embed.FS

// assets serves the embedded files. An address with the right ?v= may be kept for
// ever: it changes with the content.
type assets struct {
	files map[string]asset
}

type asset struct {
	body []byte
	kind string
	sum  string // beginning of its SHA-256, hex
}

// embedded reads the files once.
func embedded() *assets {
	a := &assets{make(map[string]asset)}
	kinds := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	}
	list, _ := fs.ReadDir(assetFiles, "assets") // embedded: cannot fail
	for _, e := range list {
		body, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			continue
		}
		kind := kinds[path.Ext(e.Name())]
		if kind == "" {
			kind = mime.TypeByExtension(path.Ext(e.Name()))
		}
		sum := sha256.Sum256(body)
		a.files[e.Name()] = asset{body, kind, hex.EncodeToString(sum[:6])}
	}
	return a
}

func (a *assets) url(name string) string {
	return "/assets/" + name + "?v=" + a.files[name].sum
}

// ServeHTTP sends one file.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("ETag", `"`+f.sum+`"`)
	if r.URL.Query().Get("v") == f.sum {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
