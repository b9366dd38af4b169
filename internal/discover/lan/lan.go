// Package lan finds peers on the local network by multicast.
//
// Source: BEP 14. Differs: besides the announce every five minutes a swarm is
// announced again one minute after its start, and sooner, within a bound, when
// a newcomer is heard.
package lan

import (
	"context"
	"crypto/rand"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	announceEvery = 5 * time.Minute
	announceLeast = time.Minute      // between announces of one key
	answerLeast   = 10 * time.Second // between answers to newcomers, for one key
	roundLeast    = time.Second      // between rounds; what is due within it goes together
	feedSize      = 256
	maxSeen       = 512 // newcomers remembered for one key
)

// Options of a LAN. The zero value is good.
type Options struct {
	Log *slog.Logger // nil: none
}

// LAN announces swarms on the local network. It is a discover.Finder. All
// Joins share its sockets.
type LAN struct {
	o        Options
	cookie   string
	pace     time.Duration // roundLeast, shorter in tests
	listen   func(ctx context.Context, group string) (conn, error)
	throttle discover.Throttle
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	poke     chan struct{} // something is due earlier

	mu      sync.Mutex // guards the fields below
	running bool
	closed  bool
	keys    map[content.SHA1]*entry
	err     error
}

// entry is one key announced or listened for.
type entry struct {
	joins    map[*joined]struct{}
	due      time.Time // of the next announce
	last     time.Time // announce of any reason
	answered time.Time // newcomer
	rounds   int
	seen     map[netip.AddrPort]struct{}
}

// joined is one Join in progress.
type joined struct {
	port uint16
	feed chan discover.Found
}

// New returns a LAN that is silent until the first Join.
func New(o Options) *LAN {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &LAN{
		o:      o,
		cookie: rand.Text(),
		pace:   roundLeast,
		listen: listen,
		poke:   make(chan struct{}, 1),
		keys:   make(map[content.SHA1]*entry),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Join implements discover.Finder.
func (l *LAN) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] {
	return func(yield func(discover.Found) bool) {
		j := &joined{port: s.Port, feed: make(chan discover.Found, feedSize)}
		if !l.enter(s.Key, j) {
			return
		}
		defer l.leave(s.Key, j)
		wake := s.Wake
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.ctx.Done():
				return
			case f := <-j.feed:
				if ctx.Err() != nil || !yield(f) {
					return
				}
			case _, ok := <-wake:
				if !ok {
					wake = nil
					continue
				}
				l.hasten(s.Key)
			}
		}
	}
}

// enter adds a Join, and starts the loop with the first one.
func (l *LAN) enter(key content.SHA1, j *joined) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	e := l.keys[key]
	if e == nil {
		e = &entry{joins: make(map[*joined]struct{}), seen: make(map[netip.AddrPort]struct{}), due: time.Now()}
		l.keys[key] = e
	}
	e.joins[j] = struct{}{}
	if !l.running {
		l.running = true
		l.wg.Go(l.run)
	}
	l.poked()
	return true
}

func (l *LAN) leave(key content.SHA1, j *joined) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.keys[key]
	delete(e.joins, j)
	if len(e.joins) == 0 {
		delete(l.keys, key)
	}
}

// hasten brings the next announce of key forward, as far as it may be.
func (l *LAN) hasten(key content.SHA1) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.keys[key]; e != nil {
		e.soon(e.last.Add(announceLeast))
		l.poked()
	}
}

func (e *entry) soon(t time.Time) {
	if t.Before(e.due) {
		e.due = t
	}
}

func (l *LAN) poked() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// run announces what is due until the LAN is closed. It opens the groups, and
// tries those that failed again with every round.
func (l *LAN) run() {
	conns := make(map[string]conn)
	var readers sync.WaitGroup
	defer func() {
		for _, c := range conns {
			c.Close()
		}
		readers.Wait()
	}()
	var last time.Time
	for {
		t := time.NewTimer(time.Until(l.nextRound(last)))
		select {
		case <-l.ctx.Done():
			t.Stop()
			return
		case <-l.poke:
			t.Stop()
			continue
		case <-t.C:
		}
		last = time.Now()
		for _, group := range []string{group4, group6} {
			if conns[group] != nil {
				continue
			}
			c, err := l.listen(l.ctx, group)
			if err != nil {
				l.setErr(err)
				continue
			}
			conns[group] = c
			readers.Go(func() { l.read(c) })
		}
		l.round(conns, last)
	}
}

