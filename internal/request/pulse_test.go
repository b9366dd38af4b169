package request_test

import (
	"testing"
	"time"

	"tandem/internal/request"
)

// A peer that serves its queue twice a second, as transmission does, is asked
// for more until its link is full, and for not much more than that.
func TestAPeerThatAnswersInPulsesIsAskedForMore(t *testing.T) {
	const pulse, link = 500 * time.Millisecond, 12.5e6 // bytes per second
	var rate request.Rate
	var p request.Pulse
	now, waiting, out := time.Duration(0), time.Duration(0), request.MinDepth
	rate.Start(0)
	for beat := 1; beat <= 24; beat++ {
		now = max(now, time.Duration(beat)*pulse)
		carries := int(link * pulse.Seconds() / block)
		for range min(out, carries) {
			now += time.Duration(block / link * 1e9)
			rate.Add(now, block)
			p.Answered(now, now-waiting, out)
			waiting, out = now, out-1
			out = max(out, request.Depth(rate.Get(now), time.Millisecond+p.Slack(), 2000))
		}
	}
	if r := rate.Get(now); r < 0.85*link {
		t.Errorf("after 12 s it delivers %.0f bytes/s of %.0f, %d requests outstanding", r, link, out)
	}
	if most := 1.5 * link / block; float64(out) > most {
		t.Errorf("%d requests outstanding, more than one and a half seconds", out)
	}
}

func TestSlack(t *testing.T) {
	const ms = time.Millisecond
	type burst struct {
		gap         time.Duration
		outstanding int
		blocks      int // a millisecond apart
	}
	half, slow := burst{500 * ms, 8, 8}, burst{300 * ms, 4, 1}
	for _, c := range []struct {
		name string
		saw  []burst
		want time.Duration
	}{
		{"nothing seen", nil, 250 * ms},
		{"a whole queue after half a second, once", []burst{half}, 250 * ms},
		{"the same twice: twice the time from one to the other", []burst{half, half}, 1014 * ms},
		{"the time the burst takes is part of it", []burst{{300 * ms, 200, 200}, {300 * ms, 200, 200}}, 998 * ms},
		{"and not twice in a row", []burst{half, {500 * ms, 8, 7}, half}, 250 * ms},
		{"part of a queue: it was long enough", []burst{{500 * ms, 8, 7}, {500 * ms, 8, 7}}, 250 * ms},
		{"a steady stream, its queue gone through", []burst{{60 * ms, 8, 8}, {60 * ms, 8, 8}}, 250 * ms},
		{"a slow stream, block by block", []burst{slow, slow, slow}, 250 * ms},
		{"the one block that was asked for", []burst{{800 * ms, 1, 1}, {800 * ms, 1, 1}}, 250 * ms},
		{"a minute of silence is no rhythm", []burst{{time.Minute, 8, 8}, {time.Minute, 8, 8}}, 4000 * ms},
		{"a long silence is forgotten by shorter ones", []burst{{993 * ms, 8, 8}, {993 * ms, 8, 8}, {193 * ms, 8, 8}}, 1800 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p request.Pulse
			now := time.Duration(0)
			for _, b := range c.saw {
				gap := b.gap
				for i := range b.blocks {
					now += gap
					p.Answered(now, gap, b.outstanding-i)
					gap = ms
				}
			}
			if got := p.Slack(); got != c.want {
				t.Errorf("slack %v, want %v", got, c.want)
			}
		})
	}
}
