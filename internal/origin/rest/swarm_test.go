package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

func joining(n byte) api.SwarmJoin {
	return api.SwarmJoin{Node: peer.ID{n}.String(), Port: 7000 + uint16(n)}
}

// join lets a node join by a link.
func (o *house) join(token string, in api.SwarmJoin) (out api.SwarmAnswer) {
	o.t.Helper()
	o.do("", "POST", "shared/"+token+"/swarm", in).want(200).into(&out)
	return out
}

// asNode are the headers with which a node asks for pieces.
func asNode(n byte, share, pieces string, more ...string) []string {
	return append([]string{api.HeaderNode, peer.ID{n}.String(), api.HeaderShare, share, api.HeaderPieces, pieces}, more...)
}

func TestJoinByALink(t *testing.T) {
	o := newHouse(t)
	o.put("album/one.bin", strings.Repeat("1", 40_000))
	o.put("album/sub%20dir/two.bin", strings.Repeat("2", 70_000))
	_, token := o.link(api.NewLink{Path: "album"})
	in := joining(1)
	in.Torrent, in.Total, in.Have = true, 110_000, 500
	got := o.join(token, in)
	m, err := metainfo.Parse(got.Torrent)
	if err != nil || hashText(m.Manifest.InfoHash2) != got.InfoHash || got.Name != "album" || got.Audience != "link" {
		t.Fatalf("%v %+v", err, got)
	}
	if want := []string{"s/" + token + "/files/one.bin", "s/" + token + "/files/sub%20dir/two.bin"}; !slices.Equal(got.Files, want) {
		t.Errorf("files %q", got.Files)
	}
	if got.Ticket == "" || len(got.Capability) == 0 || got.Server == "" || got.Next < 1 || got.State == 0 || got.Swarm {
		t.Errorf("%+v", got)
	}
	for _, path := range got.Files {
		o.do("", "GET", "/"+path, nil).want(200)
	}
	// A second one makes it a swarm, and is told of the first.
	second := o.join(token, joining(2))
	if !second.Swarm || second.Spare || second.Torrent != nil || !slices.Equal(second.Peers, []string{"192.0.2.1:7001"}) {
		t.Errorf("%+v", second)
	}
	in = joining(1)
	in.Leave = true
	o.join(token, in)
	if third := o.join(token, joining(3)); !slices.Equal(third.Peers, []string{"192.0.2.1:7002"}) {
		t.Errorf("%+v", third)
	}
	in = joining(4)
	in.InfoHash = strings.Repeat("ab", 32)
	o.do("", "POST", "shared/"+token+"/swarm", in).problem(412, "precondition")
}

func TestJoinByAPlace(t *testing.T) {
	o := newHouse(t)
	o.put("album/a%20b.bin", "hello")
	for path, want := range map[string]string{
		"album/a b.bin": "api/v1/collections/photos/content/album/a%20b.bin",
		"album":         "api/v1/collections/photos/content/album/a%20b.bin",
		"":              "api/v1/collections/photos/content/album/a%20b.bin",
	} {
		in := joining(1)
		in.Torrent = true
		var got api.SwarmAnswer
		o.do("ann", "POST", "collections/photos/swarm/"+strings.ReplaceAll(path, " ", "%20"), in).want(200).into(&got)
		if !slices.Equal(got.Files, []string{want}) || got.Audience != "network" || len(got.Capability) == 0 || got.Ticket != "" {
			t.Errorf("%q: %+v", path, got)
		}
		o.do("ann", "GET", "/"+want, nil).want(200)
	}
	o.do("eve", "POST", "collections/photos/swarm/album", joining(2)).problem(404, "not-found")
}

