package rest

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A plain request and one with a condition that changes nothing get the same answer, which for the second one
// http.ServeContent makes.
func TestAPlainAnswerIsThatOfServeContent(t *testing.T) {
	o := newDiskHouse(t)
	l := listener(t)
	serveOn(t, l, o.Handler)
	ask := func(method, name string, header ...string) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+"/api/v1/collections/photos/content/"+name, nil)
		check(t, err)
		r.Header.Set("Authorization", "Bearer "+o.secret["ann"])
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		check(t, err)
		body, err := io.ReadAll(res.Body)
		check(t, err)
		check(t, res.Body.Close())
		for _, own := range []string{"X-Request-Id", "Date"} {
			res.Header.Del(own)
		}
		return res, string(body)
	}
	for name, size := range map[string]int{"empty": 0, "one": 1, "sniffed": sniffed, "behind it": sniffed + 1, "small": 100 << 10, "not held back": heldBack + 1} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("x", size)
			file := strings.ReplaceAll(name, " ", "-") + ".txt"
			o.put(file, text)
			for range 2 { // the second time by a file that is open
				plain, body := ask("GET", file)
				other, _ := ask("GET", file, "If-None-Match", `"something else"`)
				if plain.StatusCode != 200 || body != text {
					t.Fatalf("%d, %d bytes of %d", plain.StatusCode, len(body), size)
				}
				if plain.ContentLength != other.ContentLength || !maps.EqualFunc(plain.Header, other.Header, slices.Equal[[]string]) {
					t.Errorf("plain: %v\nby ServeContent: %v", plain.Header, other.Header)
				}
				head, _ := ask("HEAD", file)
				if !maps.EqualFunc(plain.Header, head.Header, slices.Equal[[]string]) {
					t.Errorf("plain: %v\nHEAD: %v", plain.Header, head.Header)
				}
			}
		})
	}
}
