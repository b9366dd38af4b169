package lab

import (
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/fault"
	"tandem/internal/units"
)

// shortest is the shortest scenario there is.
const shortest = `size = "64MiB"
[origin]
up = "40Mbit"
[[receivers]]
count = 10
up = "20Mbit"
down = "100Mbit"
`

// read reads and completes; a text that should be fine.
func read(t testing.TB, text string) Scenario {
	t.Helper()
	s, err := Read("dir/test.toml", []byte(text))
	if err == nil {
		err = s.Complete()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheShortestScenarioIsCompleted(t *testing.T) {
	got := read(t, shortest)
	want := Scenario{
		Name: "test", Size: 64 << 20, Piece: 64 << 10,
		Origin:    Origin{Count: 1, Up: 5e6, MTTF: Duration(1000 * time.Hour), MTTR: Duration(4 * time.Hour)},
		Receivers: []Group{{Count: 10, Up: 25e5, Down: 125e5}},
		Arrivals:  Arrivals{Kind: Flash},
		Stay:      Stay{Kind: StayLeave},
		Latency:   Duration(time.Millisecond),
		Payload:   1448. / 1514,
		Prices:    DefaultPrices(),
		Models:    Models(), Worlds: Places(),
		Repeats: 3, Seed: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	s := read(t, `
name = "full"
about = "an \"about\""
use = "tests"
size = 1000
piece = "32KiB"
latency = "2ms"
payload = 0.5
models = ["hybrid"]
worlds = ["sim"]
repeats = 7
seed = 9
origin = { count = 2, up = "1Gbit", copies = 3, mttf = "30d", mttr = "1d12h" }
receivers = [{ name = "a", count = 1, up = 0, down = "2MiB" }, { count = 2, up = "1KiB", down = "1KiB" }]
arrivals.kind = "poisson"
arrivals.rate = 2
[stay]
kind = "for"
for = "90s"
[sessions]
mean = "10m"
away = "1m"
[[kill]]
who = "peers"
share = 0.3
at = 0
[[kill]]
who = "origin"
at = 1
[hostile]
poisoners = 0.1
free_riders = 0.2
unreachable = 1
[prices]
egress = 0
staff = 50
[needs]
deadline = "1h"
availability = 0.999
revocation = "1m"
audit = true
no_upload = true
no_server = true
outlive = true
`)
	want := Scenario{
		Name: "full", About: `an "about"`, Use: "tests", Size: 1000, Piece: 32 << 10,
		Origin:    Origin{Count: 2, Up: 125e6, Copies: 3, MTTF: Duration(720 * time.Hour), MTTR: Duration(36 * time.Hour)},
		Receivers: []Group{{Name: "a", Count: 1, Down: 2 << 20}, {Count: 2, Up: 1 << 10, Down: 1 << 10}},
		Arrivals:  Arrivals{Poisson, 2}, Stay: Stay{StayFor, Duration(90 * time.Second)},
		Sessions: Sessions{Duration(10 * time.Minute), 0.6, Duration(time.Minute)},
		Kills:    []Kill{{KillPeers, 0.3, 0}, {KillOrigin, 1, 1}},
		Hostile:  Mischief{0.1, 0.2, 1}, Latency: Duration(2 * time.Millisecond), Payload: 0.5,
		Prices: Prices{Server: 0.02, Storage: 0.023, Staff: 50, said: true},
		Needs: Needs{
			Deadline: Duration(time.Hour), Availability: 0.999, Revocation: Duration(time.Minute),
			Audit: true, NoUpload: true, NoServer: true, Outlive: true,
		},
		Models: []Model{Hybrid}, Worlds: []Place{InSim}, Repeats: 7, Seed: 9,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

// refusals are texts put behind or, where they begin with "-", in place of the line of
// shortest that has the same key; and what must stand in the error.
var refusals = []struct{ name, text, want string }{
	{"an unknown key says where", "-size = \"1MB\"\nsice = 1", "test.toml:2:1: unknown key \"sice\""},
	{"an unknown key in a group", "[[receivers]]\ncount = 1\ndwn = 3", "test.toml:10:1: unknown key \"receivers.dwn\""},
	{"broken TOML", "[stay", "test.toml:8:"},
	{"an unknown unit", "-size = \"64 parsecs\"", "test.toml:1:8: size \"64 parsecs\" is not a number with B"},
	{"an unknown unit of a rate", "-up = \"40Mbps\"", "test.toml:3:6: rate \"40Mbps\""},
	{"a size of zero", "-size = 0", "test.toml:1:1: size: 0 bytes is not between 1 B and 1 PiB"},
	{"a negative size", "-size = -5", "test.toml:1:1: size: -5 bytes"},
	{"a size out of this world", "-size = \"2000TiB\"", "test.toml:1:1: size:"},
	{"a piece that is no power of two", "piece = 100000\n", "test.toml:1:1: piece: 100000 bytes is no power of two"},
	{"nobody", "-count = 0", "test.toml:5:1: receivers.count: 0 is not between 1 and 10000000"},
	{"fewer than nobody", "-count = -1", "receivers.count: -1"},
	{"more than there are", "-count = 10000001", "receivers.count: 10000001"},
	{"more than there are, together", "[[receivers]]\ncount = 9999999\ndown = \"1MB\"\n", "test.toml:9:1: receivers.count (the 2nd): 10000009 receivers together"},
	{"an origin that gives nothing", "-up = 0", "test.toml:3:1: origin.up: 0 bytes per second"},
	{"an origin slower than can be", "-up = 100", "origin.up: 100 bytes per second is not between 1 KiB"},
	{"an endless link", "-down = \"unlimited\"", "test.toml:7:1: receivers.down: a link is not unlimited"},
	{"a download of zero", "-down = 0", "test.toml:7:1: receivers.down: 0 bytes per second"},
	{"a link faster than there are", "-down = \"2000GB\"", "receivers.down"},
	{"no origins", "-up = \"1MB\"\ncount = 0", "origin.count: 0 cannot be meant"},
	{"a time without a unit", "latency = 5\n", "test.toml:1:1: latency: 5 has no unit"},
	{"a time with a strange one", "latency = \"5 moons\"\n", "test.toml:1:11: time \"5 moons\""},
	{"a latency that is none", "latency = \"5h\"\n", "test.toml:1:1: latency: 5h0m0s is not between 1µs and 1m0s"},
	{"repeats of zero", "repeats = 0\n", "test.toml:1:1: repeats: 0 cannot be meant"},
	{"too many repeats", "repeats = 1001\n", "repeats: 1001"},
	{"payload above all", "payload = 1.5\n", "test.toml:1:1: payload: 1.5 is no share"},
	{"payload that is no number", "payload = nan\n", "payload: NaN"},
	{"an unknown model", "models = [\"p2p\"]\n", "test.toml:1:1: models: \"p2p\" is none of client-server, peer-to-peer, hybrid"},
	{"a model twice", "models = [\"hybrid\", \"hybrid\"]\n", "models: \"hybrid\" stands there twice"},
	{"an unknown world", "worlds = [\"moon\"]\n", "worlds: \"moon\" is none of bound, sim, real"},
	{"arrivals of an unknown kind", "[arrivals]\nkind = \"slow\"\n", "test.toml:9:1: arrivals.kind: \"slow\" is neither"},
	{"arrivals that never arrive", "[arrivals]\nkind = \"poisson\"\nrate = 0\n", "test.toml:10:1: arrivals.rate: 0 arrivals per second"},
	{"arrivals that take longer than anybody waits", "[arrivals]\nkind = \"poisson\"\nrate = 1e-9\n", "more than 10 years"},
	{"a rate of a crowd that comes at once", "[arrivals]\nrate = 2.0\n", "arrivals.rate: a rate goes with"},
	{"stay for no time", "[stay]\nkind = \"for\"\nfor = \"0s\"\n", "test.toml:10:1: stay.for: 0s is not between"},
	{"stay of an unknown kind", "[stay]\nkind = \"ever\"\n", "stay.kind: \"ever\""},
	{"a time to stay and leave", "[stay]\nfor = \"1m\"\n", "stay.for: a time goes with"},
	{"sessions with a negative mean", "[sessions]\nmean = \"-5s\"\n", "sessions.mean: -5s"},
	{"a strange shape", "[sessions]\nmean = \"5s\"\nshape = inf\n", "sessions.shape: +Inf"},
	{"a kill of nobody known", "[[kill]]\nwho = \"all\"\nat = 0.5\n", "test.toml:9:1: kill.who: \"all\""},
	{"a kill after the end", "[[kill]]\nwho = \"origin\"\nat = 50\n", "kill.at: 50 is not between 0 and 1"},
	{"kills out of order", "[[kill]]\nwho = \"peers\"\nat = 0.5\n[[kill]]\nwho = \"origin\"\nat = 0.2\n", "test.toml:13:1: kill.at (the 2nd): 0.2 comes before the kill at 0.5"},
	{"a share above all", "[hostile]\npoisoners = 1.5\n", "hostile.poisoners: 1.5"},
	{"more hostile than there are", "[hostile]\npoisoners = 0.6\nfree_riders = 0.6\n", "test.toml:10:1: hostile.free_riders: poisoners and free-riders together are 1.2"},
	{"a negative price", "[prices]\negress = -1.0\n", "prices.egress: -1"},
	{"certain availability", "[needs]\navailability = 1.0\n", "needs.availability: 1 is no probability"},
	{"more bytes than can be counted", "-size = \"1024TiB\"\n", "test.toml:1:1: size: 1 PiB to each of"},
}

// laid lays a change over shortest.
func laid(change string) string {
	if rest, replaces := strings.CutPrefix(change, "-"); replaces {
		key, _, _ := strings.Cut(rest, " ")
		text, done := "", false
		for line := range strings.Lines(shortest) {
			if strings.HasPrefix(line, key+" ") && !done {
				line, done = rest+"\n", true
			}
			text += line
		}
		return text
	}
	if strings.HasPrefix(change, "[") {
		return shortest + change
	}
	return change + shortest
}

func TestRefused(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			text := laid(c.text)
			if strings.HasPrefix(c.want, "test.toml:1:1: size: 1 PiB") {
				text = strings.Replace(text, "count = 10", "count = 10000000", 1)
			}
			_, err := Read("test.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q in\n%s", err, c.want, text)
			}
			if !errors.Is(err, fault.Invalid) {
				t.Error("the error is not of kind invalid")
			}
		})
	}
}

func TestTheFormatsPageHasEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol/scenario.md")
	if err != nil {
		t.Fatal(err)
	}
	var check func(v reflect.Type)
	check = func(v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			key := f.Tag.Get("toml")
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			switch {
			case !f.IsExported():
			case inner.Kind() == reflect.Struct:
				if !strings.Contains(string(page), "["+key+"]") {
					t.Errorf("no table %s", key)
				}
				check(inner)
			case !strings.Contains(string(page), "\n| `"+key+"` |"):
				t.Errorf("no key %s", key)
			}
		}
	}
	check(reflect.TypeFor[Scenario]())
}

