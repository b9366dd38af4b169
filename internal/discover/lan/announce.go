package lan

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"

	"tandem/internal/content"
	"tandem/internal/fault"
)

const (
	maxAnnounce = 1400 // bytes sent (BEP 14)
	maxPacket   = 2048 // bytes read
	maxKeys     = 24   // in one announce: 24 * 52 bytes and the rest fit
	maxCookie   = 64   // bytes
	requestLine = "BT-SEARCH * HTTP/1.1"
)

// announce is one message: somebody takes part in these swarms at this port.
type announce struct {
	port   uint16
	keys   []content.SHA1
	cookie string // recognises one's own; may be empty
}

// appendTo appends the message for a multicast group.
func (a announce) appendTo(dst []byte, group string) []byte {
	dst = append(dst, requestLine+"\r\nHost: "+group+"\r\nPort: "...)
	dst = strconv.AppendUint(dst, uint64(a.port), 10)
	dst = append(dst, "\r\n"...)
	for _, k := range a.keys {
		dst = append(dst, "Infohash: "...)
		dst = hex.AppendEncode(dst, k[:])
		dst = append(dst, "\r\n"...)
	}
	if a.cookie != "" {
		dst = append(dst, "cookie: "+a.cookie+"\r\n"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// parseAnnounce reads a message. Header names are taken in any case and those
// unknown are passed over. Errors are of kind fault.Protocol.
func parseAnnounce(b []byte) (announce, error) {
	if len(b) > maxPacket {
		return announce{}, fault.Errorf(fault.Protocol, "announce of %d bytes", len(b))
	}
	first, rest, _ := bytes.Cut(b, []byte("\r\n"))
	if string(first) != requestLine {
		return announce{}, fault.Errorf(fault.Protocol, "not an announce")
	}
	var a announce
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok {
			return announce{}, fault.Errorf(fault.Protocol, "announce has a line without a colon")
		}
		if err := a.header(strings.ToLower(name), strings.Trim(value, " \t")); err != nil {
			return announce{}, err
		}
	}
	if a.port == 0 || len(a.keys) == 0 {
		return announce{}, fault.Errorf(fault.Protocol, "announce without port or key")
	}
	return a, nil
}

func (a *announce) header(name, value string) error {
	switch name {
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return fault.Errorf(fault.Protocol, "announce has no valid port")
		}
		a.port = uint16(port)
	case "infohash":
		var key content.SHA1
		if len(value) != 2*len(key) {
			return fault.Errorf(fault.Protocol, "announce has a key of %d characters", len(value))
		}
		if _, err := hex.Decode(key[:], []byte(value)); err != nil {
			return fault.Errorf(fault.Protocol, "announce has a key that is not hexadecimal")
		}
		if len(a.keys) < maxKeys {
			a.keys = append(a.keys, key)
		}
	case "cookie":
		if len(value) <= maxCookie {
			a.cookie = value
		}
	}
	return nil
}
