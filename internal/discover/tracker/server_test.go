package tracker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
)

func anyAddr(netip.Addr) bool { return true }

// tell announces r from ip and returns who is named.
func tell(t *testing.T, s *Server, ip string, r request) []string {
	t.Helper()
	a, err := s.take(r, netip.MustParseAddr(ip), anyAddr)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range a.peers {
		got = append(got, p.String())
	}
	return got
}

func join(port uint16) request { return request{Port: port, Left: 1, NumWant: -1} }

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("named %v, want %v", got, want)
	}
	for _, w := range want {
		if !strings.Contains(fmt.Sprint(got), w) {
			t.Fatalf("named %v, want %v", got, want)
		}
	}
}

func TestServerTellsWhoIsThere(t *testing.T) {
	s := NewServer(ServerOptions{})
	same(t, tell(t, s, "10.0.0.1", join(1)))
	same(t, tell(t, s, "10.0.0.2", join(1)), "10.0.0.1:1")
	same(t, tell(t, s, "10.0.0.1", join(1)), "10.0.0.2:1") // not the asker
	same(t, tell(t, s, "10.0.0.1", join(2)), "10.0.0.1:1", "10.0.0.2:1")

	leave := join(1)
	leave.Event = eventStopped
	same(t, tell(t, s, "10.0.0.2", leave))
	same(t, tell(t, s, "10.0.0.3", join(3)), "10.0.0.1:1", "10.0.0.1:2")

	other := join(4)
	other.Key = content.SHA1{9}
	same(t, tell(t, s, "10.0.0.4", other))
}

// Some clients say that nothing is left while they have only a magnet link.
func TestSeedsAreToldOfSeeds(t *testing.T) {
	s := NewServer(ServerOptions{})
	seed := request{Port: 1, NumWant: -1}
	tell(t, s, "10.0.0.1", seed)
	same(t, tell(t, s, "10.0.0.2", seed), "10.0.0.1:1")
	same(t, tell(t, s, "10.0.0.3", join(1)), "10.0.0.1:1", "10.0.0.2:1")
}

func TestTheInternetIsNotToldOfLocalPeers(t *testing.T) {
	s := NewServer(ServerOptions{})
	for _, ip := range []string{"127.0.0.1", "10.0.0.1", "8.8.8.8"} {
		tell(t, s, ip, join(1))
	}
	same(t, tell(t, s, "9.9.9.9", join(1)), "8.8.8.8:1")
	same(t, tell(t, s, "10.0.0.2", join(1)), "10.0.0.1:1", "8.8.8.8:1", "9.9.9.9:1")
}

func TestPeersExpire(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := NewServer(ServerOptions{Interval: time.Minute, Now: func() time.Time { return now }})
	tell(t, s, "10.0.0.1", join(1))
	now = now.Add(2 * time.Minute)
	same(t, tell(t, s, "10.0.0.2", join(1)), "10.0.0.1:1")
	now = now.Add(2 * time.Minute)
	same(t, tell(t, s, "10.0.0.3", join(1)), "10.0.0.2:1")
}

func TestServerIsBounded(t *testing.T) {
	s := NewServer(ServerOptions{MaxSwarms: 3, MaxPeers: 4})
	for k := range byte(10) {
		for port := range uint16(10) {
			r := join(port + 1)
			r.Key = content.SHA1{k}
			tell(t, s, "10.0.0.1", r)
		}
	}
	if n := s.swarms.order.Len(); n != 3 || len(s.swarms.index) != 3 {
		t.Fatalf("%d swarms", n)
	}
	for _, k := range []byte{7, 8, 9} {
		w := s.swarms.get(content.SHA1{k}, false)
		if w == nil || len(w.all) != 4 || len(w.index) != 4 || w.order.Len() != 4 {
			t.Fatalf("swarm %d: %+v", k, w)
		}
		if w.index[netip.MustParseAddrPort("10.0.0.1:10")] == nil {
			t.Fatal("the newest peer was forgotten")
		}
	}
}

