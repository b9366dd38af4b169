package transfer

import (
	"time"

	"tandem/internal/transport"
)

// A system takes far more than a thin uplink carries: with 64 KiB for each of fifteen
// connections, two seconds at 4 Mbit/s. All of that stands in front of our requests and
// acknowledgements, cannot be cancelled, and makes turns fiction. So what was written
// counts as sent when no more of it is on its way than allowance says.
const (
	queueTime  = 10 * time.Millisecond
	leastQueue = 4 << 10  // two full packets and the half of what follows: their acknowledgement may be delayed
	firstQueue = 16 << 10 // while the uplink is not known
)

// allowance is how much of one connection may be on its way over the round trip rtt
// without queues, where the uplink was seen to carry rate bytes per second. Twice what
// a round trip holds: the rate is what was seen, and is to be able to double with each.
func allowance(rate int64, rtt time.Duration) int64 {
	if rate <= 0 {
		return firstQueue
	}
	return max(rate*int64(queueTime+2*rtt)/int64(time.Second), leastQueue)
}

// How long to wait before looking again.
const (
	drainLeast = time.Millisecond
	drainMost  = 50 * time.Millisecond
)

// thin is below how many bytes per second all this is done: from there on what the
// system takes of one connection is gone within a tenth of a second, and to watch it
// costs more than it gives (ten receivers with 20 Mbit/s: 26 CPU-seconds in place of 15,
// and 3 % more time).
const thin = 10 * maxUnsent

// burst is how many blocks to hand over at once: on a thin uplink, and while it is not
// known, requests overtake between them.
func (t *Transfer) burst() int {
	if t.uplink.Load() >= thin {
		return maxBurst
	}
	return 1
}

// drain waits until what was written counts as sent. Control messages go out meanwhile.
func (t *Transfer) drain(c *conn) error {
	m, ok := c.nc.(transport.Meter)
	if !ok {
		return nil
	}
	for {
		rate := t.uplink.Load()
		if rate >= thin {
			return nil
		}
		n, rtt, ok := m.Flight()
		if !ok {
			return nil
		}
		over := int64(n) - allowance(rate, rtt)
		if over <= 0 {
			return nil
		}
		wait := 2 * drainLeast
		if rate > 0 {
			wait = time.Duration(over * int64(time.Second) / rate)
		}
		c.writing.Store(time.Now().UnixNano()) // it is judged like a Write
		err := t.idle(c, min(max(wait, drainLeast), drainMost))
		c.writing.Store(0)
		if err != nil {
			return err
		}
	}
}

// maxUnsent is what the transport lets the system hold back of one connection.
const maxUnsent = 64 << 10