func TestWhatIsMissingIsLeftToFlags(t *testing.T) {
	s, err := Read("x.toml", []byte("[origin]\nup = \"1MB\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(); !errors.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "size: 0 bytes") {
		t.Fatalf("completed: %v", err)
	}
	s.Size = 5
	if err := s.Complete(); err == nil || !strings.HasPrefix(err.Error(), "receivers: nobody receives") {
		t.Fatalf("completed: %v", err)
	}
	s.Receivers = []Group{{Count: 200_000, Down: 1 << 20}}
	if err := s.Complete(); err != nil || s.Repeats != 1 {
		t.Fatalf("completed: %v with %d repeats", err, s.Repeats)
	}
}

func TestAPriceOfZeroIsMeantWhereItIsSaid(t *testing.T) {
	s := read(t, shortest)
	s.Prices = DefaultPrices()
	s.Prices.Egress = 0
	for range 2 {
		if err := s.Complete(); err != nil || s.Prices.Egress != 0 || s.Prices.Server != 0.02 {
			t.Fatalf("%v, %+v", err, s.Prices)
		}
	}
	s.Prices = Prices{Egress: 0.5}
	if err := s.Complete(); err != nil || s.Prices.Egress != 0.5 || s.Prices.Server != 0.02 {
		t.Fatalf("%v, %+v", err, s.Prices)
	}
}

func TestACloneSharesNothing(t *testing.T) {
	s := read(t, shortest+"[[kill]]\nwho = \"origin\"\nat = 0.5\n")
	c := s.Clone()
	c.Receivers[0].Count, c.Kills[0].At, c.Models[0], c.Worlds[0] = 1, 1, Hybrid, InReal
	if !reflect.DeepEqual(s, read(t, shortest+"[[kill]]\nwho = \"origin\"\nat = 0.5\n")) {
		t.Error("a change of the clone is one of the original")
	}
}

func TestReceiversKeepTheirMix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScenario(t)
		n := rapid.IntRange(1, 100_000).Draw(t, "n")
		c := s.WithReceivers(n)
		if c.N() != n {
			t.Fatalf("%d receivers, want %d", c.N(), n)
		}
		if err := c.Complete(); err != nil && !strings.Contains(err.Error(), "years") && !strings.HasPrefix(err.Error(), "size:") {
			t.Fatal(err)
		}
		for _, g := range c.Receivers {
			for _, was := range s.Receivers {
				exact := float64(was.Count) * float64(n) / float64(s.N())
				if was.Name == g.Name && math.Abs(float64(g.Count)-exact) > 1 {
					t.Fatalf("%d of %s, want %g", g.Count, g.Name, exact)
				}
			}
		}
	})
}

