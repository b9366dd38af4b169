package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/fault"
	"tandem/internal/node"
)

func TestTheLastLineSaysWhoGaveWhat(t *testing.T) {
	seven := map[string]int64{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}
	for _, c := range []struct {
		name string
		s    node.Snapshot
		want string
	}{
		{
			"mostly from peers",
			node.Snapshot{Total: 1288490188, FromPeers: 1288490188 * 88 / 100, FromOrigin: 1288490188 * 12 / 100, Sources: seven, Best: 0.931, Limit: "your download link"},
			"1.2 GiB in 41 s: 88 % from 7 peers, 12 % from the server; 93 % of the best possible; limit: your download link",
		},
		{
			"mostly from the server",
			node.Snapshot{Total: 1 << 20, FromPeers: 102 << 10, FromOrigin: 922 << 10, Sources: map[string]int64{"a": 1}},
			"1 MiB in 41 s: 90 % from the server, 10 % from 1 peer",
		},
		{
			"from the server alone",
			node.Snapshot{Total: 1 << 20, FromOrigin: 1 << 20, Limit: "the server's upload"},
			"1 MiB in 41 s: 100 % from the server; limit: the server's upload",
		},
		{
			"a little from the server is not nothing",
			node.Snapshot{Total: 1 << 20, FromPeers: 1 << 20, FromOrigin: 1, Sources: seven},
			"1 MiB in 41 s: 99 % from 7 peers, 1 % from the server",
		},
		{
			"partly from near",
			node.Snapshot{Total: 1 << 20, FromPeers: 800 << 10, FromLAN: 200 << 10, FromOrigin: 224 << 10, Sources: seven},
			"1 MiB in 41 s: 78 % from 7 peers (25 % of that on this network), 22 % from the server",
		},
		{
			"from near alone",
			node.Snapshot{Total: 1 << 20, FromPeers: 1 << 20, FromLAN: 1 << 20, Sources: seven},
			"1 MiB in 41 s: 100 % from 7 peers on this network",
		},
		{"from nobody", node.Snapshot{Total: 1 << 20}, "1 MiB in 41 s, all of it already here and checked"},
		{"a limit that a peer named", node.Snapshot{Total: 1, FromOrigin: 1, Limit: "x\x1b"}, `1 B in 41 s: 100 % from the server; limit: x\x1b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.Started, c.s.Completed = start, start.Add(41*time.Second)
			if got := summary(c.s); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestPartsAddUpToAHundred(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(0, 1<<50).Draw(t, "a"), rapid.Int64Range(1, 1<<50).Draw(t, "b")
		p := percentOf(a, a+b)
		if p < 0 || p > 99 || (p == 0) != (a == 0) {
			t.Fatalf("%d of %d is %d %%", a, a+b, p)
		}
	})
}

func TestMissingPiecesAreNamed(t *testing.T) {
	s := hybridItem()
	s.Lost[0].Since = start
	got := missingText(s)
	for _, want := range []string{"4 of 64 pieces are missing (17-19, 40)", "nobody connected has them", "node rud6di36, gone since ", "the server files.example had them, and is away"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	s.Origins[0].State = "changed"
	if got := missingText(s); !strings.HasSuffix(got, "the server files.example has a newer version instead") {
		t.Errorf("the file was replaced: %q", got)
	}
	s.Lost, s.Origins = nil, nil
	for i := range 100 {
		s.Lost = append(s.Lost, node.LostSnapshot{First: 2 * i, Last: 2 * i})
	}
	if got := missingText(s); len(got) > 200 || !strings.Contains(got, "100 of 64 pieces are missing (0, 2, 4, 6, 8, 10, 12, 14, ...)") || strings.Contains(got, "node") {
		t.Errorf("many runs: %q", got)
	}
}

// ticking is a clock that goes on by a second whenever it is asked.
func ticking() func() time.Time {
	now := start
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// after runs follow on snapshots, one after the other, and interrupts it a while after the last.
func after(t *testing.T, r reporter, w waits, list ...node.Snapshot) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	it := &listedItem{fakeItem: someItem(), list: list, end: len(list) + 1, cancel: cancel}
	tick := make(chan time.Time)
	close(tick) // it ticks all the time
	return follow(ctx, it, r, tick, w, ticking())
}

type listedItem struct {
	*fakeItem
	list   []node.Snapshot
	asked  int
	end    int
	cancel context.CancelFunc
}

func (l *listedItem) Status() node.Snapshot {
	s := l.list[0]
	if l.asked++; l.asked > 1 && len(l.list) > 1 { // the first look is before any tick
		l.list = l.list[1:]
	}
	if l.asked == l.end {
		l.cancel()
	}
	return s
}

func repeat(s node.Snapshot, n int) (list []node.Snapshot) {
	for range n {
		list = append(list, s)
	}
	return list
}

func TestFollowNamesWhatIsMissingOnce(t *testing.T) {
	away := hybridItem()
	there := hybridItem()
	there.Origins = []node.OriginSnapshot{{Name: "files.example", State: "ok"}}
	for _, c := range []struct {
		name string
		list []node.Snapshot
		want int
	}{
		{"while the server is away", repeat(away, 60), 1},
		{"not while it answers", repeat(there, 60), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			err := after(t, &jsonReporter{w: &out, now: time.Now}, waits{silence: 5 * time.Second}, c.list...)
			if n := strings.Count(out.String(), `"event":"missing"`); n != c.want || exitCode(err) != exitInterrupted {
				t.Errorf("told %d times, %v:\n%.2000s", n, err, out.String())
			}
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	nobody := node.Snapshot{Kind: node.KindGet, State: "metadata"}
	for _, c := range []struct {
		name string
		s    node.Snapshot
		kind fault.Kind
		want string
	}{
		{"with pieces that nobody has", hybridItem(), fault.Unreachable, "17-19, 40"},
		{"with nobody at all", nobody, fault.KindOf(node.ErrNoSources), node.ErrNoSources.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			err := after(t, &jsonReporter{w: &out, now: time.Now}, waits{silence: 5 * time.Second, giveUp: 10 * time.Second}, repeat(c.s, 60)...)
			if fault.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.want) || hintFor(err) == "" || errors.Is(err, context.Canceled) {
				t.Errorf("got %v (hint %q)", err, hintFor(err))
			}
		})
	}
}

func TestPatienceIsAboutStandingStill(t *testing.T) {
	var list []node.Snapshot
	for i := range 60 {
		s := hybridItem()
		s.Lost, s.Bytes = nil, int64(i)
		list = append(list, s)
	}
	var out bytes.Buffer
	err := after(t, &jsonReporter{w: &out, now: time.Now}, waits{silence: time.Second, giveUp: 8 * time.Second}, list...)
	if exitCode(err) != exitInterrupted {
		t.Errorf("a slow transfer was given up: %v", err)
	}
}

func TestWhatTheNodeNoticesIsToldOnce(t *testing.T) {
	s := hybridItem()
	var out bytes.Buffer
	_ = after(t, &jsonReporter{w: &out, now: time.Now}, waits{silence: time.Hour}, repeat(s, 20)...)
	if n := strings.Count(out.String(), `{"event":"warning","message":"the server does not answer`); n != 1 {
		t.Errorf("%d times:\n%.1000s", n, out.String())
	}
}

func TestUploadsAndOffersAreTold(t *testing.T) {
	up := func(state string, done int64) node.Snapshot {
		return node.Snapshot{Kind: node.KindShare, Server: "files.example\x1b", Upload: &node.UploadStatus{State: state, Done: done, Total: 9, Error: "no\x1b"}}
	}
	offer := node.Snapshot{Kind: node.KindOffer, Server: "files.example", Offer: &node.OfferStatus{Space: 50 << 30, Used: 1 << 30, Kept: 3, State: "offered"}}
	for _, c := range []struct {
		name       string
		list       []node.Snapshot
		json, text string
	}{
		{"an upload", []node.Snapshot{up("sending", 1), up("sending", 1), up("stored", 9), up("stored", 9)}, `"event":"upload","state":"stored","bytes":9,"total":9`, `stored on files.example\x1b;`},
		{"an upload that fails", repeat(up("failed", 1), 3), `"state":"failed"`, `warning: the upload to files.example\x1b failed: no\x1b;`},
		{"an offer", repeat(offer, 4), `{"event":"offer","server":"files.example","state":"offered","space":53687091200,"used":1073741824,"kept":3}`, "offering 50 GiB to files.example: 3 shares kept, 1 GiB used\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, text, errs bytes.Buffer
			_ = after(t, &jsonReporter{w: &out, now: time.Now}, waits{}, c.list...)
			_ = after(t, &textReporter{out: &text, err: &errs, now: time.Now, quiet: time.Hour}, waits{}, c.list...)
			if strings.Count(out.String(), c.json) != 1 || strings.Count(errs.String(), c.text) != 1 || text.Len() > 0 {
				t.Errorf("JSON:\n%stext:\n%s%s", out.String(), errs.String(), text.String())
			}
		})
	}
}

func TestAnOfferThatIsInterruptedHasNotFailed(t *testing.T) {
	offer := node.Snapshot{Kind: node.KindOffer, Server: "files.example"}
	if err := after(t, &jsonReporter{w: &bytes.Buffer{}, now: time.Now}, waits{}, repeat(offer, 3)...); err != nil {
		t.Error(err)
	}
}

func TestWhatWasHereBeforeIsNotSaidToHaveCome(t *testing.T) {
	s := node.Snapshot{Total: 64 << 20, FromPeers: 1 << 20, Started: start, Completed: start.Add(time.Second), Sources: map[string]int64{"a": 1}}
	if got := summary(s); !strings.HasPrefix(got, "64 MiB in 1.0 s, 63 MiB of it already here: 100 % from 1 peer") {
		t.Error(got)
	}
	if s.FromPeers = 64 << 20; strings.Contains(summary(s), "already") {
		t.Error(summary(s))
	}
}
