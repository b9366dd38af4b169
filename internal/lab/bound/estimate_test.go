package bound

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/lab"
)

func estimates(s lab.Scenario) (server, peers, both lab.Estimate) {
	list := Estimate(s)
	return list[0], list[1], list[2]
}

func TestWhatModelsPromise(t *testing.T) {
	server, peers, both := estimates(ten())
	if server.Model != lab.ClientServer || peers.Model != lab.PeerToPeer || both.Model != lab.Hybrid {
		t.Fatal("not in order")
	}
	for name, ok := range map[string]bool{
		"a server takes back at once, a capability lasts a day, a ticket forever": server.Revocation == time.Second && both.Revocation == 24*time.Hour && peers.Revocation == math.MaxInt64,
		"only what all bytes pass through has them all on record":                 server.Audit && !peers.Audit && !both.Audit,
		"who needs a server":      server.Server && both.Server && !peers.Server,
		"who uploads":             !server.Uploads && both.Uploads && peers.Uploads,
		"who outlives the origin": !server.Outlives && both.Outlives && peers.Outlives,
		"peers that leave at once add nothing to availability": peers.Availability == server.Availability,
		"a swarm takes longer than its bound":                  peers.Time > For(ten(), lab.PeerToPeer).Last && peers.Time < server.Time,
		"a server does not":                                    server.Time == For(ten(), lab.ClientServer).Last,
		"figures say where they are from":                      server.Tag == lab.Analytic,
	} {
		if !ok {
			t.Error("not so: " + name)
		}
	}
}

func TestWhoStaysKeepsItAvailable(t *testing.T) {
	stay := lab.Stay{Kind: "for", For: lab.Duration(100 * time.Second)}
	poisson := lab.Arrivals{Kind: "poisson", Rate: 0.1}
	for _, c := range []struct {
		name string
		s    lab.Scenario
		want float64 // of the peers alone
	}{
		{"arrivals that stay, on machines that are up 1000 of 1004 hours", with(func(s *lab.Scenario) { s.Arrivals, s.Stay = poisson, stay }), 1 - math.Exp(-10*1000./1004)},
		{"arrivals that leave", with(func(s *lab.Scenario) { s.Arrivals = poisson }), 0},
		{"a crowd with sessions", with(func(s *lab.Scenario) {
			s.Receivers[0].Count, s.Stay, s.Sessions = 3, stay, lab.Sessions{Mean: 10, Away: 10}
		}), 0.75},
		{"arrivals that stay until all have it", with(func(s *lab.Scenario) {
			s.Arrivals, s.Stay.Kind, s.Sessions = poisson, "end", lab.Sessions{Mean: 10, Away: 10}
		}), 1 - 1./32},
		{"those who give nothing", with(func(s *lab.Scenario) { s.Stay, s.Receivers[0].Up = stay, 0 }), 0},
	} {
		_, peers, both := estimates(c.s)
		want := 1 - (1-1000./1004)*(1-c.want)
		if math.Abs(peers.Availability-want) > 1e-9 || both.Availability != peers.Availability {
			t.Errorf("%s: %g and %g, want %g", c.name, peers.Availability, both.Availability, want)
		}
	}
}

func TestTimeUnderArrivals(t *testing.T) {
	slow := with(func(s *lab.Scenario) { s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 0.01} })
	server, peers, both := estimates(slow)
	for _, e := range []lab.Estimate{server, peers, both} {
		if e.Time < 900*time.Second || e.Time > 930*time.Second {
			t.Errorf("%s: the last of ten comes after 900 s, and has it after %s", e.Model, e.Time)
		}
	}
	if server.Time < both.Time {
		t.Errorf("alone a server needs %s, with peers %s", server.Time, both.Time)
	}
	_, _, free := estimates(ten())
	_, _, limited := estimates(with(func(s *lab.Scenario) { s.Origin.Copies = 1 }))
	if limited.Time <= free.Time {
		t.Errorf("with one copy from the server %s, without a limit %s", limited.Time, free.Time)
	}
}

func TestEstimatesAreNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, e := range Estimate(drawScenario(t)) {
			for _, x := range []float64{e.Availability, e.Operator, e.Peers} {
				if math.IsNaN(x) || x < 0 || math.IsInf(x, 0) {
					t.Fatalf("%+v", e)
				}
			}
			if e.Availability > 1 || e.Time < 0 {
				t.Fatalf("%+v", e)
			}
		}
	})
}
