package node

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/peer"
	"tandem/internal/transfer"
)

// Times of a session.
const (
	reportEvery = 5 * time.Second  // while bytes come in
	pollTime    = 55 * time.Second // afterwards: the server answers when something changes
	leaveTime   = 100 * time.Millisecond
	firstRetry  = 500 * time.Millisecond
	mostRetry   = 15 * time.Second
	refusedWait = time.Minute           // until asking again what was refused
	eagerWait   = 20 * time.Millisecond // after news; longer each time that answers come at once
	heldFor     = 200 * time.Millisecond
	renewedBy   = 10 * time.Minute // a capability that lasts longer by this is written down
)

// session is an item's membership in the swarm of a server's share: it reports, learns of other nodes, and keeps
// the permission to take part alive. It survives the server.
type session struct {
	n      *Node
	at     *place
	via    transfer.Via
	hash   content.Hash // of the content; what the server has instead is not ours
	guard  *guard       // nil: a public share
	memory memory
	until  time.Time // a promise to keep; zero: none
	full   string    // kept with the identity
	poke   chan struct{}

	mu      sync.Mutex // guards the fields below
	it      *Item
	torrent *metainfo.Torrent
	known   chan struct{} // closed when torrent is known
	change  chan struct{} // closed and made anew after every answer and failure
	err     error         // of the last join
	joined  bool          // the server knows us
	seen    int64
	quick   int       // answers in a row that were not held
	asked   time.Time // since when the server holds our question; zero: it does not
	notice  string
	holders int
	upload  bool // the server lacks the content
	kept    time.Time
}

// newSession makes the session of an item that is to start.
func (n *Node) newSession(at *place, id *identity, src *Source, via transfer.Via) *session {
	s := &session{
		n: n, at: at, via: via, hash: id.InfoHash, guard: src.guard, memory: n.memory(at.key), full: id.Full,
		poke: make(chan struct{}, 1), known: make(chan struct{}), change: make(chan struct{}),
	}
	if id.torrent != nil {
		s.learn(id.torrent)
	}
	return s
}

// learn takes over the metadata, wherever it came from.
func (s *session) learn(t *metainfo.Torrent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torrent == nil && hashOf(t.Manifest) == s.hash {
		s.torrent = t
		close(s.known)
	}
}

// run takes part until ctx ends, beginning with an answer that is there already, or none. Then it leaves.
func (s *session) run(ctx context.Context, t *transfer.Transfer, first *api.SwarmAnswer) {
	defer s.at.c.Close()
	failures := 0
	for ctx.Err() == nil {
		began := s.n.clock()
		var again time.Duration
		var a api.SwarmAnswer
		var err error
		if first != nil {
			a, first = *first, nil
		} else {
			a, err = s.at.join(ctx, s.report(t))
		}
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			err = s.apply(t, a)
		}
		if err == nil {
			failures = 0
			again = s.pause(t, a, s.n.clock().Sub(began))
		} else {
			again = s.failed(t, err, failures)
			failures++
		}
		s.wait(ctx, again)
	}
	s.leave(ctx, t)
}

// wait returns after d, or when somebody pokes.
func (s *session) wait(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
	case <-s.poke:
	case <-ctx.Done():
	}
}

// report is what the server is told now, and asked for.
func (s *session) report(t *transfer.Transfer) api.SwarmJoin {
	st := t.Status()
	j := s.n.admission(s.at, s.via != transfer.ViaServer)
	s.mu.Lock()
	defer s.mu.Unlock()
	j.InfoHash = fmt.Sprintf("%x", s.hash)
	j.Torrent = s.torrent == nil && st.Torrent == nil
	j.Total, j.Have, j.Rate, j.Seen = st.Swarm.Total, st.Swarm.Bytes, st.Swarm.DownRate, s.seen
	j.Served = &api.Served{Server: st.FromOrigin, LAN: st.FromLAN, Peers: st.FromPeers - st.FromLAN}
	if !s.until.IsZero() {
		j.Keep = s.until.Unix()
	}
	s.asked = time.Time{}
	if s.joined {
		s.asked = time.Now()
		j.Wait = int(pollTime / time.Second)
		if !finished(t) {
			j.Wait = int(reportEvery / time.Second)
		}
	}
	return j
}

// pause is how long to wait after an answer that took so long to come: a server that holds the question until there is
// news is asked again at once.
func (s *session) pause(t *transfer.Transfer, a api.SwarmAnswer, took time.Duration) time.Duration {
	most := pollTime
	if !finished(t) {
		most = reportEvery
	}
	if next := time.Duration(a.Next) * time.Second; a.Next > 0 {
		most = min(most, next)
	}
	s.mu.Lock()
	news := a.State != s.seen
	s.seen = a.State
	s.joined = true
	defer s.mu.Unlock()
	switch {
	case took > heldFor:
		s.quick = 0
		return eagerWait
	case news:
		s.quick++
		return min(eagerWait<<min(s.quick, 10), most)
	}
	return most
}

func finished(t *transfer.Transfer) bool { return isClosed(t.Completed()) }

