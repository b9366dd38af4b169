package dht

import (
	"bytes"
	"strings"
	"testing"

	anacrolix "github.com/anacrolix/torrent/bencode"

	"github.com/anacrolix/dht/v2/krpc"

	"tandem/internal/bencode"
	"tandem/internal/discover"
)

const (
	id  = "20:aaaaaaaaaaaaaaaaaaaa"
	key = "20:bbbbbbbbbbbbbbbbbbbb"
)

func TestClean(t *testing.T) {
	for _, c := range []struct {
		name, in string
		global   bool
		v        verdict
		out      string
	}{
		{"a ping", "d1:ad2:id" + id + "e1:q4:ping1:t2:xx1:y1:qe", true, pass, "d1:ad2:id" + id + "e1:q4:ping1:t2:xx1:y1:qe"},
		{"unsorted keys are put in order", "d1:y1:q1:t2:xx1:q4:ping1:ad2:id" + id + "ee", true, pass, "d1:ad2:id" + id + "e1:q4:ping1:t2:xx1:y1:qe"},
		{"what follows and what is unknown is left out", "d1:ad2:id" + id + "1:xi1ee1:q4:ping1:t2:xx1:v4:abcd1:y1:qe\x00\x00", true, pass, "d1:ad2:id" + id + "e1:q4:ping1:t2:xx1:y1:qe"},
		{"a broken dictionary", "d1:ad2:id" + id + "6:target" + key + "4:wantl2:n6eeq1:q9:find_node1:t1:x1:y1:qe", true, drop, ""},
		{"find_node, with the target where the library looks for it", "d1:ad2:id" + id + "6:target" + key + "4:wantl2:n62:zzee1:q9:find_node1:t1:x1:y1:qe", true, pass, "d1:ad2:id" + id + "9:info_hash" + key + "6:target" + key + "4:wantl2:n6ee1:q9:find_node1:t1:x1:y1:qe"},
		{"find_node without target", "d1:ad2:id" + id + "e1:q9:find_node1:t1:x1:y1:qe", true, drop, ""},
		{"get_peers from a node that answers nobody", "d1:ad2:id" + id + "9:info_hash" + key + "e1:q9:get_peers2:roi1e1:t1:x1:y1:qe", true, pass, "d1:ad2:id" + id + "9:info_hash" + key + "e1:q9:get_peers2:roi1e1:t1:x1:y1:qe"},
		{"a short key", "d1:ad2:id" + id + "9:info_hash3:abce1:q9:get_peers1:t1:x1:y1:qe", true, drop, ""},
		{"announce_peer", "d1:ad2:id" + id + "9:info_hash" + key + "4:porti6881e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe", true, pass, "d1:ad2:id" + id + "9:info_hash" + key + "4:porti6881e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe"},
		{"announce_peer with implied port", "d1:ad2:id" + id + "12:implied_porti1e9:info_hash" + key + "4:porti9e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe", true, pass, "d1:ad2:id" + id + "12:implied_porti1e9:info_hash" + key + "4:porti0e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe"},
		{"announce_peer without token", "d1:ad2:id" + id + "9:info_hash" + key + "4:porti6881ee1:q13:announce_peer1:t1:x1:y1:qe", true, drop, ""},
		{"announce_peer at port 65536", "d1:ad2:id" + id + "9:info_hash" + key + "4:porti65536e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe", true, drop, ""},
		{"announce_peer at a negative port", "d1:ad2:id" + id + "9:info_hash" + key + "4:porti-1e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe", true, drop, ""},
		{"announce_peer without arguments", "d1:q13:announce_peer1:t1:x1:y1:qe", true, drop, ""},
		{"arguments that are a list", "d1:ale1:q4:ping1:t1:x1:y1:qe", true, drop, ""},
		{"an unknown method", "d1:ad2:id" + id + "e1:q3:put1:t2:xx1:y1:qe", true, answer, "d1:eli204e14:Method Unknowne1:t2:xx1:y1:ee"},
		{"no method", "d1:ad2:id" + id + "e1:t2:xx1:y1:qe", true, answer, "d1:eli204e14:Method Unknowne1:t2:xx1:y1:ee"},
		{"no transaction", "d1:ad2:id" + id + "e1:q4:ping1:y1:qe", true, drop, ""},
		{"a long transaction", "d1:ad2:id" + id + "e1:q4:ping1:t33:" + strings.Repeat("x", 33) + "1:y1:qe", true, drop, ""},
		{"a reply from the Internet loses local addresses", "d1:rd2:id" + id + "5:nodes52:cccccccccccccccccccc\x01\x02\x03\x04\x00\x50cccccccccccccccccccc\x0a\x00\x00\x01\x00\x505:token1:k6:valuesl6:\x7f\x00\x00\x01\x00\x506:\x01\x02\x03\x04\x00\x50ee1:t1:x1:y1:re", true, pass, "d1:rd2:id" + id + "5:nodes26:cccccccccccccccccccc\x01\x02\x03\x04\x00\x505:token1:k6:valuesl6:\x01\x02\x03\x04\x00\x50ee1:t1:x1:y1:re"},
		{"a local reply keeps them", "d1:rd2:id" + id + "5:nodes26:cccccccccccccccccccc\x0a\x00\x00\x01\x00\x50e1:t1:x1:y1:re", false, pass, "d1:rd2:id" + id + "5:nodes26:cccccccccccccccccccc\x0a\x00\x00\x01\x00\x50e1:t1:x1:y1:re"},
		{"addresses of odd length are left out", "d2:ip1:x1:rd2:id" + id + "5:nodes3:abc6:valuesl0:1:x7:1234567i3eee1:t1:x1:y1:re", false, pass, "d1:rd2:id" + id + "e1:t1:x1:y1:re"},
		{"a reply from nobody", "d1:rd5:token1:ke1:t1:x1:y1:re", false, drop, ""},
		{"an error", "d1:eli201e5:\x1b[2Jxe1:t1:x1:y1:ee", false, pass, "d1:eli201e5:?[2Jxe1:t1:x1:y1:ee"},
		{"an error of nothing", "d1:e0:1:t1:x1:y1:ee", false, pass, "d1:eli201e0:e1:t1:x1:y1:ee"},
		{"another kind of message", "d1:t1:x1:y1:ze", false, drop, ""},
		{"not a dictionary", "le", false, drop, ""},
		{"nothing", "", false, drop, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, v := clean([]byte(c.in), c.global)
			if v != c.v || string(out) != c.out {
				t.Fatalf("verdict %d:\n%q\nwant\n%q", v, out, c.out)
			}
		})
	}
}

