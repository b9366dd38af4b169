package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes as people spell it; 0 is no limit.
type Size int64

// ParseSize reads 500MB, 20GiB or a plain number of bytes.
func ParseSize(s string) (Size, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	cut := strings.IndexFunc(t, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if cut < 0 {
		cut = len(t)
	}
	unit, ok := map[string]float64{
		"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}[strings.TrimSpace(t[cut:])]
	n, err := strconv.ParseFloat(t[:cut], 64)
	if err != nil || !ok || n*unit > math.MaxInt64/2 {
		return 0, fmt.Errorf("size %q is not a number with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB", s)
	}
	return Size(n * unit), nil
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
