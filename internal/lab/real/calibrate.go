package real

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	"tandem/internal/lab"
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

// wireShare is the share of shaped Ethernet that TCP's content can use.
const wireShare = lab.DefaultPayload

// calibrate measures whether links give what they should, before anything else uses them.
func (x *stage) calibrate(ctx context.Context) error {
	if x.ground.how() == UserSpace {
		return x.calibrateLimits(ctx)
	}
	s := &x.run.Scenario
	probe, err := x.ground.probe(ctx)
	if err != nil {
		return err
	}
	type flow struct {
		name     string
		from, to seat
		rate     units.Rate
		ratio    float64
		err      error
	}
	flows := []flow{{name: "the origin's uplink", from: x.origin.seat, to: probe, rate: s.Origin.Up}}
	if down := s.Receivers[0].Down; down > 0 {
		flows = append(flows, flow{name: "a receiver's downlink", from: probe, to: x.nodes[0].seat, rate: down})
	}
	done := make(chan struct{})
	for i := range flows {
		go func() {
			f := &flows[i]
			var got float64
			got, f.err = carried(ctx, f.from, f.to, f.rate)
			f.ratio = got / (float64(f.rate) * wireShare)
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

// carried returns how many bytes a second one TCP flow carries over a link of that rate.
func carried(ctx context.Context, from, to seat, rate units.Rate) (float64, error) {
	l, err := to.accept()
	if err != nil {
		return 0, err
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	sent := make(chan error, 1)
	go func() {
		err := flood(from, l.Addr().String(), window(rate))
		if err != nil {
			_ = l.Close()
		}
		sent <- err
	}()
	c, err := l.Accept()
	if err != nil {
		_ = l.Close()
		return 0, errors.Join(<-sent, err)
	}
	_ = c.SetDeadline(time.Now().Add(calibrateMost + 5*time.Second))
	got, err := measure(ctx, c)
	_ = c.Close()
	<-sent // it ends because nobody reads any more
	return got, err
}

// window is how much of a flow may be on its way: more than the shaper lets through at
// once, and less than its queue of 50 ms holds, so that nothing is lost. What is lost holds
// up what came after it, which would then be counted when it is read, not when it came.
func window(rate units.Rate) int { return max(int(rate)/50, 16<<10) }

// flood sends until nobody reads. What is on its way then is thrown away, so that it does
// not stand in the way of what is measured next.
func flood(from seat, addr string, window int) error {
	c, err := from.dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(calibrateMost + 5*time.Second))
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.SetWriteBuffer(window)
	}
	block := make([]byte, 32<<10)
	for {
		if _, err := c.Write(block); err != nil {
			return nil
		}
	}
}

// measure returns how many bytes a second come from r.
func measure(ctx context.Context, r io.Reader) (float64, error) {
	m, buf := pace{least: leastReads}, make([]byte, 64<<10)
	for !m.enough() {
		n, err := r.Read(buf)
		m.take(time.Now(), int64(n))
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return m.rate(), nil
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
