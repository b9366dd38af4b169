package bencode

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Raw is a value already encoded, which Append copies as it is.
type Raw []byte

// Append appends the canonical encoding of v to dst: an int, int64, string,
// []byte, []string, []any, map[string]any, Raw or Value, nested as wanted.
// Any other type is a mistake of the caller, and Append panics.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return appendInt(dst, int64(v))
	case int64:
		return appendInt(dst, v)
	case string:
		return append(appendHead(dst, len(v)), v...)
	case []byte:
		return append(appendHead(dst, len(v)), v...)
	case []string:
		dst = append(dst, 'l')
		for _, s := range v {
			dst = append(appendHead(dst, len(s)), s...)
		}
		return append(dst, 'e')
	case []any:
		dst = append(dst, 'l')
		for _, item := range v {
			dst = Append(dst, item)
		}
		return append(dst, 'e')
	case map[string]any:
		dst = append(dst, 'd')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			dst = append(appendHead(dst, len(key)), key...)
			dst = Append(dst, v[key])
		}
		return append(dst, 'e')
	case Raw:
		return append(dst, v...)
	case Value:
		return append(dst, v.Raw()...)
	}
	panic(fmt.Sprintf("bencode: cannot encode %T", v))
}

func appendInt(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(append(dst, 'i'), n, 10), 'e')
}

func appendHead(dst []byte, n int) []byte {
	return append(strconv.AppendInt(dst, int64(n), 10), ':')
}
