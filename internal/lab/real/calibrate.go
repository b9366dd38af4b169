package real

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	"tandem/internal/units"
)

// A calibration flow is read for a while after a start that does not count: buckets are
// full at first, and TCP finds out how fast it may go.
const (
	calibrateFor  = time.Second
	calibrateMost = 6 * time.Second // on links so slow that a second has too few packets
	leadIn        = 300 * time.Millisecond
	leastReads    = 60
)

// A flow is looked at for so many full frames at least.
const (
	leastFrames = 300
	frame       = 1514
)

// prober is a ground that has links to be calibrated.
type prober interface {
	probe(ctx context.Context) (seat, error) // behind no limit
}

// calibrate measures whether links give what they should, before anything else uses them.
func (x *stage) calibrate(ctx context.Context) error {
	if x.ground.how() == UserSpace {
		return x.calibrateLimits(ctx)
	}
	s := &x.run.Scenario
	type flow struct {
		name     string
		from, to seat
		rate     units.Rate
		ratio    float64
		err      error
	}
	var flows []flow
	// Each has a probe of its own: acknowledgements of the other would be counted.
	probe, err := x.ground.(prober).probe(ctx)
	if err != nil {
		return err
	}
	if s.Origin.Up > 0 {
		flows = append(flows, flow{name: "the origin's uplink", from: x.origin.seat, to: probe, rate: s.Origin.Up})
	}
	if down := s.Receivers[0].Down; down > 0 {
		if probe, err = x.ground.(prober).probe(ctx); err != nil {
			return err
		}
		flows = append(flows, flow{name: "a receiver's downlink", from: probe, to: x.nodes[0].seat, rate: down})
	}
	done := make(chan struct{})
	for i := range flows {
		go func() {
			f := &flows[i]
			var got float64
			got, f.err = carried(ctx, f.from, f.to, f.rate)
			f.ratio = got / float64(f.rate)
			done <- struct{}{}
		}()
	}
	for range flows {
		<-done
	}
	for _, f := range flows {
		if f.err != nil {
			return fmt.Errorf("%s: %w", f.name, f.err)
		}
		x.calibrated(f.name, f.ratio)
	}
	return nil
}

// calibrated keeps the ratio that is furthest off.
func (x *stage) calibrated(what string, ratio float64) {
	x.log.printf("calibration: %s gives %.4f of what it should", what, ratio)
	if x.ratio == 0 || math.Abs(ratio-1) > math.Abs(x.ratio-1) {
		x.ratio = ratio
	}
}

// carried returns how many bytes a second one TCP flow brings over a link of that rate, as
// the receiving host's interface counts them: headers included, and what was lost and sent
// again, since both have crossed the link.
func carried(ctx context.Context, from, to seat, rate units.Rate) (float64, error) {
	l, err := to.accept()
	if err != nil {
		return 0, err
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ends := make(chan error, 2)
	go func() { ends <- flood(ctx, from, l.Addr().String()) }()
	go func() { ends <- drain(ctx, l) }()
	got, err := crossed(ctx, to, rate)
	cancel()
	return got, errors.Join(err, <-ends, <-ends)
}

// crossed returns how many bytes a second reach a seat. It looks at the interface twice,
// so long apart that a frame more or less does not matter.
func crossed(ctx context.Context, to seat, rate units.Rate) (float64, error) {
	long := time.Duration(leastFrames * frame / float64(rate) * float64(time.Second))
	if err := rest(ctx, leadIn); err != nil {
		return 0, err
	}
	before, start, err := to.received()
	if err == nil {
		err = rest(ctx, min(max(long, calibrateFor), calibrateMost))
	}
	if err != nil {
		return 0, err
	}
	after, end, err := to.received()
	return float64(after-before) / end.Sub(start).Seconds(), err
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flood sends until ctx ends. What is on its way then is thrown away, so that it does not
// stand in the way of what is measured next.
func flood(ctx context.Context, from seat, addr string) error {
	c, err := from.dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	block := make([]byte, 64<<10)
	for {
		if _, err := c.Write(block); err != nil {
			return given(ctx, err)
		}
	}
}

// drain takes a connection and reads it until ctx ends.
func drain(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	c, err := l.Accept()
	if err != nil {
		return given(ctx, err)
	}
	defer c.Close()
	end := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer end()
	_, err = io.Copy(io.Discard, c)
	return given(ctx, err)
}

// given is an error, unless it is because the end was asked for.
func given(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pace is how fast something comes: between the first arrival after the lead-in and the
// last, so that it does not matter when it is looked at.
type pace struct {
	begun, from, to time.Time
	bytes           int64
	reads, least    int
}

func (p *pace) take(now time.Time, n int64) {
	switch {
	case n <= 0:
	case p.begun.IsZero():
		p.begun = now
	case now.Sub(p.begun) < leadIn:
	case p.from.IsZero():
		p.from = now
	default:
		p.to, p.bytes, p.reads = now, p.bytes+n, p.reads+1
	}
}

func (p *pace) enough() bool {
	if p.from.IsZero() {
		return false
	}
	took := p.to.Sub(p.from)
	return took >= calibrateFor && p.reads >= p.least || took >= calibrateMost
}

// rate is in bytes per second; 0: too little came to say.
func (p *pace) rate() float64 {
	if took := p.to.Sub(p.from); p.reads > 0 && took > 0 {
		return float64(p.bytes) / took.Seconds()
	}
	return 0
}
