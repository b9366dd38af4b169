package admit

import (
	"net/netip"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// desk is an Origin with a clock, and names for nodes.
type desk struct {
	*Origin
	t   *testing.T
	now time.Time
}

const (
	pieces   = 8
	pieceLen = 64 << 10
)

func newDesk(t *testing.T, cfg Config) *desk {
	return &desk{New(cfg), t, time.Unix(1e9, 0)}
}

func (d *desk) pass(by time.Duration) { d.now = d.now.Add(by) }

func nodeID(n int) peer.ID { return peer.ID{byte(n) + 1} }

// joins brings nodes 0 to n-1, who have nothing.
func (d *desk) joins(n int) {
	for i := range n {
		d.report(i, 0)
	}
}

func (d *desk) report(n int, have int64) {
	d.Join(d.now, theShare, Node{ID: nodeID(n), Pieces: pieces, Size: pieces * pieceLen, Have: have, Total: pieces * pieceLen})
}

// ask asks for pieces as a node.
func (d *desk) ask(n, first, last int) Verdict {
	return d.Ask(d.now, Request{
		Client: Client{Node: nodeID(n)}, Share: theShare, First: first, Last: last, Bytes: int64(last-first+1) * pieceLen,
	})
}

// browse asks as a browser at some address.
func (d *desk) browse(n int, bytes int64) ID {
	d.t.Helper()
	v := d.Ask(d.now, Request{Client: Client{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})}, Bytes: bytes})
	if v.ID == 0 {
		d.t.Fatal("a browser is pointed elsewhere")
	}
	return v.ID
}

// send lets a request have all it is granted until it has n bytes, however long that takes.
func (d *desk) send(id ID, n int64) {
	d.t.Helper()
	for d.Take(d.now, id, int(n)); n > 0; {
		grants, next := d.Grants(d.now)
		for _, g := range grants {
			d.Sent(d.now, g.ID, g.Bytes)
			if g.ID == id {
				n -= int64(g.Bytes)
				d.Take(d.now, id, int(n))
			}
		}
		if len(grants) == 0 {
			if next.IsZero() {
				d.t.Fatal("nothing is granted, ever")
			}
			d.now = next
		}
	}
}

// gets has a node ask for pieces and take all of them.
func (d *desk) gets(n, first, last int) {
	d.t.Helper()
	v := d.ask(n, first, last)
	if v.ID == 0 {
		d.t.Fatalf("node %d is not given pieces %d to %d", n, first, last)
	}
	d.send(v.ID, int64(last-first+1)*pieceLen)
	d.Done(d.now, v.ID, true)
}

