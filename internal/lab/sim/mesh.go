package sim

import (
	"tandem/internal/choke"
	"tandem/internal/lab"
)

// Connections, as internal/transfer has them by default: a node dials until it has so
// many, and takes in others up to the limit. Of very many nodes each has fewer here, and
// the Result says so.
const (
	dialsTo   = 64  // transfer.maxOutgoing
	takesIn   = 224 // of transfer's 256, an eighth is for those it dials
	originHas = 256
)

// sparse is how many connections a node has at least and at most, by how many nodes
// there are.
func sparse(n int) (dials, limit int) {
	switch {
	case n <= 2_000:
		return dialsTo, takesIn
	case n <= 20_000:
		return 32, 48
	case n <= eager:
		return 16, 24
	}
	return 8, 12
}

// lines is who is connected to whom, and in which order each serves the others.
type lines struct {
	of       []choke.Line
	dials    int
	limit    int
	places   []int32 // where of has its connections: those of node i from first + i*wide
	first    int
	wide     int
	accounts map[pair]*account // nil: not kept
	banned   map[pair]bool
}

// pair is one node as another sees it.
type pair struct{ of, with int32 }

// account is what a node exchanged with a neighbour, for R7.
type account struct {
	up, down int64
	served   int64 // end of the last turn
}

func newLines(n, origins int, notes bool, m *measures) lines {
	l := lines{of: large(make([]choke.Line, n)), banned: make(map[pair]bool)}
	l.dials, l.limit = sparse(n)
	if n <= lab.MaxNodes {
		l.accounts = make(map[pair]*account)
	} else {
		m.note("above %d nodes those that only take are served as all others are in the simulator", lab.MaxNodes)
	}
	if l.dials < dialsTo {
		m.note("each node has about %d connections in the simulator, where the product has %d", l.dials, dialsTo)
	}
	at := min(l.limit, n)
	first := min(originHas, n)
	room := large(make([]int32, origins*first+(n-origins)*at))
	l.places, l.first, l.wide = room, origins*(first-at), at
	var beside []int32
	if notes {
		beside = make([]int32, len(room))
	}
	for i := range l.of {
		size := at
		if i < origins {
			size = first
		}
		if notes {
			l.of[i] = choke.MakeLine(room[:0:size], beside[:0:size])
			beside = beside[size:]
		} else {
			l.of[i] = choke.MakeLine(room[:0:size], nil)
		}
		room = room[size:]
	}
	return l
}

// account returns what node of exchanged with another, nil where that is not counted.
func (l *lines) account(of, with int32) *account {
	if l.accounts == nil {
		return nil
	}
	a := l.accounts[pair{of, with}]
	if a == nil {
		a = new(account)
		l.accounts[pair{of, with}] = a
	}
	return a
}

// count notes that content went from one to another.
func (l *lines) count(from, to int32, bytes int64) {
	if l.accounts != nil {
		l.account(from, to).up += bytes
		l.account(to, from).down += bytes
	}
}

// turn begins the turn of node to at node from.
func (l *lines) turn(from, to int32) {
	for k, i := range l.of[from].Waiting() {
		if i == to {
			l.of[from].Begin(k)
			return
		}
	}
}

// connected reports whether two nodes are.
func (e *engine) connected(i, j int32) bool {
	for _, k := range e.lines.of[i].All() {
		if k == j {
			return true
		}
	}
	return false
}

// connect joins two nodes, if they may be, and reports whether it did.
func (e *engine) connect(i, j int32) bool {
	a, b := &e.nodes[i], &e.nodes[j]
	if i == j || a.state != isHere || b.state != isHere || a.marks&b.marks&unreachable != 0 {
		return false
	}
	if e.lines.room(i, e.origins) <= 0 || e.lines.room(j, e.origins) <= 0 || e.connected(i, j) {
		return false
	}
	if len(e.lines.banned) > 0 && (e.lines.banned[pair{i, j}] || e.lines.banned[pair{j, i}]) {
		return false
	}
	e.lines.of[i].Join(j, e.rank(i))
	e.lines.of[j].Join(i, e.rank(j))
	return true
}

// room returns how many connections more node i takes.
func (l *lines) room(i, origins int32) int {
	limit := l.limit
	if i < origins {
		limit = originHas
	}
	return limit - len(l.of[i].All())
}

// rank returns where in the line of node i a new connection stands: before those that
// were served, and as long as nobody was, anywhere.
func (e *engine) rank(i int32) int {
	if e.moved > 0 || e.going > 0 {
		return 0
	}
	return e.rand.IntN(len(e.lines.of[i].All()) + 1)
}

// dial connects node i to others, until it has enough or there are no others.
func (e *engine) dial(i int32) {
	line := &e.lines.of[i]
	if e.hook == nil {
		for o := range e.origins {
			if e.connect(i, o) {
				e.meet(i, o)
			}
		}
	}
	if len(e.here)+int(e.origins) <= e.lines.dials+1 {
		for _, j := range e.here {
			if e.connect(i, j) {
				e.meet(i, j)
			}
		}
		e.poke(0)
		return
	}
	for tries := 2 * e.lines.dials; tries > 0 && len(line.All()) < e.lines.dials; tries-- {
		if j := e.here[e.rand.IntN(len(e.here))]; e.connect(i, j) {
			e.meet(i, j)
		}
	}
}

// meet has two nodes that are connected now look at each other.
func (e *engine) meet(i, j int32) {
	for _, k := range [...]int32{i, j} {
		if v := &e.nodes[k]; v.got > 0 && v.nOut < serving {
			e.poke(k)
		}
	}
	e.ask(i, j)
	e.ask(j, i)
}

// disconnect ends a connection on which nothing is under way.
func (e *engine) disconnect(i, j int32) {
	ours, theirs := e.forget(i, j), e.forget(j, i)
	e.lines.of[i].Leave(j)
	e.lines.of[j].Leave(i)
	e.release(i, j, ours)
	e.release(j, i, theirs)
}

// ban has node i never speak to j again.
func (e *engine) ban(i, j int32) {
	if j < e.origins {
		return
	}
	e.lines.banned[pair{i, j}] = true
	e.cutBetween(i, j)
	e.disconnect(i, j)
	e.redial(i)
	e.redial(j)
}

// cutBetween cuts what is under way between two nodes.
func (e *engine) cutBetween(i, j int32) {
	for _, k := range [...]pair{{i, j}, {j, i}} {
		for g := e.nodes[k.of].firstOut; g != none; {
			next := e.flows[g].nextOut
			if e.flows[g].to == k.with {
				e.cut(g)
			}
			g = next
		}
	}
}

// redial has node i look for others when it has lost many.
func (e *engine) redial(i int32) {
	if n := len(e.lines.of[i].All()); i >= e.origins && e.nodes[i].state == isHere && n < e.lines.dials*3/4 && n < len(e.here) {
		e.dial(i)
	}
}
