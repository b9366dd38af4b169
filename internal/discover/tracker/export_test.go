package tracker

import "time"

// SetEarliest makes c come back sooner than a tracker on the Internet would
// like.
func SetEarliest(c *Client, d time.Duration) { c.earliest = d }
