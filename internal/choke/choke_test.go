package choke_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/choke"
)

const s = time.Second

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name string
		w    []choke.Waiting
		want int
	}{
		{"nobody waits", nil, -1},
		{"who was served longest ago is next", []choke.Waiting{{Served: 99 * s}, {Served: 97 * s}, {Served: 98 * s}}, 1},
		{"who was never served is next", []choke.Waiting{{Served: 99 * s}, {}}, 1},
		{"of equals the first is next", []choke.Waiting{{Served: 99 * s}, {Served: 99 * s}}, 0},
		{"who only takes comes last", []choke.Waiting{{Served: 97 * s, FreeRider: true}, {Served: 99 * s}}, 1},
		{"who only takes is served when nobody else waits", []choke.Waiting{{Served: 99 * s, FreeRider: true}}, 0},
		{"of two who only take, the one served longest ago is next", []choke.Waiting{{Served: 99 * s, FreeRider: true}, {Served: 98 * s, FreeRider: true}}, 1},
		{"who only takes waits ten seconds at most", []choke.Waiting{{Served: 89 * s, FreeRider: true}, {Served: 99 * s}}, 0},
		{"a fresh piece comes first", []choke.Waiting{{Served: 97 * s}, {Served: 99 * s, Fresh: true}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := choke.Next(100*s, c.w); got != c.want {
				t.Errorf("next is %d, want %d", got, c.want)
			}
		})
	}
}

func TestFreeRider(t *testing.T) {
	for _, c := range []struct {
		name     string
		up, down int64
		want     bool
	}{
		{"a newcomer is none", 2 << 20, 0, false},
		{"who took more and gave nothing is one", 3 << 20, 0, true},
		{"who gave the eighth part is none", 8 << 20, 1 << 20, false},
		{"who gave less is one", 8 << 20, 1<<20 - 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := choke.FreeRider(c.up, c.down); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestLimited(t *testing.T) {
	for _, c := range []struct {
		name    string
		drained int
		fair    float64
		turn    time.Duration
		want    bool
	}{
		{"who takes its share is not limited", 500_000, 500_000, s, false},
		{"who takes nine tenths of it is not", 450_000, 500_000, s, false},
		{"who takes less is", 430_000, 500_000, s, true},
		{"a block half sent is not held against it", 40_000, 50_000, s / 10, false},
		{"nothing is known of the uplink", 1, 0, s, false},
		{"who takes nothing for a second is", 0, 0, s, true},
		{"who has just begun is not", 0, 0, s / 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := choke.Limited(c.drained, c.fair, c.turn); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestShareFollowsHowManyAreSentTo(t *testing.T) {
	var f choke.Share
	f.Advance(10*s, 1e6, 0)
	before := f.Advance(11*s, 1e6, 2)
	if after := f.Advance(13*s, 1e6, 4); before != 0.5e6 || after != 1e6 {
		t.Errorf("a second among two and two among four give %.0f, then %.0f", before, after)
	}
}

func TestCapacity(t *testing.T) {
	var c choke.Capacity
	now := time.Duration(0)
	feed := func(d time.Duration, rate int) {
		for end := now + d; now < end; {
			now += 10 * time.Millisecond
			c.Add(now, rate/100)
		}
	}
	feed(3*s, 1_000_000)
	if got := c.Rate(); got < 0.95e6 || got > 1.1e6 {
		t.Errorf("after 3 s at 1 MB/s: %.0f", got)
	}
	feed(2*s, 200_000)
	if got := c.Rate(); got < 0.7e6 {
		t.Errorf("two quiet seconds forget too much: %.0f", got)
	}
	feed(60*s, 200_000)
	if got := c.Rate(); got > 0.25e6 {
		t.Errorf("a minute at 0.2 MB/s is not believed: %.0f", got)
	}
}

// Few blocks leave a thin uplink in a second, and not one after the other: several
// connections finish theirs when it happens.
func TestCapacityOfAThinUplink(t *testing.T) {
	const block, rate = 16 << 10, 250_000
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var c choke.Capacity
		now, left := time.Duration(0), 0
		for now < 30*s {
			now += time.Duration(rng.IntN(400)) * time.Millisecond
			for ; float64(left+block) < rate*now.Seconds(); left += block {
				c.Add(now, block)
			}
		}
		if got := c.Rate(); got < 0.85*rate || got > 1.25*rate {
			t.Errorf("seed %d: %.0f of %d bytes/s", seed, got, rate)
		}
	}
}

func TestSlots(t *testing.T) {
	many := []choke.Peer{
		{Unchoked: true, Since: 10 * s, Rate: 100},
		{Unchoked: true, Since: 20 * s, Rate: 500},
		{Unchoked: true, Since: 30 * s},
		{Since: 5 * s, Rate: 400},
		{Since: 4 * s},
		{Since: 6 * s},
	}
	for _, c := range []struct {
		name    string
		peers   []choke.Peer
		limit   int
		seeding bool
		want    []int
	}{
		{"everybody has one while there are enough", many, 6, false, []int{0, 1, 2, 3, 4, 5}},
		{"three go to those who send most, one to who waited longest", many, 4, false, []int{0, 1, 3, 4}},
		{"a seeder gives half to who waited longest, half stays with the newest", many, 4, true, []int{1, 2, 3, 4}},
		{"one slot rotates", many, 1, false, []int{4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := choke.Slots(c.peers, c.limit, c.seeding); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// However few the slots, everybody has one in turn, and never more at a time.
func TestSlotsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "peers")
		limit := rapid.IntRange(1, 12).Draw(t, "slots")
		seeding := rapid.Bool().Draw(t, "seeding")
		peers := make([]choke.Peer, n)
		for i := range peers {
			peers[i].Rate = rapid.SampledFrom([]float64{0, 10, 1000}).Draw(t, "rate")
		}
		had := make([]bool, n)
		for round := range 4*n + 4 {
			chosen := choke.Slots(peers, limit, seeding)
			if len(chosen) != min(limit, n) || !slices.IsSorted(chosen) {
				t.Fatalf("round %d: %v of %d slots given", round, chosen, limit)
			}
			now := time.Duration(round+1) * choke.Rotation
			for i := range peers {
				open := slices.Contains(chosen, i)
				had[i] = had[i] || open
				if open != peers[i].Unchoked {
					peers[i].Unchoked, peers[i].Since = open, now
				}
			}
		}
		if slices.Contains(had, false) {
			t.Fatalf("somebody never had a slot: %v", had)
		}
	})
}
