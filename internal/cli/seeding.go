package cli

import (
	"fmt"
	"math"
	"time"
)

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