// The tables of a swarm agree whatever happens to it.
func TestSwarmTablesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &swarm{index: make(map[netip.AddrPort]*member)}
		now := time.Unix(0, 0)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), rapid.Uint16Range(1, 12).Draw(t, "port"))
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				w.remove(addr)
			case 1:
				now = now.Add(time.Second)
				w.expire(now.Add(-5 * time.Second))
			default:
				w.put(addr, rapid.Bool().Draw(t, "seed"), now, 8)
			}
			seeds := 0
			for i, m := range w.all {
				if m.at != i || w.index[m.addr] != m {
					t.Fatalf("member %d is out of place", i)
				}
				if m.seed {
					seeds++
				}
			}
			if len(w.all) > 8 || len(w.index) != len(w.all) || w.order.Len() != len(w.all) || w.seeds != seeds {
				t.Fatalf("%d, %d, %d, %d seeds of %d", len(w.all), len(w.index), w.order.Len(), w.seeds, seeds)
			}
			chosen := w.choose(addr, 5, anyAddr)
			distinct := make(map[netip.AddrPort]bool)
			for _, c := range chosen {
				distinct[c] = true
			}
			others := len(w.all)
			if w.index[addr] != nil {
				others--
			}
			if distinct[addr] || len(distinct) != len(chosen) || len(chosen) != min(5, others) {
				t.Fatalf("chose %v of %d", chosen, len(w.all))
			}
		}
	})
}

func TestAllowDecides(t *testing.T) {
	s := NewServer(ServerOptions{Allow: func(k content.SHA1) bool { return k == content.SHA1{1} }})
	if _, err := s.take(join(1), netip.MustParseAddr("10.0.0.1"), anyAddr); !errors.Is(err, fault.Refused) {
		t.Fatal(err)
	}
	r := join(1)
	r.Key = content.SHA1{1}
	same(t, tell(t, s, "10.0.0.1", r))
}

func get(s *Server, remote, query string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, "/announce?"+query, nil)
	r.RemoteAddr = remote
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const params = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&left=1"

func TestServeHTTP(t *testing.T) {
	s := NewServer(ServerOptions{})
	if _, got := get(s, "10.0.0.1:999", params+"&port=80"); got != "d8:completei0e10:incompletei1e8:intervali1800e12:min intervali5e5:peers0:e" {
		t.Fatalf("%q", got)
	}
	get(s, "[2001:db8::5]:999", params+"&port=81&ip=8.8.8.8") // "ip" is ignored
	if _, got := get(s, "10.0.0.2:999", params+"&port=82"); got !=
		"d8:completei0e10:incompletei3e8:intervali1800e12:min intervali5e5:peers6:\x0a\x00\x00\x01\x00\x506:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x51e" {
		t.Fatalf("%q", got)
	}
	if _, got := get(s, "10.0.0.3:1", params+"&port=83&compact=0&numwant=1"); !strings.Contains(got, "5:peersld2:ip") {
		t.Fatalf("%q", got)
	}
	if _, got := get(s, "10.0.0.3:1", params+"&port=83&numwant=0"); !strings.Contains(got, "5:peers0:") {
		t.Fatalf("%q", got)
	}
}

