package transfer

import (
	"testing"
	"time"

	"tandem/internal/content"
)

// A node behind 32 KiB a second has what six others want, and wants what one of them
// has: each of its requests would stand for seconds behind what the system took for
// that neighbour and for the others.
func TestWhatAThinUplinkGivesDoesNotHoldUpWhatItsNodeAsksFor(t *testing.T) {
	files := testFiles(2 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		n := tor.Manifest.NumPieces()
		first, second := content.NewBitfield(n), content.NewBitfield(n)
		for i := range n {
			if i < n/2 {
				first.Set(i)
			} else {
				second.Set(i)
			}
		}
		half := func(set *content.Bitfield) *memory {
			m := newMemory(tor.Manifest)
			m.fill(files, set)
			return m
		}
		thin := w.start(tor, half(first), nil)
		thin.slowly(32 << 10)
		for range 6 {
			w.start(tor, half(second), nil).AddPeers("test", thin.at())
		}
		thin.finishes(8 * time.Second)
	})
}

// The bytes are there, whether or not they count as sent: nothing is left out of the
// figures when the other side leaves with the last block.
func TestWhatWasGivenIsCountedWhenTheReceiverLeavesAtOnce(t *testing.T) {
	files := testFiles(256 << 10)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		seed := w.start(tor, fullMemory(tor.Manifest, files), nil)
		seed.slowly(64 << 10)
		got := w.start(tor, nil, nil)
		got.AddPeers("test", seed.at())
		got.finishes(10 * time.Second)
		got.cancel()
		<-got.ended
		if s := seed.Status(); s.ToPeers != tor.Manifest.TotalBytes() {
			t.Errorf("%d bytes given, of %d", s.ToPeers, tor.Manifest.TotalBytes())
		}
	})
}

func TestAllowance(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		rate int64
		rtt  time.Duration
		want int64
	}{
		{"an uplink nothing is known of", 0, 250 * ms, 16 << 10},
		{"2 Mbit/s to a neighbour: two packets", 250_000, 0, 4 << 10},
		{"2 Mbit/s across a country", 250_000, 20 * ms, 12_500},
		{"20 Mbit/s to a neighbour: ten milliseconds", 2_500_000, ms, 30_000},
		{"64 KiB a quarter of a second, to the other side of the world: it may double", 262_144, 250 * ms, 133_693},
	} {
		if got := allowance(c.rate, c.rtt); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}