// What comes through is canonical, stays as it is when cleaned again, and does
// not make the library's decoder fail.
func FuzzClean(f *testing.F) {
	f.Add([]byte("d1:ad2:id"+id+"6:target"+key+"4:wantl2:n6ee1:q9:find_node1:t1:x1:y1:qe"), true)
	f.Add([]byte("d1:ad2:id"+id+"12:implied_porti1e9:info_hash"+key+"4:porti9e5:token1:ke1:q13:announce_peer1:t1:x1:y1:qe"), true)
	f.Add([]byte("d2:ip1:x1:rd2:id"+id+"5:nodes26:cccccccccccccccccccc\x0a\x00\x00\x01\x00\x506:nodes638:"+strings.Repeat("d", 38)+"6:valuesl6:\x01\x02\x03\x04\x00\x50ee1:t1:x1:y1:re"), false)
	f.Add([]byte("d1:eli201e1:xe1:t1:x1:y1:ee"), false)
	f.Add([]byte("d1:ad2:id"+id+"e1:q3:put1:t2:xx1:y1:qe"), false)
	f.Fuzz(func(t *testing.T, b []byte, global bool) {
		out, v := clean(b, global)
		if v == drop {
			return
		}
		if _, err := bencode.Decode(out, bencode.Options{}); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		var m krpc.Msg
		if err := anacrolix.Unmarshal(out, &m); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		again, v2 := clean(out, global)
		if v == pass && (v2 != pass || !bytes.Equal(again, out)) {
			t.Fatalf("%q becomes %q", out, again)
		}
		if m.R != nil && global {
			for _, p := range m.R.Values {
				if !discover.MayDial(p.ToNodeAddrPort().AddrPort, true) {
					t.Fatalf("value %v came through", p)
				}
			}
		}
		if m.Y == "q" && v == pass && m.A == nil {
			t.Fatalf("%q: a query without arguments", out)
		}
	})
}
