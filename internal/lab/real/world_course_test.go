package real

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/lab"
)

const unit = 1000 // bytes of the file in these tests

// stub is a course without processes.
func stub(t interface{ Fatal(...any) }, n int, m lab.Model, change func(*lab.Scenario)) *course {
	s := lab.Scenario{Size: unit, Origin: lab.Origin{Up: 1 << 20}, Receivers: []lab.Group{{Count: n, Up: 1 << 20, Down: 1 << 20}}}
	if change != nil {
		change(&s)
	}
	if err := s.Complete(); err != nil {
		t.Fatal(err)
	}
	return newCourse(&s, m, 7)
}

func has(bytes int64, rate float64) event {
	return event{Event: "progress", Bytes: bytes, FromPeers: bytes, Rate: rate}
}

var whole = event{Event: "complete", Bytes: unit, FromPeers: unit}

func TestACourse(t *testing.T) {
	kill := func(k ...lab.Kill) func(*lab.Scenario) { return func(s *lab.Scenario) { s.Kills = k } }
	type step struct {
		at   time.Duration
		who  int
		says event
		want []deed
		over bool
	}
	const s, ms = time.Second, time.Millisecond
	starts := []deed{{startIt, 0}, {startIt, 1}}
	for _, c := range []struct {
		name   string
		model  lab.Model
		change func(*lab.Scenario)
		steps  []step
	}{
		{"a crowd starts at once, and the run ends when all have it", lab.PeerToPeer, nil, []step{
			{want: starts},
			{at: s, who: 0, says: whole},
			{at: 2 * s, who: 1, says: whole, over: true},
		}},
		{"a kill takes place at its share of the bytes of all", lab.PeerToPeer, kill(lab.Kill{Who: "origin", At: 0.5}), []step{
			{want: starts},
			{at: s, who: 0, says: has(900, 0)},
			{at: s, who: 1, says: has(100, 0), want: []deed{{what: killOrigin}}},
			{at: 2 * s, who: 1, says: has(200, 0)},
		}},
		{"between two events a receiver goes on as it did, for a second", lab.PeerToPeer, kill(lab.Kill{Who: "origin", At: 0.45}), []step{
			{want: starts},
			{at: s, who: 0, says: has(400, 0)},
			{at: 2 * s, who: 0, says: has(800, 0)}, // 400 a second
			{at: 2*s + 249*ms},
			{at: 2*s + 251*ms, want: []deed{{what: killOrigin}}},
		}},
		{"and not for longer", lab.PeerToPeer, kill(lab.Kill{Who: "origin", At: 0.45}), []step{
			{want: starts},
			{at: 10 * s, who: 0, says: has(800, 0)}, // 80 a second
			{at: 19 * s},
		}},
		{"how it went long ago does not matter", lab.PeerToPeer, kill(lab.Kill{Who: "origin", At: 0.45}), []step{
			{want: starts},
			{at: s, who: 0, says: has(800, 0)},
			{at: 2 * s, who: 0, says: has(800, 0)},
			{at: 3 * s, who: 0, says: has(800, 0)},
			{at: 4 * s, who: 0, says: has(800, 0)},
			{at: 5 * s, who: 0, says: has(800, 0)},
			{at: 6 * s},
		}},
		{"a receiver goes on to the whole file at most", lab.PeerToPeer, kill(lab.Kill{Who: "origin", At: 0.6}), []step{
			{want: starts},
			{at: s, who: 0, says: has(900, 0)},
			{at: 2 * s},
		}},
		{"a kill at zero comes before anybody starts", lab.Hybrid, kill(lab.Kill{Who: "origin", At: 0}), []step{
			{want: append([]deed{{what: killOrigin}}, starts...)},
		}},
		{"an origin dies once", lab.Hybrid, kill(lab.Kill{Who: "origin", At: 0.1}, lab.Kill{Who: "origin", At: 0.3}), []step{
			{want: starts},
			{at: s, who: 0, says: whole, want: []deed{{what: killOrigin}}},
		}},
		{"without its server client-server is over a second after the last byte", lab.ClientServer, kill(lab.Kill{Who: "origin", At: 0.1}), []step{
			{want: starts},
			{at: s, who: 0, says: has(500, 0), want: []deed{{what: killOrigin}}},
			{at: 1900 * ms, who: 1, says: has(300, 0)},
			{at: 2800 * ms},
			{at: 2900 * ms, over: true},
		}},
		{"others have ten seconds", lab.PeerToPeer, kill(lab.Kill{Who: "origin", At: 0.1}), []step{
			{want: starts},
			{at: s, who: 0, says: has(500, 0), want: []deed{{what: killOrigin}}},
			{at: 10 * s},
			{at: 10 * s, who: 0, says: has(500, 0)}, // nothing more
			{at: 11 * s, over: true},
		}},
		{"who ended by itself is not waited for", lab.PeerToPeer, nil, []step{
			{want: starts},
			{at: s, who: 0, says: whole},
			{at: 2 * s, who: 1, says: event{Event: "ended"}, over: true},
		}},
		{"killed peers do not come back", lab.PeerToPeer, kill(lab.Kill{Who: "peers", At: 0.2}), []step{
			{want: starts},
			{at: s, who: 0, says: has(500, 0), want: []deed{{killIt, 1}, {killIt, 0}}, over: true},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := stub(t, 2, c.model, c.change)
			for i, step := range c.steps {
				switch step.says.Event {
				case "":
				case "ended":
					x.ended(step.who, "")
				default:
					x.heardFrom(step.who, step.says, step.at)
				}
				got := x.due(step.at)
				if fmt.Sprint(got) != fmt.Sprint(step.want) && fmt.Sprint(reversed(got)) != fmt.Sprint(step.want) {
					t.Fatalf("step %d: %v is to be done, want %v", i, got, step.want)
				}
				if over := x.over(step.at); over != step.over {
					t.Fatalf("step %d: over is %v", i, over)
				}
				if next := x.next(step.at); !step.over && next <= 0 {
					t.Fatalf("step %d: something is due in %v, after everything was done", i, next)
				}
			}
		})
	}
}