// drawScenario draws a complete scenario of few receivers to many.
func drawScenario(t *rapid.T) Scenario {
	rate := func(low int64, name string) units.Rate { return units.Rate(rapid.Int64Range(low, 1e12).Draw(t, name)) }
	span := func(most time.Duration, name string) Duration {
		return Duration(rapid.Int64Range(int64(time.Second), int64(most)).Draw(t, name))
	}
	text := rapid.StringN(0, 20, 60)
	share := rapid.Float64Range(0, 1)
	s := Scenario{
		Name: text.Draw(t, "name"), About: text.Draw(t, "about"), Use: text.Draw(t, "use"),
		Size: units.Size(rapid.Int64Range(1, 1<<40).Draw(t, "size")),
		Origin: Origin{
			Count: rapid.IntRange(1, 64).Draw(t, "origins"), Up: rate(1024, "origin up"),
			MTTF: span(1e6*time.Hour/1e3, "mttf"), MTTR: span(time.Hour, "mttr"),
		},
		Latency: span(time.Minute, "latency"), Payload: rapid.Float64Range(0.01, 1).Draw(t, "payload"),
		Hostile: Mischief{share.Draw(t, "poisoners") / 2, share.Draw(t, "riders") / 2, share.Draw(t, "unreachable")},
		Seed:    rapid.Uint64Range(1, 1<<60).Draw(t, "seed"), Repeats: rapid.IntRange(1, 1000).Draw(t, "repeats"),
		Models: rapid.Permutation(Models()).Draw(t, "models"), Worlds: rapid.Permutation(Places()).Draw(t, "worlds"),
		Needs:  Needs{Deadline: span(time.Hour, "deadline"), Availability: share.Draw(t, "a") / 2, Audit: rapid.Bool().Draw(t, "audit")},
		Prices: Prices{share.Draw(t, "egress"), share.Draw(t, "peer"), 0, share.Draw(t, "storage"), 0, rapid.Bool().Draw(t, "said")},
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "groups") {
		g := Group{Count: rapid.IntRange(1, 100_000).Draw(t, "count"), Down: rate(1024, "down"), Name: string(rune('a' + i))}
		if rapid.Bool().Draw(t, "gives") {
			g.Up = rate(1024, "up")
		}
		s.Receivers = append(s.Receivers, g)
	}
	for range rapid.IntRange(0, 2).Draw(t, "kills") {
		k := Kill{rapid.SampledFrom([]string{KillOrigin, KillPeers}).Draw(t, "who"), rapid.Float64Range(0.01, 1).Draw(t, "share"), 0.5}
		s.Kills = append(s.Kills, k)
	}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 1:
		s.Arrivals = Arrivals{Poisson, rapid.Float64Range(0.01, 1e6).Draw(t, "rate")}
		s.Sessions = Sessions{Mean: span(time.Hour, "mean"), Away: span(time.Hour, "away")}
	case 2:
		s.Stay = Stay{StayFor, span(time.Hour, "for")}
	}
	if err := s.Complete(); err != nil {
		t.Fatalf("drawn scenario: %v", err)
	}
	return s
}

func TestWhatIsWrittenReadsBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawScenario(t)
		text := Write(want)
		got, err := Read("x.toml", text)
		if err == nil {
			err = got.Complete()
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n%s\ngot  %+v\nwant %+v", err, text, got, want)
		}
		if again := Write(got); string(again) != string(text) {
			t.Fatalf("written twice, differently:\n%s\n%s", text, again)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(shortest))
	for _, c := range refusals {
		f.Add([]byte(laid(c.text)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read("x.toml", text)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("%v is not of kind invalid", err)
			}
			return
		}
		if s.Complete() != nil {
			return // something is missing
		}
		back, err := Read("x.toml", Write(s))
		if err == nil {
			err = back.Complete()
		}
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%v\nread back %+v\nfrom      %+v", err, back, s)
		}
	})
}
