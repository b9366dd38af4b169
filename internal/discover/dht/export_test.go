package dht

import "time"

// Hurry makes d wait less: for an answer, and between lookups.
func Hurry(d *DHT, timeout, pause time.Duration) { d.timeout, d.pause = timeout, pause }