// nextRound returns when the next announce is due, not within a second of the
// last round.
func (l *LAN) nextRound(last time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := time.Now().Add(announceEvery)
	for _, e := range l.keys {
		if e.due.Before(next) {
			next = e.due
		}
	}
	if least := last.Add(l.pace); next.Before(least) {
		return least
	}
	return next
}

// round sends what is due at now, keys of one port together.
func (l *LAN) round(conns map[string]conn, now time.Time) {
	byPort := l.takeDue(now)
	sent := len(byPort) == 0
	var last error
	for port, keys := range byPort {
		for len(keys) > 0 {
			n := min(len(keys), maxKeys)
			a := announce{port: port, keys: keys[:n], cookie: l.cookie}
			keys = keys[n:]
			for group, c := range conns {
				if err := c.Send(a.appendTo(nil, group)); err != nil {
					last = err
					continue
				}
				sent = true
			}
		}
	}
	switch {
	case sent && len(conns) > 0:
		l.setErr(nil)
	case last != nil:
		l.setErr(last)
	}
}

// takeDue returns the keys to announce now and plans their next turn.
func (l *LAN) takeDue(now time.Time) map[uint16][]content.SHA1 {
	l.mu.Lock()
	defer l.mu.Unlock()
	byPort := make(map[uint16][]content.SHA1)
	for key, e := range l.keys {
		if e.due.After(now) {
			continue
		}
		e.last = now
		e.due = now.Add(announceEvery)
		if e.rounds++; e.rounds == 1 {
			e.due = now.Add(announceLeast)
		}
		ports := make(map[uint16]bool)
		for j := range e.joins {
			if j.port != 0 && !ports[j.port] {
				ports[j.port] = true
				byPort[j.port] = append(byPort[j.port], key)
			}
		}
	}
	return byPort
}

// read takes in what others announce until the LAN is closed.
func (l *LAN) read(c conn) {
	buf := make([]byte, maxPacket+1)
	for {
		n, from, err := c.Read(buf)
		if l.ctx.Err() != nil {
			return
		}
		if err != nil {
			t := time.NewTimer(100 * time.Millisecond) // some systems report a lost datagram here
			select {
			case <-t.C:
			case <-l.ctx.Done():
				t.Stop()
				return
			}
			continue
		}
		ip := from.Addr().Unmap()
		if !l.throttle.Allow(ip, time.Now()) {
			continue
		}
		a, err := parseAnnounce(buf[:n])
		if err != nil || a.cookie == l.cookie {
			continue
		}
		global := discover.IsGlobal(ip)
		if global && !c.Near(ip) {
			continue // multicast from outside the local network
		}
		addr := netip.AddrPortFrom(ip, a.port)
		if discover.MayDial(addr, global) {
			l.heard(a.keys, discover.Found{Addr: addr, Source: "lan", Global: global})
		}
	}
}

// heard hands f to the Joins of keys, and answers a newcomer.
func (l *LAN) heard(keys []content.SHA1, f discover.Found) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, key := range keys {
		e := l.keys[key]
		if e == nil {
			continue
		}
		for j := range e.joins {
			select {
			case j.feed <- f:
			default: // it is announced again in five minutes
			}
		}
		if _, known := e.seen[f.Addr]; known || len(e.seen) >= maxSeen {
			continue
		}
		e.seen[f.Addr] = struct{}{}
		if now.Sub(e.answered) >= answerLeast {
			e.answered = now
			e.soon(now)
			l.poked()
		}
	}
}

// Name implements discover.Finder.
func (l *LAN) Name() string { return "lan" }

// Err implements discover.Finder. It is of kind fault.Unreachable when the
// machine cannot multicast.
func (l *LAN) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *LAN) setErr(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		err = fault.Errorf(fault.KindOf(err), "announce on the local network: %w", err)
	}
	l.err = err
}

// Close implements discover.Finder.
func (l *LAN) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.wg.Wait()
	return nil
}
