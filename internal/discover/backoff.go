package discover

import "time"

// Backoff returns first times 2^n, at most limit.
func Backoff(first time.Duration, n int, limit time.Duration) time.Duration {
	for range n {
		if first >= limit {
			break
		}
		first *= 2
	}
	return min(first, limit)
}
