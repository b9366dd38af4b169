package transfer

import (
	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/swarm"
	"tandem/internal/wire"
)

// handle carries out one event.
func (t *Transfer) handle(e *event) {
	switch e.kind {
	case evMessage:
		t.message(e)
	case evGone:
		if !e.c.gone {
			t.drop(e.c, fault.KindOf(e.err), reason(e.err))
		}
	case evSent:
		if !e.c.gone {
			e.c.sentTo += int64(e.n)
			t.figures.uploaded.Add(int64(e.n))
		}
	case evLeft:
		if !e.c.gone {
			t.sw.Sent(t.now, e.c.id, e.n)
		}
	case evUnread:
		t.unread(*e)
	case evDialed:
		t.dialed(e.body.(dialed))
	case evIncoming:
		t.incoming.Add(-1)
		in := e.body.(incoming)
		t.attach(in.nc, in.hs, nil)
	case evFound:
		t.found(e.body.(discover.Found), e.n)
	case evPeers:
		p := e.body.(named)
		for _, a := range p.addrs {
			if e := t.book.add(a, p.source, false); e != nil {
				e.next = t.now
			}
		}
	case evStatus:
		e.body.(chan Status) <- t.snapshot()
	default:
		t.handleWork(e)
	}
}

// handleWork carries out the reports of workers.
func (t *Transfer) handleWork(e *event) {
	switch e.kind {
	case evPrepared:
		t.prepared(e.body.(prepared))
	case evWriteError:
		t.fail(fault.Errorf(fault.KindOf(e.err), "write: %w", e.err))
	case evFull:
		t.full(true, e.err)
	case evRoom:
		t.full(false, nil)
	case evVerified:
		t.verified(e.piece, e.err)
	case evChecked:
		root, _ := e.body.(content.Hash)
		t.checked(e.piece, root, e.err)
	case evAnswer:
		t.answer(e)
	case evFinished:
		t.finished(e.err)
	default:
		t.handleHybrid(e)
	}
}

// handleHybrid carries out what origins and the node's word on them bring.
func (t *Transfer) handleHybrid(e *event) {
	switch e.kind {
	case evStreamed:
		t.streamed(e.body.(*stretch), e.block)
	case evStretch:
		t.stretchEnded(e.body.(*stretch), e.err)
	case evTorrent:
		t.originTold(e.body.(originTorrent))
	case evUseSwarm:
		t.useSwarm(e.body.(bool))
	case evSpareOrigin:
		t.spareOrigins(e.body.(bool))
	case evOrigins:
		t.setOrigins(e.body.([]Origin))
	case evSpread:
		t.spread(e.body.([]byte))
	}
}

// reason is the text of why a connection ended.
func reason(err error) string {
	if err == nil {
		return "closed"
	}
	return err.Error()
}

// post queues a control message for c; flush sends it.
func (t *Transfer) post(c *conn, m *wire.Message) {
	if c.gone {
		return
	}
	c.ctl = wire.AppendMessage(c.ctl, m)
	t.touch(c)
}

func (t *Transfer) touch(c *conn) {
	if !c.dirty {
		c.dirty = true
		t.dirty = append(t.dirty, c)
	}
}

// reject tells c that b will not come (BEP 6).
func (t *Transfer) reject(c *conn, b swarm.Block) {
	t.post(c, &wire.Message{ID: wire.Reject, Index: uint32(b.Piece), Begin: uint32(b.Begin), Length: uint32(b.Length)})
}

// flush hands the messages of this turn to the writers.
func (t *Transfer) flush() {
	for i := 0; i < len(t.dirty); i++ { // drop may add more
		c := t.dirty[i]
		c.dirty = false
		if c.gone {
			continue
		}
		ok := c.out.add(c.ctl, c.serve)
		c.ctl, c.serve = c.ctl[:0], c.serve[:0]
		if cap(c.ctl) > 64<<10 {
			c.ctl = nil
		}
		if !ok {
			t.drop(c, fault.Timeout, "does not read what we send")
			t.act()
		}
	}
	t.dirty = t.dirty[:0]
	for _, o := range t.origins {
		if len(o.pending) > 0 {
			t.ask(o)
		}
	}
}

// act carries out what the swarm decided, until there is nothing left: dropping
// a connection may decide more.
func (t *Transfer) act() {
	if t.sw == nil {
		return
	}
	for {
		t.acts = t.sw.Actions(t.acts[:0])
		if len(t.acts) == 0 {
			return
		}
		for i := range t.acts {
			t.carryOut(&t.acts[i])
		}
	}
}

// carryOut does one thing the swarm decided.
func (t *Transfer) carryOut(a *swarm.Action) {
	switch a.Kind {
	case swarm.Verify:
		t.disk.put(t.arrived(a.Block.Piece))
		return
	case swarm.Complete:
		t.finish()
		return
	case swarm.JudgeBlocks:
		t.judge(a.Conn, a.Block.Piece)
		return
	}
	c := t.byID[a.Conn]
	if c == nil {
		t.carryOutOrigin(a)
		return
	}
	if c.gone {
		return
	}
	b := wire.Message{Index: uint32(a.Block.Piece), Begin: uint32(a.Block.Begin), Length: uint32(a.Block.Length)}
	switch a.Kind {
	case swarm.Announce:
		t.announce(c, a)
		return
	case swarm.Serve:
		c.serve = append(c.serve, a.Block)
		t.touch(c)
		return
	case swarm.Drop:
		t.drop(c, a.Reason, a.Text)
		return
	case swarm.Ban:
		t.ban(c, a.Reason, a.Text)
		return
	case swarm.SendFetching, swarm.SendFetched:
		t.notice(c, a.Block.Piece, a.Kind == swarm.SendFetching)
		return
	case swarm.SendHave:
		// It goes with the next message or the next tick: alone it would cost
		// a packet, and its acknowledgement, for nine bytes.
		b.ID = wire.Have
		c.ctl = wire.AppendMessage(c.ctl, &b)
		return
	case swarm.SendChoke:
		b.ID = wire.Choke
	case swarm.SendUnchoke:
		b.ID = wire.Unchoke
	case swarm.SendInterest:
		b.ID = wire.Interested
	case swarm.SendNoInterest:
		b.ID = wire.NotInterested
	case swarm.SendRequest:
		b.ID = wire.Request
	case swarm.SendCancel:
		b.ID = wire.Cancel
	case swarm.SendReject:
		b.ID = wire.Reject
	default:
		return
	}
	t.post(c, &b)
}

// announce sends what we have as the first message of a connection. To a peer
// that was told "none" before the metadata was known, pieces are announced one
// by one.
func (t *Transfer) announce(c *conn, a *swarm.Action) {
	have := a.Have
	switch {
	case c.told:
		for i := have.Next(0); i >= 0; i = have.Next(i + 1) {
			t.post(c, &wire.Message{ID: wire.Have, Index: uint32(i)})
		}
	case c.fast() && have.Full():
		t.post(c, &wire.Message{ID: wire.HaveAll})
	case c.fast() && have.Count() == 0:
		t.post(c, &wire.Message{ID: wire.HaveNone})
	case have.Count() > 0:
		t.post(c, &wire.Message{ID: wire.Bitfield, Payload: have.Bytes()})
	}
}
