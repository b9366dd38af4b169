package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes as people spell it; 0 is no limit.
type Size int64

// sizeUnits are in ascending order of what Exact prefers; a letter alone is the decimal one.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"", 1},
	{"B", 1},
	{"k", 1e3},
	{"M", 1e6},
	{"G", 1e9},
	{"T", 1e12},
	{"P", 1e15},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"PB", 1e15},
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"PiB", 1 << 50},
}

// ParseSize reads 500MB, 20GiB, 1.5 TB or a plain number of bytes; whole bytes are exact.
func ParseSize(s string) (Size, error) {
	t := strings.TrimSpace(s)
	digits := t[:len(t)-len(strings.TrimLeft(t, "0123456789."))]
	name := strings.TrimSpace(t[len(digits):])
	for _, u := range sizeUnits {
		if !strings.EqualFold(u.name, name) {
			continue
		}
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n <= math.MaxInt64/u.bytes {
			return Size(n * u.bytes), nil
		}
		if n, err := strconv.ParseFloat(digits, 64); err == nil && n*float64(u.bytes) < math.MaxInt64 {
			return Size(n * float64(u.bytes)), nil
		}
		break
	}
	return 0, fmt.Errorf("size %q is not a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB", s)
}

// Exact writes s in the largest unit that leaves a whole number, as ParseSize reads it: 50 GB, 3 MiB.
func (s Size) Exact() string {
	if s == 0 {
		return "0"
	}
	best, shown := sizeUnits[0], ""
	for _, u := range sizeUnits {
		if len(u.name) > 1 && int64(s)%u.bytes == 0 && u.bytes > best.bytes {
			best, shown = u, " "+u.name
		}
	}
	return strconv.FormatInt(int64(s)/best.bytes, 10) + shown
}

// String writes a form ParseSize reads.
func (s Size) String() string { return strconv.FormatInt(int64(s), 10) + "B" }

// Set implements pflag.Value.
func (s *Size) Set(text string) error {
	v, err := ParseSize(text)
	if err == nil {
		*s = v
	}
	return err
}

// Type implements pflag.Value.
func (s *Size) Type() string { return "SIZE" }

// UnmarshalText reads a file's form.
func (s *Size) UnmarshalText(b []byte) error { return s.Set(string(b)) }
