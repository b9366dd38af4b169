package tracker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
)

func TestParseReply(t *testing.T) {
	for _, c := range []struct {
		name, body, peers string
		kind              fault.Kind // Other: no error
	}{
		{"compact peers", "d8:intervali900e5:peers12:\x01\x02\x03\x04\x00\x50\x05\x06\x07\x08\x00\x51e", "[1.2.3.4:80 5.6.7.8:81]", fault.Other},
		{"unsorted keys are tolerated", "d5:peers6:\x01\x02\x03\x04\x00\x508:intervali900ee", "[1.2.3.4:80]", fault.Other},
		{"IPv6 peers", "d8:intervali900e6:peers618:" + strings.Repeat("\x00", 15) + "\x01\x00\x50e", "[[::1]:80]", fault.Other},
		{"peers as dictionaries", "d8:intervali900e5:peersld2:ip7:1.2.3.47:peer id1:x4:porti80eed2:ip3:::14:porti81eeee", "[1.2.3.4:80 [::1]:81]", fault.Other},
		{"names, zones and bad ports are passed over", "d8:intervali900e5:peersld2:ip9:localhost4:porti80eed2:ip7:1.2.3.44:porti-1eed2:ip7:1.2.3.44:porti65536eed2:ip9:fe80::1%14:porti1eei7eee", "[]", fault.Other},
		{"no peers at all", "d8:intervali900ee", "[]", fault.Other},
		{"a failure", "d14:failure reason4:nopee", "", fault.Refused},
		{"peers of 7 bytes", "d8:intervali900e5:peers7:1234567e", "", fault.Protocol},
		{"peers6 of 6 bytes", "d8:intervali900e6:peers66:123456e", "", fault.Protocol},
		{"peers as a number", "d8:intervali900e5:peersi3ee", "", fault.Protocol},
		{"not a dictionary", "le", "", fault.Protocol},
		{"a page", "<html>", "", fault.Protocol},
		{"nothing", "", "", fault.Protocol},
		{"deep nesting", "d1:x" + strings.Repeat("l", 50) + strings.Repeat("e", 50) + "e", "", fault.Protocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parseReply([]byte(c.body))
			if c.kind != fault.Other {
				if !errors.Is(err, c.kind) {
					t.Fatalf("%+v, %v", r, err)
				}
				return
			}
			if err != nil || r.interval != 900*time.Second || fmt.Sprint(r.peers) != c.peers {
				t.Fatalf("%+v, %v", r, err)
			}
		})
	}
}

func TestReplyIntervalIsWithinADay(t *testing.T) {
	for body, want := range map[string]time.Duration{
		"d8:intervali9223372036854775807ee": 24 * time.Hour,
		"d8:intervali-5ee":                  0,
		"d8:interval3:abce":                 0,
	} {
		if r, err := parseReply([]byte(body)); err != nil || r.interval != want {
			t.Errorf("%s: %v, %v", body, r.interval, err)
		}
	}
}

func TestSchedule(t *testing.T) {
	s := schedule{first: earliest}
	r := reply{interval: 30 * time.Minute}
	wantSoonest := []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800}
	for i, want := range wantSoonest {
		due, soonest := s.worked(r, i > 0)
		if due != 30*time.Minute || soonest != want*time.Second {
			t.Fatalf("early announce %d after %v, due %v", i, soonest, due)
		}
	}
	s = schedule{first: earliest}
	if due, soonest := s.worked(reply{interval: time.Second}, false); due != leastEvery || soonest != earliest {
		t.Fatalf("a hasty tracker is asked every %v, %v", due, soonest)
	}
	if due, _ := s.worked(reply{}, false); due != usualEvery {
		t.Fatalf("a silent tracker is asked every %v", due)
	}
	if due, soonest := s.worked(reply{interval: time.Hour, minInterval: 20 * time.Minute}, false); due != time.Hour || soonest != 20*time.Minute {
		t.Fatalf("min interval: %v, %v", due, soonest)
	}
	if due, _ := s.worked(reply{interval: 24 * time.Hour}, false); due != mostEvery {
		t.Fatalf("a lazy tracker is asked every %v", due)
	}
	for i, want := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800} {
		if d := s.failed(0); d != want*time.Second {
			t.Fatalf("failure %d: again after %v", i, d)
		}
	}
}
