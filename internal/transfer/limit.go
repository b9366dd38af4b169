package transfer

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// reserveAll takes n bytes from every limiter and returns how long to wait
// before sending them.
func reserveAll(now time.Time, limits []*rate.Limiter, n int) time.Duration {
	var wait time.Duration
	for _, l := range limits {
		if l == nil || l.Limit() == rate.Inf || l.Burst() <= 0 {
			continue
		}
		for left := n; left > 0; {
			k := min(left, l.Burst())
			wait = max(wait, l.ReserveN(now, k).DelayFrom(now))
			left -= k
		}
	}
	return wait
}

// waitAll takes n bytes from every limiter and waits until they are due.
func waitAll(ctx context.Context, limits []*rate.Limiter, n int) error {
	if len(limits) == 0 {
		return nil
	}
	d := reserveAll(time.Now(), limits, n)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// strictest returns the smallest finite limit in bytes per second, 0 for none.
func strictest(limits []*rate.Limiter) float64 {
	least := rate.Inf
	for _, l := range limits {
		if l != nil {
			least = min(least, l.Limit())
		}
	}
	if least == rate.Inf {
		return 0
	}
	return float64(least)
}