// apply takes over what the server says.
func (s *session) apply(t *transfer.Transfer, a api.SwarmAnswer) error {
	id, err := identityOf(a)
	if err != nil {
		return err
	}
	if id.InfoHash != s.hash {
		return fault.Errorf(fault.Precondition, "the server shares %x there by now", id.InfoHash[:4])
	}
	if s.guard != nil {
		if id.Server != s.guard.a.server {
			return fault.Errorf(fault.Refused, "there is another server by now, with the key %s", id.Server.Short())
		}
		s.documents(a)
	}
	if id.torrent != nil {
		s.learn(id.torrent)
	}
	s.mu.Lock()
	again := s.err != nil
	s.err, s.notice, s.holders, s.upload = nil, "", a.Holders, a.Upload
	if a.Upload && s.full == "" {
		s.notice = "it is still being uploaded to the server"
	}
	s.news()
	s.mu.Unlock()
	if again {
		s.n.log.Info("the server is back", "server", s.at.host())
	}
	t.UseSwarm(a.Swarm)
	t.SpareOrigin(a.Spare)
	if a.Swarm {
		s.n.mapPort()
	}
	if list := s.n.dialable(s.at, client.Addrs(a.Peers)); len(list) > 0 {
		t.AddPeers("server", list...)
	}
	if id.Audience == peer.Network && len(id.Capability) > 0 || id.Link != "" { // not the last word to who may not any more
		s.write(id)
	}
	return nil
}

// documents takes over the server's clock, our capability and what was taken back.
func (s *session) documents(a api.SwarmAnswer) {
	s.guard.a.tell(a.Time)
	if _, err := s.guard.accept(a.Capability); err != nil {
		s.n.log.Warn("the server's capability", "server", s.at.host(), "err", err)
	}
	for _, doc := range a.Denials {
		if _, err := s.guard.a.take(doc); err != nil {
			s.n.log.Warn("the server's denial", "server", s.at.host(), "err", err)
		}
	}
}

// write keeps what a restart without the server needs, when there is more of it than before.
func (s *session) write(id *identity) {
	out := *id
	s.mu.Lock()
	out.torrent, out.Full = s.torrent, s.full
	until := time.Unix(1, 0)
	if s.guard != nil {
		out.Capability, until = s.guard.Present(), s.guard.until()
	}
	more := s.kept.IsZero() || until.Sub(s.kept) > renewedBy
	s.kept = until
	s.mu.Unlock()
	if !more {
		return
	}
	if err := s.memory.keep(out); err != nil {
		s.n.log.Error("keep what a restart needs", "err", err)
	}
}

// failed is that the server could not be asked, or does not want us. It returns how long to wait.
func (s *session) failed(t *transfer.Transfer, err error, failures int) time.Duration {
	pause, text, swarm := s.verdict(err, failures)
	s.mu.Lock()
	if s.err == nil || fault.KindOf(s.err) != fault.KindOf(err) {
		s.n.log.Info("server", "server", s.at.host(), "err", err)
	}
	s.err, s.notice, s.seen, s.joined = err, text, 0, false
	s.news()
	s.mu.Unlock()
	if swarm {
		t.UseSwarm(true)
		t.SpareOrigin(false)
	}
	return pause
}

// verdict says what a failure means: how long to wait, what to tell people, and whether other nodes are all there is now.
func (s *session) verdict(err error, failures int) (pause time.Duration, text string, swarm bool) {
	p := problemOf(err)
	switch kind := fault.KindOf(err); {
	case p != nil && p.Status == http.StatusLocked || kind == fault.Busy:
		if p != nil && p.RetryAfter > 0 {
			return min(time.Duration(p.RetryAfter)*time.Second, mostRetry), "the server prepares it", false
		}
		return time.Second, "the server prepares it", false
	case kind == fault.Precondition || kind == fault.Changed:
		return refusedWait, "the server has a newer version; this one goes on as far as other nodes have it", true
	case kind == fault.Gone || kind == fault.NotFound && p != nil:
		return refusedWait, "the server shares it no more; this goes on as far as other nodes have it", true
	case kind == fault.Permission || kind == fault.Unauthenticated || kind == fault.Refused:
		return refusedWait, fmt.Sprintf("the server does not let us take part: %v", err), true
	}
	pause = min(firstRetry<<min(failures, 8), mostRetry)
	if s.guard != nil {
		if perr := s.guard.permission(); perr != nil {
			return pause, fmt.Sprintf("the server is away, and without it other nodes give nothing: %v", perr), true
		}
	}
	return pause, "the server is away; going on with other nodes until it is back", true
}

// news wakes those who wait for an answer. s.mu is held.
func (s *session) news() {
	close(s.change)
	s.change = make(chan struct{})
}

// leave tells the server that we are gone and what was taken, if it answers at once.
func (s *session) leave(ctx context.Context, t *transfer.Transfer) {
	s.mu.Lock()
	joined := s.joined
	s.mu.Unlock()
	if !joined {
		return
	}
	j := s.report(t)
	j.Leave, j.Wait, j.Torrent, j.Port, j.Addrs = true, 0, false, 0, nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if _, err := s.at.tree.Swarm(ctx, s.at.path, j); err != nil {
		s.n.log.Debug("leave", "server", s.at.host(), "err", err)
	}
}

// metadata waits for the server's answer about it.
func (s *session) metadata(ctx context.Context) (*metainfo.Torrent, error) {
	for {
		s.mu.Lock()
		t, change := s.torrent, s.change
		s.mu.Unlock()
		if t != nil {
			return t, nil
		}
		select {
		case <-change:
		case <-s.known:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Closed, ctx.Err())
		}
		s.mu.Lock()
		t, err := s.torrent, s.err
		s.mu.Unlock()
		if t == nil && err != nil {
			return nil, originFault(err)
		}
	}
}

// tell fills in what people see of it.
func (s *session) tell(out *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Via, out.Server, out.Notice, out.Holders, out.Until = string(s.via), s.at.host(), s.notice, s.holders, s.until
}
