package real

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"time"

	"tandem/internal/lab"
	"tandem/internal/units"
)

// seat is where a node runs: a host of a star, or a place on the loopback interface.
type seat struct {
	start func(*exec.Cmd) error
	// Of hosts of a star, to calibrate with.
	dial   func(addr string) (net.Conn, error)
	accept func() (net.Listener, error) // at a port of its own
	// received is how many bytes its interface has received by when, headers included.
	received func() (int64, time.Time, error)
	host     string   // its address
	listen   string   // for --listen of a node
	node     []string // how a node on it limits itself
	server   []string // how a server does
}

// ground is what runs stand on.
type ground interface {
	how() string
	// origin and receiver make seats behind links; hidden is a receiver that cannot be
	// dialled.
	origin(ctx context.Context, up units.Rate) (seat, error)
	receiver(ctx context.Context, up, down units.Rate, hidden bool) (seat, error)
	close() error
}

// loopback is the ground where all programs limit themselves.
type loopback struct{ payload float64 }

func (loopback) how() string { return UserSpace }

func (l loopback) seat() seat {
	return seat{
		start:  func(cmd *exec.Cmd) error { return cmd.Start() },
		host:   "127.0.0.1",
		listen: "127.0.0.1:0",
	}
}

func (l loopback) origin(_ context.Context, up units.Rate) (seat, error) {
	s := l.seat()
	if up > 0 {
		s.node = []string{"--up-limit", l.content(up)}
		s.server = []string{"--origin-rate", l.content(up)}
	}
	return s, nil
}

// receiver cannot hide: on the loopback interface everybody reaches everybody.
func (l loopback) receiver(_ context.Context, up, down units.Rate, _ bool) (seat, error) {
	s := l.seat()
	if up > 0 {
		s.node = append(s.node, "--up-limit", l.content(up))
	}
	if down > 0 {
		s.node = append(s.node, "--down-limit", l.content(down))
	}
	return s, nil
}

func (loopback) close() error { return nil }

// leastRate is the lowest limit that the program takes.
const leastRate = 1024

// content is what a link's rate leaves for content, as a limit is spelled.
func (l loopback) content(r units.Rate) string {
	return strconv.FormatInt(max(int64(float64(r)*l.payload), leastRate), 10) + "B"
}

// trickle is what a receiver that gives nothing limits itself to: the program has no
// switch for it.
func trickle(s seat) seat {
	for i, a := range s.node {
		if a == "--up-limit" {
			s.node[i+1] = "1KiB"
			return s
		}
	}
	s.node = append(s.node, "--up-limit", "1KiB")
	return s
}

// shortfalls says in which ways a run on the ground is not what the scenario says.
func shortfalls(s *lab.Scenario, how string) (notes []string) {
	add := func(when bool, text string) {
		if when {
			notes = append(notes, text)
		}
	}
	add(how == UserSpace, "shaped in user space: all nodes share the loopback interface and limit themselves; there are no headers, queues or losses")
	add(how == UserSpace && s.Hostile.Unreachable > 0, "no receiver is unreachable: on the loopback interface everybody reaches everybody")
	add(s.Hostile.Poisoners > 0, "no receiver sends wrong bytes: the program cannot")
	add(s.Hostile.FreeRiders > 0, "free-riders send 1 KiB/s: the program knows no less")
	add(s.Latency > lab.DefaultLatency, "links have no added delay")
	return notes
}
