package rest

import (
	"encoding/base64"
	"net/http"
	"strings"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// digests returns the SHA-256 that a request says its content has, by
// Repr-Digest or Content-Digest (RFC 9530): of a whole file they are the same.
// The zero hash: it says nothing. Other algorithms are not looked at.
func digests(h http.Header) (sum content.Hash, _ error) {
	for _, name := range [...]string{"Repr-Digest", "Content-Digest"} {
		if len(h[name]) == 0 {
			continue
		}
		got, ok, err := parseDigest(strings.Join(h[name], ","))
		if err != nil {
			return sum, fault.Errorf(fault.Invalid, "%s: %w", name, err)
		}
		if !ok {
			continue
		}
		if !sum.IsZero() && got != sum {
			return sum, fault.Errorf(fault.Invalid, "Repr-Digest and Content-Digest disagree")
		}
		sum = got
	}
	return sum, nil
}

// parseDigest finds sha-256 in a dictionary of structured fields (RFC 8941)
// whose values are byte sequences; the last one counts. ok is false when there
// is none.
func parseDigest(field string) (sum content.Hash, ok bool, _ error) {
	for member := range strings.SplitSeq(field, ",") {
		key, value, found := strings.Cut(strings.Trim(member, " \t"), "=")
		if !validKey(key) || !found {
			return sum, false, fault.Errorf(fault.Invalid, "not of the form sha-256=:BASE64:")
		}
		value, params, _ := strings.Cut(value, ";")
		opened, begins := strings.CutPrefix(value, ":")
		inner, ends := strings.CutSuffix(opened, ":")
		if !begins || !ends || !printable(params) {
			return sum, false, fault.Errorf(fault.Invalid, "the value of %s is no byte sequence", key)
		}
		b, err := base64.StdEncoding.Strict().DecodeString(inner)
		if err != nil || strings.ContainsAny(inner, "\r\n") {
			return sum, false, fault.Errorf(fault.Invalid, "the value of %s is no base64", key)
		}
		if key != "sha-256" {
			continue
		}
		if len(b) != len(sum) {
			return sum, false, fault.Errorf(fault.Invalid, "sha-256 of %d bytes, not %d", len(b), len(sum))
		}
		sum, ok = content.Hash(b), true
	}
	return sum, ok, nil
}

// validKey reports whether s is a key of a dictionary.
func validKey(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || c == '*'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
