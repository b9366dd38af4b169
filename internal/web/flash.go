package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"tandem/internal/origin/rest"
)

// flash is what was just done, shown on the next page. It travels in a cookie of
// the browser; it is text wherever it comes from.
type flash struct {
	Text       string `json:"t"`
	Undo       int64  `json:"u,omitempty"` // node in the trash; 0: there is no way back, or none needed
	Collection string `json:"c,omitempty"` // of Undo
}

const (
	flashCookie = "tandem_flash"
	maxFlash    = 2048 // bytes of the cookie's value
)

func (f flash) encode() string {
	f.Text = cut(f.Text, 400)
	b, err := json.Marshal(f)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeFlash returns nil for anything that encode did not write.
func decodeFlash(s string) *flash {
	if s == "" || len(s) > maxFlash {
		return nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil
	}
	var f flash
	if json.Unmarshal(b, &f) != nil || f.Text == "" || f.encode() != s {
		return nil
	}
	return &f
}

func (v *visit) setFlash(f flash) {
	http.SetCookie(v.w, &http.Cookie{
		Name: flashCookie, Value: f.encode(), Path: "/", MaxAge: 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: rest.Secure(v.r),
	})
}

// takeFlash returns the message once.
func (v *visit) takeFlash() *flash {
	if v.flash != nil {
		return v.flash
	}
	c, err := v.r.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	http.SetCookie(v.w, &http.Cookie{
		Name: flashCookie, Path: "/", MaxAge: -1,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: rest.Secure(v.r),
	})
	v.flash = decodeFlash(c.Value)
	return v.flash
}

// cut shortens text to n bytes, at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	end := 0
	for i := range s {
		if i > n-len("…") {
			break
		}
		end = i
	}
	return s[:end] + "…"
}