// A node whose access ended is told what was taken back from it, and strangers are told nothing.
func TestTheLastWordToANode(t *testing.T) {
	o := newHouse(t)
	o.put("a.txt", "hello")
	link, token := o.link(api.NewLink{Path: "a.txt"})
	byLink := o.join(token, joining(1)).InfoHash
	var got api.SwarmAnswer
	o.do("eve", "POST", "collections/photos/swarm/a.txt", joining(2)).problem(404, "not-found")
	o.do("ann", "POST", "collections/photos/swarm/a.txt", joining(2)).want(200).into(&got)
	o.do("ann", "DELETE", fmt.Sprintf("links/%d", link.ID), nil).want(204)
	ended := o.secret["ann"]
	o.do("ann", "DELETE", "sessions/current", nil).want(204)
	for _, c := range []struct {
		name, path, share string
		node              byte
		told              bool
	}{
		{"by a link that was revoked", "shared/" + token + "/swarm", byLink, 1, true},
		{"by a session that was ended", "collections/photos/swarm/a.txt", got.InfoHash, 2, true},
		{"another share", "shared/" + token + "/swarm", strings.Repeat("ab", 32), 1, false},
		{"no share", "shared/" + token + "/swarm", "", 1, false},
		{"a node of whom nothing was taken back", "collections/photos/swarm/a.txt", strings.Repeat("ab", 32), 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := joining(c.node)
			in.InfoHash = c.share
			r := o.do("", "POST", c.path, in, "Authorization", "Bearer "+ended)
			if !c.told {
				if r.Code != 410 && r.Code != 401 {
					t.Errorf("%d %s", r.Code, r.Body)
				}
				return
			}
			var last api.SwarmAnswer
			r.want(200).into(&last)
			if len(last.Denials) == 0 || last.Capability != nil || last.Ticket != "" || last.Peers != nil {
				t.Errorf("%+v", last)
			}
		})
	}
}

func TestJoinsThatMakeNoSense(t *testing.T) {
	o := newHouse(t)
	o.put("a.txt", "hello")
	_, token := o.link(api.NewLink{Path: "a.txt"})
	many := make([]string, maxJoinAddrs+1)
	for i := range many {
		many[i] = fmt.Sprintf("10.0.0.1:%d", i+1)
	}
	for name, change := range map[string]func(*api.SwarmJoin){
		"no node":                   func(in *api.SwarmJoin) { in.Node = "" },
		"a node that is none":       func(in *api.SwarmJoin) { in.Node = "me" },
		"the zero node":             func(in *api.SwarmJoin) { in.Node = peer.ID{}.String() },
		"too many addresses":        func(in *api.SwarmJoin) { in.Addrs = many },
		"an address without a port": func(in *api.SwarmJoin) { in.Addrs = []string{"10.0.0.1"} },
		"a host name":               func(in *api.SwarmJoin) { in.Addrs = []string{"victim.example:80"} },
		"more than all":             func(in *api.SwarmJoin) { in.Total, in.Have = 1, 2 },
		"less than nothing":         func(in *api.SwarmJoin) { in.Have = -1 },
		"a negative rate":           func(in *api.SwarmJoin) { in.Rate = -1 },
		"a wait of hours":           func(in *api.SwarmJoin) { in.Wait = 7200 },
		"a negative state":          func(in *api.SwarmJoin) { in.Seen = -1 },
		"a promise for ever":        func(in *api.SwarmJoin) { in.Keep = 1 << 62 },
		"a promise before time":     func(in *api.SwarmJoin) { in.Keep = -5 },
		"a hash that is none":       func(in *api.SwarmJoin) { in.InfoHash = "abc" },
		"negative bytes":            func(in *api.SwarmJoin) { in.Served = &api.Served{LAN: -1} },
	} {
		t.Run(name, func(t *testing.T) {
			in := joining(1)
			change(&in)
			o.do("", "POST", "shared/"+token+"/swarm", in).problem(400, "invalid")
		})
	}
	o.do("", "POST", "shared/"+token+"/swarm", `{"node":"x","secret":1}`, "Content-Type", typeJSON).problem(400, "invalid")
}

// What a node says of where it is makes others dial.
func TestAddressesOfANode(t *testing.T) {
	for _, c := range []struct {
		name, remote string
		port         uint16
		says, want   []string
	}{
		{"where it is seen", "192.0.2.1", 7000, nil, []string{"192.0.2.1:7000"}},
		{"nowhere", "192.0.2.1", 0, nil, nil},
		{"on its own network too", "8.8.8.8", 7000, []string{"192.168.1.5:7000"}, []string{"8.8.8.8:7000", "192.168.1.5:7000"}},
		{"one of the other family", "8.8.8.8", 7000, []string{"[2606:4700::1]:7000", "[2606:4700::2]:7000"}, []string{"8.8.8.8:7000", "[2606:4700::1]:7000"}},
		{"somebody else's address", "8.8.8.8", 7000, []string{"9.9.9.9:80", "8.8.8.8:7001"}, []string{"8.8.8.8:7000", "8.8.8.8:7001"}},
		{"as seen from within a network", "10.0.0.1", 7000, []string{"9.9.9.9:80"}, []string{"10.0.0.1:7000", "9.9.9.9:80"}},
		{"no place at all", "8.8.8.8", 7000, []string{"0.0.0.0:1", "224.0.0.1:1", "127.0.0.1:1", "10.0.0.1:0", "169.254.0.1:5"}, []string{"8.8.8.8:7000"}},
		{"on the same machine", "127.0.0.1", 7000, []string{"127.0.0.1:7001"}, []string{"127.0.0.1:7000", "127.0.0.1:7001"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := joinAddrs(netip.MustParseAddr(c.remote), api.SwarmJoin{Port: c.port, Addrs: c.says})
			if texts := addrTexts(got); err != nil || !slices.Equal(texts, c.want) {
				t.Errorf("%q, %v", texts, err)
			}
		})
	}
}

