package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
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

// Seeding is how long to serve after completion.
type Seeding time.Duration

// Set implements pflag.Value.
func (d *Seeding) Set(s string) error {
	if s == "forever" {
		*d = Seeding(math.MaxInt64)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is neither a duration such as 30m or 12h nor "forever"`, s)
	}
	*d = Seeding(v)
	return nil
}

// String writes a form Set reads.
func (d *Seeding) String() string {
	if *d == math.MaxInt64 {
		return "forever"
	}
	return time.Duration(*d).String()
}

// Type implements pflag.Value.
func (d *Seeding) Type() string { return "DURATION|forever" }

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/(1<<10), 0
	for v >= 1023.95 && i < len(units)-1 {
		v, i = v/(1<<10), i+1
	}
	if v == math.Trunc(v) || v >= 100 {
		return fmt.Sprintf("%.0f %ciB", v, units[i])
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}

// bitsText writes a rate, given in bytes per second, for people.
func bitsText(bytesPerSecond float64) string {
	b := bytesPerSecond * 8
	switch {
	case b >= 1e9:
		return fmt.Sprintf("%.2f Gbit/s", b/1e9)
	case b >= 1e6:
		return fmt.Sprintf("%.1f Mbit/s", b/1e6)
	case b >= 1e3:
		return fmt.Sprintf("%.0f kbit/s", b/1e3)
	}
	return fmt.Sprintf("%.0f bit/s", b)
}

// secondsText writes a span of time for people.
func secondsText(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