func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name  string
		then  func(*desk)
		piece int
		want  bool // that node 1 is served
	}{
		{"a piece that nobody has is given", func(*desk) {}, 5, true},
		{"one that is being given is not", func(*desk) {}, 1, false},
		{"one that has left is not", func(*desk) {}, 0, false},
		{"one whose holder has left the swarm is", func(d *desk) { d.Leave(d.now, theShare, nodeID(0)) }, 0, true},
		{"one whose holder hung up a moment ago is not", func(d *desk) { d.Away(d.now, theShare, nodeID(0)) }, 0, false},
		{"one whose holder hung up and did not come back is", func(d *desk) {
			d.Away(d.now, theShare, nodeID(0))
			d.pass(awayFor + time.Second)
		}, 0, true},
		{"one whose transfer broke is", func(d *desk) { d.Done(d.now, 2, false) }, 1, true},
		{"one that was not moved on for long is", func(d *desk) {
			d.pass(Stall + time.Second)
			d.report(1, 0)
		}, 1, true},
		{"everything is once all pieces have left", func(d *desk) {
			d.Done(d.now, 2, true)
			d.gets(2, 2, pieces-1)
		}, 0, true},
		{"the guard rests when nobody asks for what has not left", func(d *desk) {
			d.Done(d.now, 2, true)
			d.pass(freshFor + time.Second)
		}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, Config{})
			d.joins(3)
			d.gets(0, 0, 0)
			if v := d.ask(0, 1, 1); v.ID != 2 { // under way
				t.Fatalf("%+v", v)
			}
			c.then(d)
			v := d.ask(1, c.piece, c.piece)
			if got := v.ID != 0; got != c.want {
				t.Fatalf("served: %v, %+v", got, v)
			}
			if !c.want && (!v.Taken.Has(c.piece) || v.Taken.Has(5) || v.After < leastTurn || v.After > guardTurn) {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestHoldersAreNamed(t *testing.T) {
	d := newDesk(t, Config{})
	d.joins(3)
	d.gets(0, 0, 0)
	d.gets(2, 1, 1)
	v := d.ask(1, 0, 0)
	if v.ID != 0 || len(v.Holders) != 1 || v.Holders[0] != nodeID(0) || v.Taken.Count() != 2 {
		t.Errorf("%+v", v)
	}
}

func TestOwnPiecesMayBeAskedForAgain(t *testing.T) {
	d := newDesk(t, Config{})
	d.joins(2)
	d.gets(0, 0, 1)
	d.gets(0, 0, 0) // what came did not fit its hash, perhaps
}

// Who says that it is a node and has not joined is served as a browser is, whatever it says of pieces.
func TestStrangersAreBrowsers(t *testing.T) {
	for _, c := range []struct {
		name string
		q    Request
	}{
		{"a node that has not joined", Request{Client: Client{Node: nodeID(9)}, Share: theShare}},
		{"a share that nobody joined", Request{Client: Client{Node: nodeID(0)}, Share: content.Hash{9}}},
		{"pieces beyond the last", Request{Client: Client{Node: nodeID(0)}, Share: theShare, Last: pieces}},
		{"all pieces for a single byte", Request{Client: Client{Node: nodeID(0)}, Share: theShare, Last: pieces - 1, Bytes: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, Config{})
			d.joins(2)
			v := d.Ask(d.now, c.q)
			if v.ID == 0 || d.requests[v.ID].s != nil {
				t.Errorf("%+v", v)
			}
			if got := d.ask(1, 0, 0); got.ID == 0 {
				t.Error("it keeps pieces from others")
			}
		})
	}
}

func TestCopiesOfACrowd(t *testing.T) {
	d := newDesk(t, Config{Copies: 1.25})
	d.joins(3)
	d.gets(0, 0, pieces-1)
	d.gets(1, 0, 1) // a quarter more
	if v := d.ask(1, 2, 2); v.ID != 0 {
		t.Error("more copies than there may be")
	}
	d.report(1, 2*pieceLen)
	d.Leave(d.now, theShare, nodeID(0))
	d.gets(1, 2, 2) // nobody else has it now
	if v := d.ask(2, 0, 0); v.ID != 0 {
		t.Error("node 1 has that piece")
	}
	before := d.shares[theShare].spent
	d.report(4, 0)
	if d.shares[theShare].spent != before {
		t.Error("one who joins soon is of the same crowd")
	}
	d.Leave(d.now, theShare, nodeID(4))
	d.pass(CrowdGap + time.Second)
	d.report(3, 0)
	d.report(2, 0)
	d.gets(2, 0, 0) // another crowd
}

// What a broken transfer did not bring does not count as copies.
func TestBrokenTransfersAreNoCopies(t *testing.T) {
	d := newDesk(t, Config{Copies: 2})
	d.joins(2)
	for range 5 {
		d.Done(d.now, d.ask(0, 0, pieces-1).ID, false)
	}
	d.gets(0, 0, pieces-1)
	d.gets(1, 0, 0)
}

// What nobody holds is worth waiting for, but not for long: a node comes back when it is its turn, and is served then.
func TestComingBackInTurn(t *testing.T) {
	d := newDesk(t, Config{Rate: pieceLen / 2})
	d.joins(5)
	for i := range 4 {
		if v := d.ask(i, i, i); v.ID == 0 {
			t.Fatalf("node %d is to come back, with %d before it", i, i)
		}
	}
	v := d.ask(4, 4, 4)
	if v.ID != 0 || !v.Taken.Full() || v.Holders != nil || v.After < 3*time.Second || v.After > mostTurn {
		t.Fatalf("%+v", v)
	}
	d.pass(time.Second / 2)
	if early := d.ask(4, 4, 4); early.ID != 0 || early.After != v.After-time.Second/2 {
		t.Errorf("before its turn: %+v", early)
	}
	busy := d.browse(9, 1<<30)
	d.Take(d.now, busy, 1<<30)
	for range 4 { // what is given to others meanwhile
		d.ask(3, 3, 3)
	}
	d.pass(v.After - time.Second/2)
	if v := d.ask(4, 4, 4); v.ID == 0 {
		t.Errorf("in its turn: %+v", v)
	}
}

// A budget that was not used is not saved up.
func TestIdleBudgetIsNotSaved(t *testing.T) {
	const rate = 1 << 20
	c := newCrowd(t, 1, Config{Rate: rate}, 1, 1)
	c.browser(0, 1000, rate, 0, nil)
	c.run(time.Minute)
	c.now = c.now.Add(time.Hour)
	for i := range 20 {
		c.browser(i, 1<<20, 100*rate, 0, nil)
	}
	c.run(time.Hour)
	c.checkBudget(rate)
	if c.left > 0 {
		t.Errorf("%d are not served", c.left)
	}
}

// A node that is pointed elsewhere and gets nowhere is served at last: peers may be out of its reach.
func TestNobodyStarves(t *testing.T) {
	d := newDesk(t, Config{Copies: 1})
	d.joins(2)
	d.gets(0, 0, pieces-1)
	for range 10 {
		if v := d.ask(1, 0, 0); v.ID != 0 {
			t.Fatal("served at once")
		}
		d.pass(Patience / 10)
		d.report(0, pieces*pieceLen)
		d.report(1, 0)
	}
	d.pass(time.Second)
	d.gets(1, 0, 0)

	// One that gets on by others' help is not.
	for range 20 {
		if v := d.ask(1, 1, 1); v.ID != 0 {
			t.Fatal("served, though it gets on")
		}
		d.pass(Patience / 10)
		d.report(0, pieces*pieceLen)
		d.report(1, int64(d.now.Unix())%(pieces*pieceLen-1)+1)
	}
}

func TestOverTheBudget(t *testing.T) {
	const rate = 64 << 10
	d := newDesk(t, Config{Rate: rate})
	d.joins(4)
	d.gets(0, 0, pieces-1)
	d.pass(freshFor + time.Minute/2)
	for i := range 4 {
		d.report(i, 0)
	}
	before := d.browse(9, 1<<30)
	d.send(before, 256<<10) // what had not been used until now
	d.Done(d.now, before, false)
	busy := d.browse(1, 1<<20)
	d.Take(d.now, busy, 1<<20)
	if v := d.ask(1, 0, 0); v.ID == 0 {
		t.Fatal("nobody waits yet, and it is pointed elsewhere")
	}
	d.ask(3, 1, 1)
	var last time.Duration
	for i := 1; i < 4; i++ { // the turns of one after another
		v := d.ask(2, 2, 2)
		if v.ID != 0 || v.After < leastTurn || v.After > mostTurn || !v.Taken.Has(2) || len(v.Holders) == 0 {
			t.Fatalf("%+v", v)
		}
		if v.After < last {
			t.Errorf("told %v, then %v", last, v.After)
		}
		last = v.After
	}
	if v := d.browse(2, 1<<20); v == 0 {
		t.Error("a browser does not wait")
	}
}

func TestMonthIsUsedUp(t *testing.T) {
	d := newDesk(t, Config{Rate: 10 << 20, Month: 1 << 20})
	d.Spend(1 << 20)
	d.joins(2)
	if got := d.rate(); got != 1<<20 {
		t.Errorf("%v bytes per second, not a tenth", got)
	}
	d.gets(0, 0, 0) // nobody has it
	if v := d.ask(1, 0, 0); v.ID != 0 {
		t.Error("node 0 has it")
	}
	begin := d.now
	id := d.browse(1, 4<<20)
	d.send(id, 4<<20)
	if took := d.now.Sub(begin); took < 3*time.Second || took > 5*time.Second {
		t.Errorf("4 MiB at a tenth of 10 MiB/s took %v", took)
	}
	if d.Spent() != 5<<20+pieceLen {
		t.Errorf("%d bytes went out", d.Spent())
	}
	d.Spend(0)
	if d.rate() != 10<<20 {
		t.Error("a new month is as the old one")
	}
	if free := newDesk(t, Config{Month: 1}); free.rate() != 0 {
		t.Error("within the month there is no limit")
	}
}

func TestConnsAtATime(t *testing.T) {
	d := newDesk(t, Config{Conns: 2})
	var ids [4]ID
	for i := range ids {
		ids[i] = d.browse(i, 1000)
		d.Take(d.now, ids[i], 1000)
	}
	granted := func() (list []ID) {
		grants, _ := d.Grants(d.now)
		for _, g := range grants {
			list = append(list, g.ID)
		}
		return list
	}
	if got := granted(); len(got) != 2 || got[0] != ids[0] || got[1] != ids[1] {
		t.Fatalf("first %v", got)
	}
	if got := granted(); got != nil {
		t.Fatalf("then %v", got)
	}
	d.Done(d.now, ids[1], true)
	d.Done(d.now, ids[2], false) // its client did not wait
	if got := granted(); len(got) != 1 || got[0] != ids[3] {
		t.Errorf("at last %v", got)
	}
}

// The queue is fair between clients, however many requests each has.
func TestFairBetweenClients(t *testing.T) {
	d := newDesk(t, Config{Rate: 1 << 20})
	got := map[ID]int{}
	greedy, want := map[ID]bool{}, []ID{}
	for range 10 {
		greedy[d.browse(1, 1<<30)] = true
	}
	for i := 2; i < 5; i++ {
		want = append(want, d.browse(i, 1<<30))
	}
	for id := range d.requests {
		d.Take(d.now, id, 1<<30)
	}
	for end := d.now.Add(40 * time.Second); d.now.Before(end); {
		grants, next := d.Grants(d.now)
		for _, g := range grants {
			d.Sent(d.now, g.ID, g.Bytes)
			got[g.ID] += g.Bytes
			d.Take(d.now, g.ID, 1<<30)
		}
		if len(grants) == 0 {
			d.now = next
		}
	}
	sum := 0
	for id := range greedy {
		sum += got[id]
	}
	for _, id := range append(want, 0) {
		n := got[id]
		if id == 0 {
			n = sum
		}
		if n < 9<<20 || n > 11<<20 {
			t.Errorf("%d MiB of 40, among four", n>>20)
		}
	}
}

// A node's request is sent in one go rather than shared out: a whole piece is of use to others.
func TestANodesRequestKeepsItsPlace(t *testing.T) {
	d := newDesk(t, Config{Rate: 1 << 20})
	d.joins(3)
	a, b := d.ask(0, 0, 3), d.ask(1, 4, 7)
	for _, id := range []ID{a.ID, b.ID} {
		d.Take(d.now, id, 4*pieceLen)
	}
	var order []ID
	for len(order) < 8 {
		grants, next := d.Grants(d.now)
		for _, g := range grants {
			order = append(order, g.ID)
			d.Sent(d.now, g.ID, g.Bytes)
			d.Take(d.now, g.ID, 4*pieceLen)
		}
		if len(grants) == 0 {
			d.now = next
		}
	}
	for i, id := range order {
		if want := []ID{a.ID, b.ID}[i/4]; id != want {
			t.Fatalf("order %v", order)
		}
	}
}

// What was granted and could not be sent is given to somebody else.
func TestWhatWasNotSentIsNotSpent(t *testing.T) {
	d := newDesk(t, Config{Rate: 1000})
	id := d.browse(1, 1<<20)
	d.Take(d.now, id, 1<<20)
	if g, _ := d.Grants(d.now); len(g) != 1 || g[0].Bytes != Chunk {
		t.Fatalf("%v", g)
	}
	d.Sent(d.now, id, 100)
	d.Done(d.now, id, false)
	next := d.browse(2, 1<<20)
	d.Take(d.now, next, Chunk-100)
	if g, _ := d.Grants(d.now); len(g) != 1 {
		t.Error("what was left of the budget is gone")
	}
	if d.Spent() != 100 {
		t.Errorf("%d bytes are counted", d.Spent())
	}
}

func TestBoundsOfWhatIsRemembered(t *testing.T) {
	d := newDesk(t, Config{})
	for i := range MaxNodes + 10 {
		d.Join(d.now, theShare, Node{ID: peer.ID{1, byte(i >> 8), byte(i)}, Pieces: 1, Size: 1, Total: 1})
	}
	for i := range MaxShares + 10 {
		d.Join(d.now, content.Hash{1, byte(i >> 8), byte(i), 1}, Node{ID: nodeID(0), Pieces: 1, Size: 1, Total: 1})
	}
	if len(d.shares[theShare].nodes) != MaxNodes || len(d.shares) != MaxShares {
		t.Errorf("%d nodes, %d shares", len(d.shares[theShare].nodes), len(d.shares))
	}
	d.browse(1, 1)
	d.Done(d.now, d.last, true)
	d.pass(time.Hour)
	d.Tick(d.now)
	if len(d.shares) != 0 || len(d.clients) != 0 {
		t.Errorf("%d shares and %d clients are remembered after an hour", len(d.shares), len(d.clients))
	}
}

// Calls about what is not there, or a second time, change nothing.
func TestCallsAboutNothing(t *testing.T) {
	d := newDesk(t, Config{Rate: 1000})
	d.Take(d.now, 7, 10)
	d.Sent(d.now, 7, 10)
	d.Done(d.now, 7, true)
	d.Leave(d.now, theShare, nodeID(0))
	d.Away(d.now, theShare, nodeID(0))
	d.Join(d.now, theShare, Node{})
	id := d.browse(1, 10)
	d.Take(d.now, id, 10)
	d.Take(d.now, id, 10)
	d.Done(d.now, id, true)
	d.Done(d.now, id, true)
	if g, next := d.Grants(d.now); g != nil || !next.IsZero() || d.ahead != 0 || d.Spent() != 0 {
		t.Errorf("%v %v, %d ahead", g, next, d.ahead)
	}
}