// A node that waits for news gets them when another comes, and an answer when the server ends; the watch for
// slow clients leaves it alone.
func TestWaitingForNews(t *testing.T) {
	o := newHouse(t)
	o.put("a.txt", "hello")
	_, token := o.link(api.NewLink{Path: "a.txt"})
	dial, over := o.connect(t)
	wait := func(seconds int, seen int64) *raw {
		in := joining(1)
		in.Wait, in.Seen = seconds, seen
		body, err := json.Marshal(in)
		check(t, err)
		c := dial()
		c.send(fmt.Sprintf("POST /api/v1/shared/%s/swarm HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: %d\n\n%s", token, len(body), body))
		return c
	}
	answer := func(c *raw) (got api.SwarmAnswer) {
		t.Helper()
		res, err := http.ReadResponse(c.in, nil)
		check(t, err)
		if res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
		check(t, json.NewDecoder(res.Body).Decode(&got))
		<-over
		return got
	}
	arrived := func() {
		t.Helper()
		for range 2000 {
			if o.polls.waiting.Load() > 0 {
				return
			}
			pause(t)
		}
		t.Fatal("it does not wait")
	}
	before := answer(wait(0, 0))
	first := wait(60, before.State)
	arrived()
	for i := range 10 { // five minutes of looking
		o.watch.look(time.Now().Add(time.Duration(i) * o.limits.SlowTime))
	}
	o.join(token, joining(2))
	news := answer(first)
	if news.State <= before.State || !slices.Equal(news.Peers, []string{"192.0.2.1:7002"}) {
		t.Errorf("%+v", news)
	}
	last := wait(60, answer(wait(0, 0)).State) // that it is a swarm now was news too
	arrived()
	o.Drain()
	if got := answer(last); got.InfoHash != before.InfoHash {
		t.Errorf("%+v", got)
	}
	in := joining(1)
	in.Wait, in.Seen = 60, 1<<40
	o.join(token, in) // who comes now does not wait
}

// pause lets what runs beside a test get on.
func pause(t *testing.T) {
	c, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-c.Done()
}

