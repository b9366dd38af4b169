package web

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tandem/internal/fault"
)

// numberOf reads a whole number; anything else is 0, which names nothing.
func numberOf(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// daysFrom reads a number of days and returns when they are over; 0 is never, the
// zero time. Errors are of kind fault.Invalid.
func daysFrom(now time.Time, days string) (time.Time, error) {
	n, err := strconv.ParseInt(days, 10, 64)
	switch {
	case err != nil || n < 0 || n > 36500:
		return time.Time{}, fault.Errorf(fault.Invalid, "choose how long it is good for")
	case n == 0:
		return time.Time{}, nil
	}
	return now.Add(time.Duration(n) * 24 * time.Hour), nil
}

// keepDays reads a time to keep things, in days; empty is 0, the server's own.
func keepDays(s string) (time.Duration, error) {
	if s = strings.TrimSpace(s); s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > 36500 {
		return 0, fault.Errorf(fault.Invalid, "days to keep something are a number from 1 to 36500, or empty")
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

func daysText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return number(int64(math.Ceil(d.Hours() / 24)))
}

// endOfDay reads a date; it holds until that day is over, UTC. Empty is never.
func endOfDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fault.Errorf(fault.Invalid, "a date is written 2026-12-31")
	}
	return t.Add(24 * time.Hour), nil
}

var units = []struct {
	name  string
	bytes float64
}{
	{"", 1},
	{"b", 1},
	{"kb", 1e3},
	{"mb", 1e6},
	{"gb", 1e9},
	{"tb", 1e12},
	{"pb", 1e15},
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"tib", 1 << 40},
	{"pib", 1 << 50},
	{"k", 1e3},
	{"m", 1e6},
	{"g", 1e9},
	{"t", 1e12},
	{"p", 1e15},
}

// parseSize reads bytes as people write them: "50 GB", "1.5 GiB", "1000". Empty is
// 0. Errors are of kind fault.Invalid.
func parseSize(s string) (int64, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return 0, nil
	}
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789."))]
	unit := strings.TrimSpace(s[len(digits):])
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > 0 && unit == "" {
		return n, nil
	}
	for _, u := range units {
		if u.name != unit {
			continue
		}
		f, err := strconv.ParseFloat(digits, 64)
		if n := f * u.bytes; err == nil && n >= 1 && n < math.MaxInt64 {
			return int64(n), nil
		}
	}
	return 0, fault.Errorf(fault.Invalid, "a size is written like 50 GB, or left empty for none")
}

// sizeText writes bytes so that parseSize reads the same; 0 is empty.
func sizeText(n int64) string {
	if n == 0 {
		return ""
	}
	for i := len(units) - 1; i >= 0; i-- {
		u := units[i]
		if len(u.name) == 2 && n%int64(u.bytes) == 0 {
			return number(n/int64(u.bytes)) + " " + strings.ToUpper(u.name)
		}
	}
	return number(n)
}
