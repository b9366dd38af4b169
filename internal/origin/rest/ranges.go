package rest

import (
	"strconv"
	"strings"
)

// firstByte returns the lowest first byte that a Range asks for, 0 when it asks
// for a suffix, for several things that cannot be told, or is malformed. What
// the answer will be is net/http's to say; this is how a download that goes on
// is told from one that begins.
func firstByte(field string) int64 {
	specs, ok := strings.CutPrefix(field, "bytes=")
	if !ok {
		return 0
	}
	first := int64(-1)
	for spec := range strings.SplitSeq(specs, ",") {
		from, _, ok := strings.Cut(strings.TrimSpace(spec), "-")
		n, good := digits(strings.TrimSpace(from))
		if !ok || !good {
			return 0
		}
		if first < 0 || n < first {
			first = n
		}
	}
	return max(first, 0)
}

// oneRange returns how many bytes of size a Range asks for, if it is one with both ends; else all.
func oneRange(field string, size int64) int64 {
	spec, ok := strings.CutPrefix(field, "bytes=")
	from, to, both := strings.Cut(spec, "-")
	first, good := digits(from)
	last, fine := digits(to)
	if !ok || !both || !good || !fine || first > last || first >= size {
		return size
	}
	return min(last, size-1) - first + 1
}

// startOf returns the first byte that a Content-Range of one range names.
func startOf(field string) int64 {
	rest, _ := strings.CutPrefix(field, "bytes ")
	from, _, _ := strings.Cut(rest, "-")
	n, _ := digits(from)
	return n
}

// digits reads a decimal number without sign that fits.
func digits(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