func reversed(d []deed) []deed {
	d = slices.Clone(d)
	slices.Reverse(d)
	return d
}

func TestArrivalsFollowFromTheSeed(t *testing.T) {
	poisson := func(s *lab.Scenario) { s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 2} }
	at := func(seed uint64) []time.Duration {
		x := stub(t, 400, lab.PeerToPeer, poisson)
		if seed != 7 {
			s := lab.Scenario{Size: unit, Receivers: []lab.Group{{Count: 400}}, Arrivals: lab.Arrivals{Kind: "poisson", Rate: 2}}
			x = newCourse(&s, lab.PeerToPeer, seed)
		}
		var list []time.Duration
		for i := range x.list {
			list = append(list, x.list[i].due)
		}
		return list
	}
	one, again, other := at(7), at(7), at(8)
	if !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Fatal("arrivals are not a matter of the seed alone")
	}
	slices.Sort(one)
	if one[0] != 0 {
		t.Errorf("the first arrives after %v", one[0])
	}
	if last := one[len(one)-1]; last < 150*time.Second || last > 250*time.Second {
		t.Errorf("400 receivers at 2 a second take %v to arrive", last)
	}
}

func TestNobodyGivesUpBeforeTheLastHasArrived(t *testing.T) {
	x := stub(t, 2, lab.PeerToPeer, func(s *lab.Scenario) { s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 0.001} })
	late := max(x.list[0].due, x.list[1].due)
	if late < lab.Idle {
		t.Fatalf("the second arrives after %v", late)
	}
	x.due(0)
	if x.over(late-1) || x.next(late-1) != 1 {
		t.Error("the run is over, or restless, while somebody is to come")
	}
	if got := x.due(late); len(got) != 1 || got[0].what != startIt {
		t.Errorf("%v when the second is due", got)
	}
	if x.over(late) || x.over(late+lab.Idle-1) || !x.over(late+lab.Idle) {
		t.Error("the last has not ten seconds, or more")
	}
}

func TestReceiversGoAndComeBack(t *testing.T) {
	x := stub(t, 1, lab.PeerToPeer, func(s *lab.Scenario) {
		s.Sessions = lab.Sessions{Mean: lab.Duration(10 * time.Second), Away: lab.Duration(5 * time.Second)}
	})
	x.due(0)
	r := &x.list[0]
	x.heardFrom(0, event{Event: "progress", Bytes: 100, FromPeers: 60, FromOrigin: 50}, 1)
	gone := r.due
	if got := x.due(gone); len(got) != 1 || got[0] != (deed{killIt, 0}) || r.phase != waiting {
		t.Fatalf("%v at the end of a session, phase %d", got, r.phase)
	}
	back := r.due
	if x.over(back - 1) {
		t.Fatal("over while the receiver is away")
	}
	x.heardFrom(0, event{Event: "progress", Bytes: 999}, back-1)
	if r.bytes != 100 {
		t.Error("a dead process is listened to")
	}
	if got := x.due(back); len(got) != 1 || got[0] != (deed{startIt, 0}) {
		t.Fatalf("%v when it is back", got)
	}
	x.startedAt(0, back+1)
	if r.start != 0 {
		t.Error("its time does not run from its first start")
	}
	x.heardFrom(0, event{Event: "complete", Bytes: unit, FromPeers: 900}, back+2)
	if all := r.past.plus(r.now); all != (flows{960, 50, 0}) {
		t.Errorf("it took %+v in two sessions", all)
	}
	if got := x.due(forever / 2); len(got) != 0 {
		t.Errorf("%v to one that has everything", got)
	}
}

