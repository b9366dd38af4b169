package choke

// Line is Next for one who serves very many: connections in the order of the end of
// their last turn, those being sent to at the end. So the first that waits is whom Next
// would name where nobody is fresh and nobody only takes, without a look at the others.
// The zero Line is empty. Its elements are the caller's names for connections, and each
// may have a note to it, such as what it asked for.
type Line struct {
	conns  []int32
	notes  []int32 // nil: none are kept
	active int     // at the end, being sent to
}

// NoNote is what stands where there is no note.
const NoNote = -1

// MakeLine returns a Line that keeps its connections in room, and its notes in another
// (nil: it has none), as long as that lasts.
func MakeLine(room, notes []int32) Line {
	l := Line{conns: room[:0]}
	if notes != nil {
		l.notes = notes[:0]
	}
	return l
}

// Note returns the note to the i-th of All.
func (l *Line) Note(i int) int32 { return l.notes[i] }

// SetNote changes the note to the i-th of All.
func (l *Line) SetNote(i int, note int32) { l.notes[i] = note }

// Find returns the place of a connection in All, or -1.
func (l *Line) Find(c int32) int {
	for i, o := range l.conns {
		if o == c {
			return i
		}
	}
	return -1
}

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
	if l.notes != nil {
		l.notes = append(l.notes, 0)
		copy(l.notes[before+1:], l.notes[before:])
		l.notes[before] = NoNote
	}
}

// Begin says that the i-th of those waiting is being sent to.
func (l *Line) Begin(i int) {
	move(l.conns, i, len(l.conns)-1)
	if l.notes != nil {
		move(l.notes, i, len(l.conns)-1)
	}
	l.active++
}

// End says that the turn of a connection is over. One that is not being sent to stays
// where it is.
func (l *Line) End(c int32) {
	first := len(l.conns) - l.active
	for i := first; i < len(l.conns); i++ {
		if l.conns[i] == c {
			move(l.conns, i, first)
			if l.notes != nil {
				move(l.notes, i, first)
			}
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
			if l.notes != nil {
				l.notes = append(l.notes[:i], l.notes[i+1:]...)
			}
			return true
		}
	}
	return false
}

// move takes an element of a list to another place.
func move(list []int32, from, to int) {
	v := list[from]
	if from < to {
		copy(list[from:to], list[from+1:to+1])
	} else {
		copy(list[to+1:from+1], list[to:from])
	}
	list[to] = v
}
