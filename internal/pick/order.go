package pick

// place puts piece at slot i of order.
func (p *Picker) place(i, piece int32) {
	p.order[i] = piece
	p.pos[piece] = i
}

// insert adds an open piece to its weight's run by moving one element of every
// run above it.
func (p *Picker) insert(piece int32) {
	k := int(p.weight[piece])
	if p.count[piece] > 0 {
		p.found++
	}
	p.grow(k)
	p.order = append(p.order, piece)
	hole := int32(len(p.order) - 1)
	top := len(p.start) - 1
	p.start[top]++
	for j := top - 1; j > k; j-- {
		first := p.start[j]
		if first != hole {
			p.place(hole, p.order[first])
		}
		hole = first
		p.start[j]++
	}
	p.place(hole, piece)
}

// remove is the reverse of insert.
func (p *Picker) remove(piece int32) {
	hole := p.pos[piece]
	p.pos[piece] = -1
	if p.count[piece] > 0 {
		p.found--
	}
	for j := int(p.weight[piece]) + 1; j < len(p.start); j++ {
		p.start[j]--
		if last := p.start[j]; last != hole {
			p.place(hole, p.order[last])
			hole = last
		}
	}
	p.order = p.order[:len(p.order)-1]
}

// grow makes room for runs up to weight k. start[len-1] is len(order).
func (p *Picker) grow(k int) {
	for len(p.start) < k+2 {
		p.start = append(p.start, int32(len(p.order)))
	}
}

// increase notes that one peer more announced piece.
func (p *Picker) increase(piece int) {
	if p.count[piece]++; p.count[piece] == 1 && p.pos[piece] >= 0 {
		p.found++
	}
	p.heavier(piece)
}

func (p *Picker) decrease(piece int) {
	if p.count[piece]--; p.count[piece] == 0 && p.pos[piece] >= 0 {
		p.found--
	}
	p.lighter(piece)
}

func (p *Picker) heavier(piece int) {
	k := int(p.weight[piece])
	p.weight[piece]++
	if i := p.pos[piece]; i >= 0 {
		p.grow(k + 1)
		p.start[k+1]--
		p.swap(i, p.start[k+1])
	}
}

func (p *Picker) lighter(piece int) {
	k := int(p.weight[piece])
	p.weight[piece]--
	if i := p.pos[piece]; i >= 0 {
		p.swap(i, p.start[k])
		p.start[k]++
	}
}

func (p *Picker) swap(i, j int32) {
	a, b := p.order[i], p.order[j]
	p.place(i, b)
	p.place(j, a)
}
