package admit

import (
	"testing"
	"time"
)

// sends lets a stream of so many bytes per second go out for d, nodes 0 to n-1 reporting meanwhile.
func (d *desk) sends(perSecond float64, over time.Duration, n int) {
	id := d.browse(99, 1<<40)
	const step = 100 * time.Millisecond
	for t := time.Duration(0); t < over; t += step {
		bytes := int(perSecond * step.Seconds())
		d.Take(d.now, id, bytes)
		for _, g := range first(d.Grants(d.now)) {
			d.Sent(d.now, g.ID, g.Bytes)
		}
		d.pass(step)
		if t%(2*time.Second) == 0 {
			d.joins(n)
		}
	}
	d.Done(d.now, id, true)
}

func first[A, B any](a A, _ B) A { return a }

func TestModel(t *testing.T) {
	const uplink = 1 << 20
	for _, c := range []struct {
		name         string
		cfg          Config
		then         func(*desk)
		swarm, spare bool
	}{
		{"nobody is there", Config{}, func(*desk) {}, false, false},
		{"one takes", Config{}, func(d *desk) { d.joins(1) }, false, false},
		{"two take, and nobody knows the uplink", Config{}, func(d *desk) { d.joins(2) }, true, false},
		{"two take, and the server gives them all they can take", Config{Uplink: uplink}, func(d *desk) {
			d.joins(2)
			d.sends(0.5*uplink, 3*time.Second, 2)
		}, false, false},
		{"two take all there is", Config{Uplink: uplink}, func(d *desk) {
			d.joins(2)
			d.sends(0.9*uplink, 3*time.Second, 2)
			d.joins(2)
		}, true, false},
		{"the uplink was measured, and there is less to do now", Config{}, func(d *desk) {
			d.sends(0.9*uplink, 10*time.Second, 0)
			d.sends(0.2*uplink, 2*time.Second, 0)
			d.joins(2)
		}, false, false},
		{"the swarm took the load off", Config{Uplink: uplink}, func(d *desk) {
			d.joins(2)
			d.sends(0.95*uplink, 3*time.Second, 2)
			d.sends(0.1*uplink, 30*time.Second, 2)
		}, true, false},
		{"the crowd is gone", Config{Uplink: uplink}, func(d *desk) {
			d.joins(2)
			d.sends(0.95*uplink, 3*time.Second, 2)
			d.Leave(d.now, theShare, nodeID(1))
			d.sends(0.1*uplink, fewFor+time.Second, 1)
		}, false, false},
		{"the crowd has what it wanted", Config{}, func(d *desk) {
			d.joins(2)
			for range 6 {
				d.report(0, pieces*pieceLen)
				d.report(1, pieces*pieceLen)
				d.pass(fewFor / 5)
			}
		}, false, false},
		{"the budget binds, and somebody else is there", Config{Rate: 1000}, func(d *desk) {
			d.report(1, pieces*pieceLen)
			d.joins(1)
			for i := range 3 {
				d.browse(i, 1<<20)
			}
			d.pass(time.Second)
			d.joins(1)
		}, true, true},
		{"the rate binds, and there are only those who can help each other", Config{Rate: 1000}, func(d *desk) {
			d.joins(2)
			d.ask(0, 0, pieces-1)
			d.pass(time.Second)
			d.joins(2)
		}, true, false},
		{"the budget binds, and nobody could help", Config{Rate: 1000}, func(d *desk) {
			d.joins(1)
			for i := range 3 {
				d.browse(i, 1<<20)
			}
			d.pass(time.Second)
			d.joins(1)
		}, false, false},
		{"the copies are used up", Config{Copies: 1}, func(d *desk) {
			d.joins(2)
			d.gets(0, 0, pieces-1)
		}, true, true},
		{"the budget binds no longer since a moment", Config{Rate: 64 << 10}, func(d *desk) {
			d.report(1, pieces*pieceLen)
			d.joins(1)
			ids := []ID{d.browse(1, 1<<20), d.browse(2, 1<<20), d.browse(3, 1<<20), d.browse(4, 1<<20)}
			d.joins(1)
			for _, id := range ids {
				d.Done(d.now, id, false)
			}
			d.pass(calmFor - time.Second)
			d.report(0, 1)
		}, true, true},
		{"the month is used up", Config{Month: 1}, func(d *desk) {
			d.Spend(1)
			d.joins(2)
		}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, c.cfg)
			c.then(d)
			if swarm, spare := d.Model(d.now, theShare); swarm != c.swarm || spare != c.spare {
				t.Errorf("swarm %v, spare %v", swarm, spare)
			}
		})
	}
}

// Each change of a model is reported once.
func TestChangesAreTold(t *testing.T) {
	d := newDesk(t, Config{})
	d.joins(1)
	if d.Changed(theShare) {
		t.Error("a share that is new has changed")
	}
	d.joins(2)
	if !d.Changed(theShare) || d.Changed(theShare) || d.Tick(d.now) != nil {
		t.Error("it is a swarm now; not told once")
	}
	d.Leave(d.now, theShare, nodeID(1))
	for range 3 {
		d.pass(fewFor / 2)
		d.report(0, 0)
		d.Model(d.now, theShare)
	}
	if got := d.Tick(d.now); len(got) != 1 || got[0] != theShare {
		t.Errorf("it is none any more; told %v", got)
	}
}
