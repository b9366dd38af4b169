package real

import (
	"strings"
	"testing"
	"time"
)

func TestLoadOfTheMachine(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       meter
	}{
		{"busy is all but idle and waiting for disks", "cpu  100 1 50 1000 20 3 4 5 30 0\ncpu0 1 1 1 1\n", meter{163, 1183}},
		{"an old kernel says less", "cpu  100 0 50 1000", meter{150, 1150}},
		{"one CPU is not all", "cpu0 100 0 50 1000\n", meter{}},
		{"nothing", "", meter{}},
		{"no numbers", "cpu a b c d e", meter{}},
		{"no time runs backwards", "cpu  -5 0 50 1000", meter{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parseLoad(c.text); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	if _, ok := (meter{1 << 60, 1 << 60}).stop(); ok {
		t.Error("a load before the start is known")
	}
}

func TestWhenARunIsVoid(t *testing.T) {
	for _, c := range []struct {
		name        string
		busy, ratio float64
		want        string
	}{
		{"a quiet machine and links that hold", 0.5, 1.029, ""},
		{"nothing is known", -1, 0, ""},
		{"a busy machine", 0.71, 1, "the machine was 71 % busy"},
		{"links that give less", 0.2, 0.96, "-4.0 % off"},
		{"links that give more", 0.2, 1.05, "+5.0 % off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := (&stage{busy: c.busy, ratio: c.ratio}).void()
			if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("void: %q, want %q", got, c.want)
			}
		})
	}
}

func TestThePaceOfAFlow(t *testing.T) {
	start := time.Unix(0, 0)
	for _, c := range []struct {
		name  string
		every time.Duration
		bytes int64
		first int64 // what comes at once in the beginning
		want  float64
	}{
		{"a steady flow", 10 * time.Millisecond, 1000, 0, 100_000},
		{"a full bucket in the beginning does not count", 10 * time.Millisecond, 1000, 50_000, 100_000},
		{"blocks that come seldom", 400 * time.Millisecond, 16384, 32768, 40_960},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, now := pace{least: 5}, start
			p.take(now, c.first)
			for !p.enough() {
				now = now.Add(c.every)
				p.take(now, c.bytes)
				p.take(now.Add(c.every/2), 0)
			}
			if got := p.rate(); got != c.want {
				t.Errorf("%v bytes a second, want %v", got, c.want)
			}
			if took := now.Sub(start); took < calibrateFor || took > 2*calibrateMost {
				t.Errorf("it took %v to find out", took)
			}
		})
	}
	if p := (pace{}); p.enough() || p.rate() != 0 {
		t.Error("nothing has a pace")
	}
}
