package real

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"time"

	"tandem/internal/units"
)

// field is a star as a ground.
type field struct{ star *Star }

// newField makes a star; it fails where namespaces are not permitted, or links cannot be
// shaped.
func newField(ctx context.Context) (ground, error) {
	star, err := NewStar(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := star.Add(ctx, Link{Up: 1e6, Down: 1e6, Apart: true}); err != nil {
		return nil, errors.Join(err, star.Close())
	}
	return field{star}, nil
}

func (f field) how() string { return Namespaces }

func (f field) close() error { return f.star.Close() }

func (f field) origin(ctx context.Context, up units.Rate) (seat, error) {
	return f.add(ctx, Link{Up: bits(up), Apart: true})
}

func (f field) receiver(ctx context.Context, up, down units.Rate, hidden bool) (seat, error) {
	s, err := f.add(ctx, Link{Up: bits(up), Down: bits(down), Apart: true})
	if hidden {
		s.listen = "127.0.0.1:" + nodePort
	}
	return s, err
}

// probe makes a seat behind no limit, to calibrate against.
func (f field) probe(ctx context.Context) (seat, error) {
	return f.add(ctx, Link{Apart: true})
}

// nodePort is where nodes listen on their hosts.
const nodePort = "6881"

func (f field) add(ctx context.Context, link Link) (seat, error) {
	h, err := f.star.Add(ctx, link)
	if err != nil {
		return seat{}, err
	}
	return seat{
		start:  h.start,
		dial:   h.Dial,
		accept: func() (net.Listener, error) { return h.Listen(0) },
		received: func() (int64, time.Time, error) {
			t, err := h.Traffic()
			return t.Received.Bytes, time.Now(), err
		},
		host:   h.Addr.String(),
		listen: net.JoinHostPort(h.Addr.String(), nodePort),
	}, nil
}

// start starts a program on the host without another in between, which would take time
// that is measured.
func (h *Host) start(cmd *exec.Cmd) error { return h.do(cmd.Start) }

// bits is a link's rate for the shaper.
func bits(r units.Rate) int64 { return int64(r) * 8 }
