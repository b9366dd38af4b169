package real

import (
	"reflect"
	"testing"
)

// recorded are lines as the program prints them.
var recorded = []string{
	`{"event":"listening","addr":"127.0.0.1:37557","node":"ks5mqwjp"}`,
	`{"event":"hashing","bytes":0,"total":4194304}`,
	`{"event":"reachability","message":"reachable from this machine only"}`,
	`{"event":"ready","id":"dbd94899","link":"tandem:AQEAIILjF972","infohash_v2":"82e317de"}`,
	`{"event":"progress","bytes":229376,"total":4194304,"rate":539547,"peers":1,"from_peers":245760,"from_origin":0}`,
	`{"event":"complete","seconds":4.542,"bytes":4194304,"from_peers":4194304,"from_origin":0,"wasted":0,"limit":"the swarm's upload","sources":{"s6koaoea":1998848,"spbr7nek":2195456},"from_lan":0,"peers":2,"best":0.9}`,
	`{"event":"complete","seconds":4.071,"bytes":2097152,"from_peers":0,"from_origin":2097152,"wasted":65536,"from_lan":0,"peers":0,"best":0.662,"via":"server"}`,
	`{"event":"missing","pieces":[{"first":0,"last":0},{"first":9,"last":12,"holder":"ks5mqwjp"}],"message":"5 of 32 pieces are missing (0, 9-12): nobody connected has them"}`,
	`{"event":"serving","url":"https://127.0.0.1:41973","addr":"127.0.0.1:41973"}`,
	`{"event":"error","kind":"full","message":"no room","hint":"make room"}`,
	`{"event":"seeding","id":"dbd94899"}`,
}

func TestEventsOfTheProgram(t *testing.T) {
	for _, c := range []struct {
		line string
		want event
	}{
		{recorded[0], event{Event: "listening", Addr: "127.0.0.1:37557", Node: "ks5mqwjp"}},
		{recorded[3], event{Event: "ready", Link: "tandem:AQEAIILjF972"}},
		{recorded[4], event{Event: "progress", Bytes: 229376, Rate: 539547, FromPeers: 245760}},
		{recorded[5], event{Event: "complete", Bytes: 4194304, FromPeers: 4194304, Sources: map[string]int64{"s6koaoea": 1998848, "spbr7nek": 2195456}}},
		{recorded[6], event{Event: "complete", Bytes: 2097152, FromOrigin: 2097152, Wasted: 65536}},
		{recorded[8], event{Event: "serving", URL: "https://127.0.0.1:41973", Addr: "127.0.0.1:41973"}},
	} {
		if got, ok := parseEvent([]byte(c.line)); !ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\nis read as %+v", c.line, got)
		}
	}
	if e, ok := parseEvent([]byte(recorded[7])); !ok || e.lacking() != 5 {
		t.Errorf("%s\nlacks %d", recorded[7], e.lacking())
	}
	for _, line := range []string{
		"", "plain text", "[1]", "{}", `{"event":7}`, `{"event":"progress","bytes":-1}`,
		`{"event":"progress","rate":-1}`, `{"event":"complete","sources":{"x":-5}}`, `{"event":"complete","from_origin":-5}`,
	} {
		if e, ok := parseEvent([]byte(line)); ok {
			t.Errorf("%q is read as %+v", line, e)
		}
	}
}

// FuzzParseEvent holds that no line upsets a course.
func FuzzParseEvent(f *testing.F) {
	for _, line := range recorded {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"event":"missing","pieces":[{"first":9223372036854775807,"last":-9223372036854775808}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := parseEvent(line)
		if !ok {
			return
		}
		x := stub(t, 2, "hybrid", nil)
		x.due(0)
		x.heardFrom(1, e, 5)
		if s := x.share(6); s < 0 || s > 1 {
			t.Errorf("a share of %v after %s", s, line)
		}
		if r := x.list[1]; r.bytes < 0 || r.bytes > unit || r.first < 0 || r.first > 5 {
			t.Errorf("%+v after %s", r, line)
		}
		if x.lacking < 0 {
			t.Errorf("%d pieces lacking after %s", x.lacking, line)
		}
	})
}