func TestPollsAreBounded(t *testing.T) {
	p := newPolls()
	var ends []func()
	for range maxPolls {
		_, d, done := p.begin(t.Context(), time.Minute)
		if d != time.Minute {
			t.Fatal("may not wait")
		}
		ends = append(ends, done)
	}
	if _, d, _ := p.begin(t.Context(), time.Minute); d != 0 {
		t.Error("one too many may wait")
	}
	ends[0]()
	if _, d, done := p.begin(t.Context(), time.Minute); d == 0 {
		t.Error("there is room again")
	} else {
		ends[0] = done
	}
	ctx, _, done := p.begin(t.Context(), time.Minute)
	done()
	p.stop()
	<-p.over.Done()
	if _, d, _ := p.begin(t.Context(), time.Minute); d != 0 || ctx == nil {
		t.Error("may wait, though all is over")
	}
	for _, end := range ends {
		end()
	}
	if n := p.waiting.Load(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A node is pointed to the one that was given what it asks for, and to a browser nothing of it is told.
func TestContentIsGivenToOneNodeAtFirst(t *testing.T) {
	o := newHouse(t)
	body := strings.Repeat("x", 100_000)
	o.put("a.bin", body)
	_, token := o.link(api.NewLink{Path: "a.bin"})
	share := o.join(token, joining(1)).InfoHash
	o.join(token, joining(2))
	url := "/s/" + token + "/download"
	first := []string{"Range", "bytes=0-32767"}
	if got := o.do("", "GET", url, nil, asNode(1, share, "0-0", first...)...).want(206).Body.Len(); got != 32768 {
		t.Errorf("%d bytes", got)
	}
	var e api.Elsewhere
	r := o.do("", "GET", url, nil, asNode(2, share, "0-0", first...)...).want(300)
	r.into(&e)
	if !slices.Equal(e.Peers, []string{"192.0.2.1:7001"}) || len(e.Taken) != 1 || e.Taken[0] != 0x80 || e.After < 1 {
		t.Errorf("%+v", e)
	}
	if strings.Contains(r.Body.String(), "xxxx") || r.Header().Get("Content-Range") != "" || r.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", r.Header(), r.Body)
	}
	o.do("", "GET", url, nil, asNode(2, share, "1-1", "Range", "bytes=32768-65535")...).want(206)
	// Others are served as always.
	for name, header := range map[string][]string{
		"a browser":                  first,
		"a node that has not joined": asNode(9, share, "0-0", first...),
		"a share that it is not of":  asNode(2, strings.Repeat("ab", 32), "0-0", first...),
		"a part of the headers":      append([]string{api.HeaderNode, peer.ID{2}.String()}, first...),
	} {
		if got := o.do("", "GET", url, nil, header...).want(206).Body.Len(); got != 32768 {
			t.Errorf("%s: %d bytes", name, got)
		}
	}
	for name, header := range map[string][]string{
		"a node that is none":  {api.HeaderNode, "x"},
		"a share that is none": {api.HeaderNode, peer.ID{2}.String(), api.HeaderShare, "x", api.HeaderPieces, "0-0"},
		"pieces backwards":     asNode(2, share, "3-1"),
		"pieces without end":   asNode(2, share, "3-"),
		"too many pieces":      asNode(2, share, "0-99999999999"),
	} {
		t.Run(name, func(t *testing.T) { o.do("", "GET", url, nil, header...).problem(400, "invalid") })
	}
}

// A node that began with one content is not given another's bytes.
func TestContentOfAnotherVersion(t *testing.T) {
	o := newHouse(t)
	was := o.put("a.txt", "hello").Root
	path := "collections/photos/content/a.txt"
	o.do("ann", "GET", path, nil, api.HeaderRoot, was).want(200)
	is := o.put("a.txt", "HIDDEN").Root
	r := o.do("ann", "GET", path, nil, api.HeaderRoot, was)
	r.problem(412, "changed")
	if strings.Contains(r.Body.String(), "HIDDEN") || !strings.Contains(r.Body.String(), "newer") {
		t.Errorf("%s", r.Body)
	}
	o.do("ann", "GET", path, nil, api.HeaderRoot, is).want(200)
	o.do("ann", "GET", path, nil, api.HeaderRoot, "x").problem(400, "invalid")
}

// What the server sends is counted for the node that took it.
func TestSentBytesAreInTheLedger(t *testing.T) {
	o := newHouse(t)
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.server.Run(ctx) }()
	o.put("a.txt", "hello")
	_, token := o.link(api.NewLink{Path: "a.txt"})
	share := o.join(token, joining(1)).InfoHash
	o.do("", "GET", "/s/"+token+"/download", nil, asNode(1, share, "0-0")...).want(200)
	o.do("", "GET", "/s/"+token+"/download", nil).want(200)
	end() // writes down what is left
	check(t, <-ended)
	var shares, transfers []api.LedgerLine
	o.do("ann", "GET", "ledger", nil).want(200).into(&shares)
	o.do("ann", "GET", "ledger?by=transfer", nil).want(200).into(&transfers)
	of := slices.IndexFunc(transfers, func(l api.LedgerLine) bool { return l.Node == peer.ID{1}.String() })
	if of < 0 || transfers[of].Served.Server != 5 || transfers[of].InfoHash != share {
		t.Errorf("transfers %+v", transfers)
	}
	if len(shares) == 0 || shares[0].Served.Server < 5 {
		t.Errorf("shares %+v", shares)
	}
	o.do("ann", "GET", "ledger?by=night", nil).problem(400, "invalid")
}

