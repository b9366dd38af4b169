package choke

// Line is Next for one who serves very many: connections in the order of the end of
// their last turn, those being sent to at the end. So the first that waits is whom Next
// would name where nobody is fresh and nobody only takes, without a look at the others.
// The zero Line is empty. Its elements are the caller's names for connections.
type Line struct {
	conns  []int32
	active int // at the end, being sent to
}

// MakeLine returns a Line that keeps its connections in room, as long as that lasts.
func MakeLine(room []int32) Line { return Line{conns: room[:0]} }

// Waiting returns those not being sent to, served longest ago first. It is valid until
// the line changes.
func (l *Line) Waiting() []int32 { return l.conns[:len(l.conns)-l.active] }

// All returns all connections, in no order that means anything. It is valid until the
// line changes.
func (l *Line) All() []int32 { return l.conns }

// Join adds a connection that was never served, behind others of those if there are
// any at the front: before says how many.
func (l *Line) Join(c int32, before int) {
	l.conns = append(l.conns, 0)
	copy(l.conns[before+1:], l.conns[before:])
	l.conns[before] = c
}

// Begin says that the i-th of those waiting is being sent to.
func (l *Line) Begin(i int) {
	c := l.conns[i]
	copy(l.conns[i:], l.conns[i+1:])
	l.conns[len(l.conns)-1] = c
	l.active++
}

// End says that the turn of a connection is over. One that is not being sent to stays
// where it is.
func (l *Line) End(c int32) {
	first := len(l.conns) - l.active
	for i := first; i < len(l.conns); i++ {
		if l.conns[i] == c {
			copy(l.conns[first+1:i+1], l.conns[first:i])
			l.conns[first] = c
			l.active--
			return
		}
	}
}

// Leave removes a connection that is not being sent to, and reports whether it was
// there.
func (l *Line) Leave(c int32) bool {
	for i, o := range l.Waiting() {
		if o == c {
			l.conns = append(l.conns[:i], l.conns[i+1:]...)
			return true
		}
	}
	return false
}
