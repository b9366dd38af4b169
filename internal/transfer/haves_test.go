package transfer

import (
	"testing"

	"tandem/internal/swarm"
)

func TestHavesTakeTurnsAmongManyConnectionsAndNoneWaitsLong(t *testing.T) {
	for _, c := range []struct{ conns, turns int }{{1, 1}, {16, 1}, {17, 2}, {50, 4}} {
		x := &Transfer{}
		for i := range c.conns {
			x.conns = append(x.conns, &conn{id: swarm.ConnID(i + 1), ctl: []byte("have")})
		}
		for range c.turns {
			before := len(x.dirty)
			x.sendHaves()
			if n := len(x.dirty) - before; n > havesPerTick {
				t.Errorf("of %d connections %d were sent haves at one tick", c.conns, n)
			}
		}
		if len(x.dirty) != c.conns {
			t.Errorf("of %d connections %d were sent their haves after %d ticks", c.conns, len(x.dirty), c.turns)
		}
	}
}
