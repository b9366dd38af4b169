// Package units reads and writes sizes, rates and spans of time as people spell them.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rate is a limit in payload bytes per second; 0 is unlimited. It is both a
// flag value and a configuration value.
type Rate int64

var rateUnits = map[string]float64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
	"bit": 1. / 8, "kbit": 1e3 / 8, "mbit": 1e6 / 8, "gbit": 1e9 / 8,
}

// ParseRate reads 5MB, 512KiB or 40Mbit, each per second and with an optional
// "/s", or "0", "off" or "unlimited".
func ParseRate(s string) (Rate, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "off" || t == "unlimited" {
		return 0, nil
	}
	t = strings.TrimSuffix(t, "/s")
	cut := strings.IndexFunc(t, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if cut < 0 {
		cut = len(t)
	}
	unit, ok := rateUnits[strings.TrimSpace(t[cut:])]
	n, err := strconv.ParseFloat(t[:cut], 64)
	if err != nil || !ok {
		return 0, fmt.Errorf("rate %q is not a number with B, kB, MB, GB, KiB, MiB, GiB, kbit, Mbit or Gbit", s)
	}
	n *= unit
	if n != 0 && (n < 1024 || n > math.MaxInt64/2) {
		return 0, fmt.Errorf("rate %q is out of range: the least is 1KiB, and 0 means unlimited", s)
	}
	return Rate(n), nil
}

// String writes a form ParseRate reads.
func (r Rate) String() string {
	switch {
	case r == 0:
		return "unlimited"
	case r%1e6 == 0:
		return fmt.Sprintf("%dMB", r/1e6)
	case r%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", r/(1<<20))
	case r%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", r/(1<<10))
	}
	return fmt.Sprintf("%dB", int64(r))
}

// Set implements pflag.Value.
func (r *Rate) Set(s string) error {
	v, err := ParseRate(s)
	if err == nil {
		*r = v
	}
	return err
}

// Type implements pflag.Value.
func (r *Rate) Type() string { return "RATE" }

// UnmarshalText reads the configuration file's form.
func (r *Rate) UnmarshalText(b []byte) error { return r.Set(string(b)) }
