package rest

import (
	"net/http"
	"net/netip"
	"strings"
)

// forwarded is what proxies say about a request (RFC 7239 and the older
// X-Forwarded headers). by holds the nodes on the way, the nearest last.
type forwarded struct {
	by          []string
	proto, host string
}

// forwardedOf reads the headers of a proxy that is trusted. Forwarded goes
// before the older ones; they are never mixed.
func forwardedOf(h http.Header) forwarded {
	var f forwarded
	if lines := h["Forwarded"]; len(lines) > 0 {
		for _, line := range lines {
			for element := range splitQuoted(line, ',') {
				f.add(element)
			}
		}
		return f
	}
	for _, line := range h["X-Forwarded-For"] {
		for part := range strings.SplitSeq(line, ",") {
			f.by = append(f.by, strings.TrimSpace(part))
		}
	}
	f.proto = lastOf(h["X-Forwarded-Proto"])
	f.host = lastOf(h["X-Forwarded-Host"])
	return f
}

// add takes one element of Forwarded: what one proxy says.
func (f *forwarded) add(element string) {
	by := "unknown"
	for pair := range splitQuoted(element, ';') {
		name, value, _ := strings.Cut(pair, "=")
		value = unquote(strings.TrimSpace(value))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "for":
			by = value
		case "proto":
			f.proto = strings.ToLower(value)
		case "host":
			f.host = value
		}
	}
	f.by = append(f.by, by)
}

func lastOf(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// splitQuoted yields the parts of s between seps that stand outside quotes.
func splitQuoted(s string, sep byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		quoted, start := false, 0
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '\\' && quoted:
				i++
			case s[i] == '"':
				quoted = !quoted
			case s[i] == sep && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// unquote takes the quotes off a quoted-string, and leaves anything else.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// forwardedAddr reads a node: an address, perhaps with brackets and port.
func forwardedAddr(node string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(node); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if a, err := netip.ParseAddrPort(node); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(node, "["); ok {
		if a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			return a.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}

// validID reports whether a proxy's request ID may stand in our log.
func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