func TestTheFirstByteLiesBetweenTwoEvents(t *testing.T) {
	for _, c := range []struct {
		name   string
		quiet  time.Duration // of an event before, with nothing
		got    event
		at     time.Duration
		expect time.Duration
	}{
		{"what came divided by its rate before the event", 0, has(100, 1000), 500 * time.Millisecond, 400 * time.Millisecond},
		{"not before the event that said there was nothing", 450 * time.Millisecond, has(100, 1000), 500 * time.Millisecond, 450 * time.Millisecond},
		{"nor before the start", 0, has(1000, 10), time.Second, 1},
		{"without a rate at the event", 0, has(100, 0), time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := stub(t, 1, lab.PeerToPeer, nil)
			x.due(0)
			if c.quiet > 0 {
				x.heardFrom(0, has(0, 0), c.quiet)
			}
			x.heardFrom(0, c.got, c.at)
			if got := x.list[0].first; got != c.expect {
				t.Errorf("after %v, want %v", got, c.expect)
			}
		})
	}
}

func TestWhyNotAllFinished(t *testing.T) {
	died := func(x *course) { x.origin = false }
	for _, c := range []struct {
		name  string
		model lab.Model
		do    func(*course)
		want  string
	}{
		{"all did", lab.Hybrid, func(x *course) { x.complete = 2 }, ""},
		{"the server is all there was", lab.ClientServer, died, "the origin died, and nobody else gives anything: 2 of 2 did not finish"},
		{"pieces that nobody has", lab.PeerToPeer, func(x *course) {
			died(x)
			x.due(0)
			for i, n := range []int64{20, 16} {
				x.heardFrom(i, event{Event: "missing", Pieces: []struct {
					First int64 `json:"first"`
					Last  int64 `json:"last"`
				}{{0, 0}, {3, 2 + n}}}, 1)
			}
		}, "the origin died with 17 of 32 pieces not out: 2 of 2 did not finish"},
		{"one that was killed", lab.PeerToPeer, func(x *course) {
			x.due(0)
			x.heardFrom(0, whole, 1)
			x.kill(lab.Kill{Who: "peers", Share: 1})
		}, "1 of 2 did not finish, 1 of them killed"},
		{"one that failed", lab.PeerToPeer, func(x *course) {
			x.due(0)
			x.complete = 1
			x.ended(1, "no room left")
		}, "1 of 2 did not finish; receiver 2 ended: no room left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := stub(t, 2, c.model, func(s *lab.Scenario) { s.Size = 1 << 20 })
			c.do(x)
			if got := x.incomplete(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestACourseIsSane plays random courses: who starts was not running, who is killed was, and
// whatever is said, a run ends.
func TestACourseIsSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "receivers")
		x := stub(t, n, rapid.SampledFrom(lab.Models()).Draw(t, "model"), func(s *lab.Scenario) {
			for range rapid.IntRange(0, 3).Draw(t, "kills") {
				s.Kills = append(s.Kills, lab.Kill{Who: rapid.SampledFrom([]string{"origin", "peers"}).Draw(t, "who"), Share: 0.5, At: rapid.Float64Range(0, 1).Draw(t, "at")})
			}
			slices.SortFunc(s.Kills, func(a, b lab.Kill) int { return cmp.Compare(a.At, b.At) })
			if rapid.Bool().Draw(t, "churn") {
				s.Sessions = lab.Sessions{Mean: lab.Duration(3 * time.Second), Away: lab.Duration(rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "away"))}
			}
		})
		up, now := make([]bool, n), time.Duration(0)
		for range 2000 {
			for _, d := range x.due(now) {
				switch {
				case d.what == startIt && up[d.who]:
					t.Fatalf("receiver %d is started twice", d.who)
				case d.what == killIt && !up[d.who]:
					t.Fatalf("receiver %d is killed and does not run", d.who)
				}
				if d.what != killOrigin {
					up[d.who] = d.what == startIt
				}
			}
			if x.over(now) {
				return
			}
			now += max(x.next(now), 1)
			i := rapid.IntRange(0, n-1).Draw(t, "speaker")
			switch rapid.IntRange(0, 3).Draw(t, "says") {
			case 0:
				x.heardFrom(i, has(rapid.Int64Range(0, unit).Draw(t, "bytes"), 100), now)
			case 1:
				if up[i] {
					up[i] = false
					x.ended(i, "end")
				}
			}
			if s := x.share(now); s < 0 || s > 1 {
				t.Fatalf("a share of %v", s)
			}
		}
		t.Fatalf("the run does not end: %s", strings.TrimSpace(fmt.Sprintf("%+v", x)))
	})
}
