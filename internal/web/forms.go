package web

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tandem/internal/fault"
	"tandem/internal/units"
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

// parseSize reads bytes as people write them: "50 GB", "1.5 GiB", "1000". Empty is
// 0. Errors are of kind fault.Invalid.
func parseSize(s string) (int64, error) {
	if strings.TrimSpace(s) == "" {
		return 0, nil
	}
	n, err := units.ParseSize(s)
	if err != nil || n < 1 {
		return 0, fault.Errorf(fault.Invalid, "a size is written like 50 GB, or left empty for none")
	}
	return int64(n), nil
}

// sizeText writes bytes so that parseSize reads the same; 0 is empty.
func sizeText(n int64) string {
	if n == 0 {
		return ""
	}
	return units.Size(n).Exact()
}
