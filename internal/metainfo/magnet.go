package metainfo

import (
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"

	"tandem/internal/content"
)

// maxMagnet bounds a magnet link, in bytes.
const maxMagnet = 64 << 10

// sha256Multihash is what stands before a SHA-256 digest in a multihash: its
// code and its length.
const sha256Multihash = "1220"

// Magnet is a magnet link (BEP 9, 52).
type Magnet struct {
	InfoHash1 content.SHA1 // zero without "urn:btih"
	InfoHash2 content.Hash // zero without "urn:btmh"
	Name      string       // dn, a hint; empty when it is no name a file may have
	Length    int64        // xl, a hint; 0 when not said
	Trackers  []string     // tr
	Peers     []string     // x.pe, host:port
	WebSeeds  []string     // ws
}

// ParseMagnet reads a magnet link. What it does not know it ignores, such as
// so, and what cannot be a URL it drops. Errors are of kind fault.Invalid.
func ParseMagnet(s string) (*Magnet, error) {
	const scheme = "magnet:?"
	if len(s) > maxMagnet {
		return nil, invalid("magnet link: %d bytes, more than %d", len(s), maxMagnet)
	}
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return nil, invalid("magnet link: does not start with %s", scheme)
	}
	m := new(Magnet)
	for part := range strings.SplitSeq(s[len(scheme):], "&") {
		key, value, _ := strings.Cut(part, "=")
		value, err := unescape(value)
		if err != nil {
			return nil, invalid("magnet link: %.40q: %w", key, err)
		}
		key, _, _ = strings.Cut(strings.ToLower(key), ".") // xt.1, tr.2
		if strings.HasPrefix(strings.ToLower(part), "x.pe=") {
			key = "x.pe"
		}
		if err := m.set(key, value); err != nil {
			return nil, invalid("magnet link: %w", err)
		}
	}
	if m.InfoHash1.IsZero() && m.InfoHash2.IsZero() {
		return nil, invalid("magnet link: no info-hash (xt=urn:btih: or xt=urn:btmh:)")
	}
	return m, nil
}

// set takes one parameter.
func (m *Magnet) set(key, value string) error {
	switch key {
	case "xt":
		return m.setTopic(value)
	case "dn":
		if content.CheckPath([]string{value}) == nil {
			m.Name = value
		}
	case "xl":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return invalid("xl=%.40q is not a size", value)
		}
		m.Length = n
	case "tr":
		addLink(&m.Trackers, value)
	case "x.pe":
		addLink(&m.Peers, value)
	case "ws":
		addLink(&m.WebSeeds, value)
	}
	return nil
}

func addLink(to *[]string, s string) {
	if isLink(s) && len(*to) < maxTrackers {
		*to = append(*to, s)
	}
}

// setTopic reads an exact topic. Those of other networks are ignored.
func (m *Magnet) setTopic(topic string) error {
	lower := strings.ToLower(topic)
	if v, ok := strings.CutPrefix(lower, "urn:btih:"); ok {
		var h content.SHA1
		n, err := 0, error(nil)
		switch len(v) {
		case 2 * len(h):
			n, err = hex.Decode(h[:], []byte(v))
		case 32: // base32, as old links have it
			n, err = base32.StdEncoding.Decode(h[:], []byte(strings.ToUpper(v)))
		}
		if err != nil || n != len(h) || h.IsZero() {
			return invalid("%.100q is no v1 info-hash", topic)
		}
		if !m.InfoHash1.IsZero() && m.InfoHash1 != h {
			return invalid("two v1 info-hashes")
		}
		m.InfoHash1 = h
	}
	if v, ok := strings.CutPrefix(lower, "urn:btmh:"); ok {
		var h content.Hash
		digest, ok := strings.CutPrefix(v, sha256Multihash)
		if !ok || len(digest) != 2*len(h) {
			return invalid("%.100q is no v2 info-hash", topic)
		}
		if _, err := hex.Decode(h[:], []byte(digest)); err != nil || h.IsZero() {
			return invalid("%.100q is no v2 info-hash", topic)
		}
		if !m.InfoHash2.IsZero() && m.InfoHash2 != h {
			return invalid("two v2 info-hashes")
		}
		m.InfoHash2 = h
	}
	return nil
}

// String returns the link.
func (m *Magnet) String() string {
	var b strings.Builder
	b.WriteString("magnet:")
	sep := byte('?')
	add := func(key, value string) {
		b.WriteByte(sep)
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(value)
		sep = '&'
	}
	if !m.InfoHash1.IsZero() {
		add("xt", "urn:btih:"+hex.EncodeToString(m.InfoHash1[:]))
	}
	if !m.InfoHash2.IsZero() {
		add("xt", "urn:btmh:"+sha256Multihash+hex.EncodeToString(m.InfoHash2[:]))
	}
	if m.Name != "" {
		add("dn", escape(m.Name))
	}
	if m.Length > 0 {
		add("xl", strconv.FormatInt(m.Length, 10))
	}
	for _, s := range m.Trackers {
		add("tr", escape(s))
	}
	for _, s := range m.WebSeeds {
		add("ws", escape(s))
	}
	for _, s := range m.Peers {
		add("x.pe", escape(s))
	}
	return b.String()
}

// Magnet returns the link to t, with its trackers and web seeds.
func (t *Torrent) Magnet() *Magnet {
	m := &Magnet{
		InfoHash1: t.Manifest.InfoHash1, InfoHash2: t.Manifest.InfoHash2,
		Name: t.Manifest.Name, Length: t.Manifest.TotalBytes(), WebSeeds: t.WebSeeds,
	}
	for _, tier := range t.Trackers {
		m.Trackers = append(m.Trackers, tier...)
	}
	return m
}

// escape percent-escapes everything but what RFC 3986 leaves alone anywhere.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~:", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// unescape undoes escape, and reads "+" as a space as web forms do.
func unescape(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b.WriteByte(' ')
		case '%':
			var c [1]byte
			if i+3 > len(s) {
				return "", invalid("escape is cut short")
			}
			if _, err := hex.Decode(c[:], []byte(s[i+1:i+3])); err != nil {
				return "", invalid("escape %q is not hexadecimal", s[i:i+3])
			}
			b.WriteByte(c[0])
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}
