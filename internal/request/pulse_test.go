package request_test

import (
	"testing"
	"time"

	"tandem/internal/request"
)

// A peer that serves its queue twice a second, as transmission does, is asked
// for more until its link is full, and for not much more than that.
func TestAPeerThatAnswersInPulsesIsAskedForMore(t *testing.T) {
	const pulse, link = 500 * time.Millisecond, 2.5e6 // bytes per second
	var rate request.Rate
	var p request.Pulse
	now, waiting, out, got := time.Duration(0), time.Duration(0), request.MinDepth, 0
	rate.Start(0)
	for beat := 1; beat <= 40; beat++ {
		now = time.Duration(beat) * pulse
		carries := int(link * pulse.Seconds() / block)
		for range min(out, carries) {
			now += time.Duration(block / link * 1e9 / 2)
			rate.Add(now, block)
			p.Answered(now-waiting, out)
			waiting, out, got = now, out-1, got+1
			out = max(out, request.Depth(rate.Get(now), time.Millisecond+p.Slack(), 512))
		}
	}
	if r := rate.Get(now); r < 0.85*link {
		t.Errorf("after 20 s it delivers %.0f bytes/s of %.0f, %d requests outstanding", r, link, out)
	}
	if most := float64(2 * link / block); float64(out) > most {
		t.Errorf("%d requests outstanding, more than two seconds", out)
	}
}

func TestSlack(t *testing.T) {
	const ms = time.Millisecond
	answered := func(gap time.Duration, outstanding, burst int) func(*request.Pulse) {
		return func(p *request.Pulse) {
			for i := range burst {
				p.Answered(gap, outstanding-i)
				gap = ms
			}
		}
	}
	for _, c := range []struct {
		name string
		do   []func(*request.Pulse)
		want time.Duration
	}{
		{"nothing seen", nil, 250 * ms},
		{"a whole queue after half a second, once", []func(*request.Pulse){answered(500*ms, 8, 8)}, 250 * ms},
		{"the same twice", []func(*request.Pulse){answered(500*ms, 8, 8), answered(500*ms, 8, 8)}, 750 * ms},
		{"and not twice in a row", []func(*request.Pulse){answered(500*ms, 8, 8), answered(500*ms, 8, 7), answered(500*ms, 8, 8)}, 250 * ms},
		{"part of a queue: it was long enough", []func(*request.Pulse){answered(500*ms, 8, 7), answered(500*ms, 8, 7)}, 250 * ms},
		{"a steady stream, its queue gone through", []func(*request.Pulse){answered(60*ms, 8, 8), answered(60*ms, 8, 8)}, 250 * ms},
		{"a slow stream, block by block", []func(*request.Pulse){answered(300*ms, 4, 1), answered(300*ms, 4, 1), answered(300*ms, 4, 1)}, 250 * ms},
		{"the one block that was asked for", []func(*request.Pulse){answered(800*ms, 1, 1), answered(800*ms, 1, 1)}, 250 * ms},
		{"a minute of silence is no rhythm", []func(*request.Pulse){answered(time.Minute, 8, 8), answered(time.Minute, 8, 8)}, 3000 * ms},
		{"a long silence is forgotten by shorter ones", []func(*request.Pulse){answered(time.Second, 8, 8), answered(time.Second, 8, 8), answered(200*ms, 8, 8)}, 1350 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p request.Pulse
			for _, do := range c.do {
				do(&p)
			}
			if got := p.Slack(); got != c.want {
				t.Errorf("slack %v, want %v", got, c.want)
			}
		})
	}
}
