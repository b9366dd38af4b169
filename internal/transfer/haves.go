package transfer

// havesPerTick is about how many connections are sent nothing but haves at each tick.
const havesPerTick = 16

// sendHaves sends the haves that found no company since the last tick. Each is a
// packet and a wake-up on either side, and among fifty nodes with thin links they
// outnumber the blocks: with many connections they take turns, and what waits is sent
// together.
func (t *Transfer) sendHaves() {
	turns := (len(t.conns) + havesPerTick - 1) / havesPerTick
	t.havesTurn++
	for _, c := range t.conns {
		if len(c.ctl) > 0 && (int(c.id)+t.havesTurn)%turns == 0 {
			t.touch(c)
		}
	}
}
