package sim

import "tandem/internal/lab"

// bytes returns what all receivers have got.
func (v *server) bytes() float64 {
	sum := v.base
	for _, o := range v.origins {
		if o != nil {
			o.advance(v.t)
			sum += o.moved
		}
	}
	return sum
}

// share returns the part of what all want that they have.
func (v *server) share() float64 { return v.bytes() / float64(v.size*float64(v.p.len())) }

// killAt returns at how many bytes the next kill takes place.
func (v *server) killAt() float64 {
	return float64(v.kills[v.killed].At * float64(v.size*float64(v.p.len())))
}

func (v *server) kill(k lab.Kill) {
	v.killed++
	if k.Who == "origin" {
		v.killOrigins(max(part(k.Share, len(v.origins)), 1))
	} else {
		v.killPeers(k)
	}
	v.m.killed(v.t, func(yield func(int32) bool) {
		for i := range v.clients {
			if c := &v.clients[i]; (c.state == taking || c.state == dialing) && !yield(int32(i)) {
				return
			}
		}
	})
	for i := range v.clients { // who is served as before need not recover
		if v.clients[i].state == taking {
			v.m.resumes(int32(i), v.t)
		}
	}
}

// killOrigins kills n of the origins that are alive.
func (v *server) killOrigins(n int) {
	for k, o := range v.origins {
		if o == nil || n == 0 {
			continue
		}
		n--
		o.advance(v.t)
		v.orphan(int16(k))
		v.base += o.moved
		v.origins[k] = nil
	}
}

// orphan has those whom origin k serves look for another.
func (v *server) orphan(k int16) {
	for i := range v.clients {
		if c := &v.clients[i]; c.state == taking && c.origin == k {
			v.part(int32(i))
			c.state = dialing
			v.after(int64(redial), int32(i), dials)
		}
	}
}

// killPeers kills a share of the receivers that are there.
func (v *server) killPeers(k lab.Kill) {
	var there []int32
	for i := range v.clients {
		if s := v.clients[i].state; s == taking || s == dialing {
			there = append(there, int32(i))
		}
	}
	for _, i := range victims(there, k.Share, v.p.seed, v.killed) {
		v.part(i)
		c := &v.clients[i]
		c.state = over
		v.base -= v.size - c.lacks
		c.lacks = v.size
		v.lose(i)
	}
}

// look takes a sample of how many copies there are.
func (v *server) look() {
	whole, sum := 0, int64(0)
	for i := range v.clients {
		c := &v.clients[i]
		lacks := c.lacks
		if c.state == taking {
			lacks = v.origins[c.origin].lacks(int32(i), v.p.down[i])
		}
		if lacks < nearly {
			whole++
			sum += int64(v.m.pieces)
			continue
		}
		sum += int64(v.size-lacks+nearly) / v.piece
	}
	v.m.copiesAre(v.t, whole, float64(sum)/float64(v.m.pieces))
}
