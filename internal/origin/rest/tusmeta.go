package rest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin"
)

// Limits on Upload-Metadata beside that on the header as a whole.
const maxMetadata = 32

// parseMetadata reads Upload-Metadata (tus 1.0): keys, each once, and what is
// said of them in base64.
func parseMetadata(field string) (map[string]string, error) {
	all := make(map[string]string)
	if strings.Trim(field, " ") == "" {
		return all, nil
	}
	for pair := range strings.SplitSeq(field, ",") {
		key, text, _ := strings.Cut(strings.Trim(pair, " "), " ")
		if key == "" || !printable(key) {
			return nil, fault.Errorf(fault.Invalid, "Upload-Metadata: %q is no key", key)
		}
		value, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") {
			return nil, fault.Errorf(fault.Invalid, "Upload-Metadata: the value of %q is no base64", key)
		}
		if _, twice := all[key]; twice {
			return nil, fault.Errorf(fault.Invalid, "Upload-Metadata: %q stands there twice", key)
		}
		if len(all) == maxMetadata {
			return nil, fault.Errorf(fault.Invalid, "Upload-Metadata: more than %d keys", maxMetadata)
		}
		all[key] = string(value)
	}
	return all, nil
}

// uploadMeta reads what Upload-Metadata says of the file. Keys that this server
// does not know are the client's own.
func uploadMeta(meta map[string]string) (r origin.UploadRequest, err error) {
	path, ok := meta["path"]
	if !ok {
		path, ok = meta["filename"] // what tus-js-client says by itself
	}
	if !ok {
		return r, fault.Errorf(fault.Invalid, "Upload-Metadata: path is missing")
	}
	r.At = origin.Place{Collection: meta["collection"], Path: path}
	if r.SHA256, err = parseHash("sha256 in Upload-Metadata", meta["sha256"]); err != nil {
		return r, err
	}
	if r.Modified, err = moment("modified in Upload-Metadata", meta["modified"]); err != nil {
		return r, err
	}
	if absent, ok := meta["if_absent"]; ok {
		switch absent {
		case "", "1", "true":
			r.IfAbsent = true
		case "0", "false":
		default:
			return r, fault.Errorf(fault.Invalid, "if_absent in Upload-Metadata is true or false")
		}
	}
	return r, nil
}

// checksum is what a client says of one chunk.
type checksum struct {
	make func() hash.Hash
	sum  []byte
}

// checksumNames is Tus-Checksum-Algorithm.
const checksumNames = "sha1,sha256"

// parseChecksum reads Upload-Checksum; nil when there is none.
func parseChecksum(field string) (*checksum, error) {
	if field == "" {
		return nil, nil
	}
	name, text, _ := strings.Cut(field, " ")
	c := &checksum{}
	switch name {
	case "sha1":
		c.make = sha1.New
	case "sha256":
		c.make = sha256.New
	default:
		return nil, fault.Errorf(fault.Invalid, "Upload-Checksum: %q is none of %s", name, checksumNames)
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sum) != c.make().Size() || strings.ContainsAny(text, "\r\n") {
		return nil, fault.Errorf(fault.Invalid, "Upload-Checksum: no %s in base64", name)
	}
	c.sum = sum
	return c, nil
}