func TestServeHTTPRefuses(t *testing.T) {
	s := NewServer(ServerOptions{})
	for name, query := range map[string]string{
		"no key":            "peer_id=bbbbbbbbbbbbbbbbbbbb&port=1",
		"a short key":       "info_hash=a&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1",
		"a long key":        "info_hash=aaaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1",
		"no peer ID":        "info_hash=aaaaaaaaaaaaaaaaaaaa&port=1",
		"no port":           params,
		"a port too large":  params + "&port=65536",
		"a negative port":   params + "&port=-1",
		"a query too large": params + "&port=1&x=" + strings.Repeat("x", 5000),
		"a broken query":    params + "&port=1&x=%zz",
	} {
		if _, got := get(s, "10.0.0.1:1", query); !strings.HasPrefix(got, "d14:failure reason") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if s.swarms.order.Len() != 0 {
		t.Error("a refused announce was recorded")
	}
	r := httptest.NewRequest(http.MethodPost, "/announce?"+params+"&port=1", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestUDPAddressMustBeProven(t *testing.T) {
	now := time.Unix(1_000_000_020, 0)
	s := NewServer(ServerOptions{Now: func() time.Time { return now }})
	from, other := netip.MustParseAddrPort("10.0.0.1:5"), netip.MustParseAddrPort("10.0.0.2:5")
	id := binary.BigEndian.Uint64(s.answerUDP(nil, appendConnect(nil, 7), from)[8:])
	announced := func(from netip.AddrPort, id uint64) bool {
		question := appendAnnounce(nil, id, 9, sample, "")
		b := s.answerUDP(nil, question, from)
		ours, err := checkReply(b, 9, actionAnnounce)
		if !ours {
			t.Fatal("no answer")
		}
		if err != nil && len(b) > len(question) {
			t.Fatalf("%d bytes for %d to an address not proven", len(b), len(question))
		}
		return err == nil
	}
	if !announced(from, id) {
		t.Fatal("refused with a good ID")
	}
	if announced(from, id+1) || announced(from, 0) || announced(other, id) {
		t.Fatal("served with a wrong ID")
	}
	now = now.Add(time.Minute)
	if !announced(from, id) {
		t.Fatal("refused after a minute")
	}
	now = now.Add(time.Minute)
	if announced(from, id) {
		t.Fatal("served after two minutes")
	}
	if s2 := NewServer(ServerOptions{Now: s.o.Now}); s2.connectionID(from.Addr(), 0) == s.connectionID(from.Addr(), 0) {
		t.Fatal("connection IDs can be guessed")
	}
}

func TestUDPAnswerFitsOneDatagram(t *testing.T) {
	s := NewServer(ServerOptions{})
	for _, ip := range []string{"10.0.0.1", "fd00::1"} {
		for port := range uint16(300) {
			tell(t, s, ip, join(port+1))
		}
		from := netip.AddrPortFrom(netip.MustParseAddr(ip), 5)
		r := join(1000)
		r.NumWant = 1 << 30
		b := s.answerUDP(nil, appendAnnounce(nil, s.connectionID(from.Addr(), 0), 9, r, ""), from)
		got, err := parseAnnounceReply(b, from.Addr().Is6())
		if err != nil || len(b) > maxDatagram || len(got.peers) < 70 {
			t.Fatalf("%d bytes, %d peers, %v", len(b), len(got.peers), err)
		}
	}
}

func TestUDPFloodIsIgnored(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := NewServer(ServerOptions{Now: func() time.Time { return now }})
	answers := 0
	for range 1000 {
		if len(s.answerUDP(nil, appendConnect(nil, 7), netip.MustParseAddrPort("8.8.8.8:5"))) > 0 {
			answers++
		}
	}
	if answers != 50 {
		t.Fatalf("%d answers to a flood", answers)
	}
}

func FuzzServeUDP(f *testing.F) {
	f.Add(appendConnect(nil, 1))
	f.Add(appendAnnounce(nil, 1, 2, sample, "/x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewServer(ServerOptions{})
		out := s.answerUDP(nil, b, netip.MustParseAddrPort("127.0.0.1:1"))
		if len(out) > max(len(b), connectSize) {
			t.Fatalf("%d bytes for %d to an address not proven", len(out), len(b))
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add(params + "&port=1")
	f.Add("info_hash=%00")
	f.Fuzz(func(t *testing.T, raw string) {
		r, _, err := parseQuery(raw)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		u := announceURL(&url.URL{Scheme: "http", Host: "a"}, r, "")
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := parseQuery(parsed.RawQuery)
		r.Token = 0
		if err != nil || again != r {
			t.Fatalf("%+v, %+v, %v", r, again, err)
		}
	})
}