func TestKeepers(t *testing.T) {
	o := newHouse(t)
	id := peer.ID{5}.String()
	var k api.Keeper
	o.do("ann", "PUT", "keepers/"+id, api.Keeper{Node: id, Space: 1 << 30}).want(200).into(&k)
	if k.Node != id || k.Space != 1<<30 || k.User != "ann" {
		t.Errorf("%+v", k)
	}
	var all []api.Keeper
	o.do("ann", "GET", "keepers", nil).want(200).into(&all)
	o.do("ann", "GET", "keepers/"+id, nil).want(200).into(&k)
	if len(all) != 1 || all[0].Node != id || k.Node != id {
		t.Errorf("%+v %+v", all, k)
	}
	o.do("eve", "GET", "keepers/"+id, nil).problem(404, "not-found")
	o.do("ann", "PUT", "keepers/"+id, api.Keeper{Node: peer.ID{6}.String(), Space: 1}).problem(400, "invalid")
	o.do("ann", "PUT", "keepers/"+id, api.Keeper{Space: -1}).problem(400, "invalid")
	o.do("ann", "PUT", "keepers/nobody", api.Keeper{Space: 1}).problem(404, "not-found")
	o.do("ann", "PUT", "keepers/"+id, api.Keeper{}).want(200)
}

// Web seeds of several files: below the torrent's name, and padding as zeros.
func TestWebSeed(t *testing.T) {
	o := newHouse(t)
	o.put("album/album/one.bin", "inner")
	o.put("album/one.bin", "outer")
	_, token := o.link(api.NewLink{Path: "album", Audience: "public"})
	seed := "/s/" + token + "/seed/"
	for path, want := range map[string]string{
		"album/one.bin":       "outer",
		"album/album/one.bin": "inner",
		"album/.pad/7":        strings.Repeat("\x00", 7),
	} {
		if got := o.do("", "GET", seed+path, nil).want(200).Body.String(); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	if got := o.do("", "GET", seed+"album/one.bin", nil, "Range", "bytes=1-2").want(206).Body.String(); got != "ut" {
		t.Errorf("%q", got)
	}
	if got := o.do("", "GET", seed+"album/.pad/9", nil, "Range", "bytes=4-").want(206).Body.Len(); got != 5 {
		t.Errorf("%d bytes of padding", got)
	}
	o.do("", "HEAD", seed+"album/one.bin", nil).want(200).header("Content-Length", "5")
	for _, path := range []string{"album/two.bin", "album/.pad/0", "album/.pad/x", "album/.pad/99999999999", "album/.pad/-1", "album/.pad/7/8"} {
		o.do("", "GET", seed+path, nil).problem(404, "not-found")
	}
	o.do("", "GET", seed+"album/album", nil).problem(400, "invalid")
	_, locked := o.link(api.NewLink{Path: "album", Password: "sesame street"})
	o.do("", "GET", "/s/"+locked+"/seed/album/.pad/7", nil).problem(401, "unauthenticated")
}

// Announces come to the tracker with the address of the client, and not too many of one.
func TestAnnounce(t *testing.T) {
	o := newHouse(t)
	o.do("", "GET", "/announce", nil).problem(404, "not-found")
	var from []string
	o.Handler.cfg.Tracker = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from = append(from, r.RemoteAddr)
		fmt.Fprint(w, "d8:intervali120ee")
	})
	o.Handler.gate.trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	ask := func(client string) int {
		r := httptest.NewRequest("GET", "/announce?info_hash=x", nil)
		r.Host = "localhost"
		r.Header.Set("X-Forwarded-For", client)
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		return w.Code
	}
	for range announceBurst {
		if got := ask("198.51.100.7"); got != 200 {
			t.Fatal(got)
		}
	}
	if got := ask("198.51.100.7"); got != 429 {
		t.Errorf("one too many: %d", got)
	}
	if got := ask("198.51.100.8"); got != 200 {
		t.Errorf("its neighbour: %d", got)
	}
	o.pass(time.Second)
	if got := ask("198.51.100.7"); got != 200 {
		t.Errorf("a second later: %d", got)
	}
	if from[0] != "198.51.100.7:0" || len(from) != announceBurst+2 {
		t.Errorf("%d announces, the first from %s", len(from), from[0])
	}
}

func TestAnnouncersAreBounded(t *testing.T) {
	var a announcers
	now := time.Unix(1e9, 0)
	for i := range announcerLimit + 10 {
		a.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(a.all) > announcerLimit {
		t.Errorf("%d are remembered", len(a.all))
	}
	v6 := netip.MustParseAddr("2606:4700::1")
	for range announceBurst {
		a.allow(v6, now)
	}
	if a.allow(netip.MustParseAddr("2606:4700::2"), now) {
		t.Error("one customer has many addresses, and counts once")
	}
}
