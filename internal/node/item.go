package node

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/transfer"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// whyTime bounds looking for the reason that nobody answers.
const whyTime = 3 * time.Second

// Item is one share or transfer of a node.
type Item struct {
	id       string
	kind     string
	path     string // what is served, or the folder fetched into
	audience peer.Audience
	keys     []content.SHA1
	secret   transport.Secret
	started  time.Time
	node     *Node
	record   record // what a restart needs

	guard   *guard    // of a server's share; nil: none is needed
	session *session  // with the server; nil: there is none
	until   time.Time // of a promise to keep; zero: none

	ctx    context.Context // ends the item
	cancel context.CancelFunc
	ready  chan struct{} // closed when metadata is known
	full   chan struct{} // closed when every wanted byte is in place
	done   chan struct{} // closed when nothing of it runs any more

	mu    sync.Mutex         // guards the fields below
	named []transport.Target // nodes the source or the user named
	name  string
	link  string
	t     *transfer.Transfer // nil while it is prepared
	last  transfer.Status    // final, once done
	err   error              // why it ended; nil after an orderly stop
	why   error              // why we ended it; nil: somebody asked for it

	upload *UploadStatus // of a share to a server
	offer  *OfferStatus  // of an offer of room
	server string        // its host
}

// newItem makes an item that is known to the node, so that nothing else takes
// its keys, and does not run yet.
func (n *Node) newItem(kind, name, path string, src *Source) (*Item, error) {
	it := &Item{
		id: itemID(src.Keys), kind: kind, name: name, path: path,
		audience: src.Audience, keys: src.Keys, secret: src.secret, guard: src.guard, started: time.Now(), node: n,
		ready: make(chan struct{}), full: make(chan struct{}), done: make(chan struct{}),
	}
	it.ctx, it.cancel = context.WithCancel(n.ctx)
	if err := n.ctx.Err(); err != nil {
		it.cancel()
		return nil, fault.Errorf(fault.Closed, "the node is stopping")
	}
	if err := n.reg.add(it); err != nil {
		it.cancel()
		return nil, err
	}
	return it, nil
}

// itemID names an item by its swarm key, so that a restart gives the same name.
func itemID(keys []content.SHA1) string { return hex.EncodeToString(keys[0][:4]) }

// plan is what an item runs with.
type plan struct {
	torrent  *metainfo.Torrent // nil: from peers
	want     content.Hash
	link     string
	trackers [][]string
	peers    []transport.Target
	open     func(*metainfo.Torrent) (store.Pieces, error)
	pick     func(*content.Manifest) []bool
	save     func(*metainfo.Torrent) error
	release  func() // when it has ended; may be nil
	common   Common
	keep     time.Duration // after completion

	session  *session         // nil: no server shares it
	first    *api.SwarmAnswer // the server's, when it was asked before
	via      transfer.Via
	complete bool                                      // all is there: the server is no source of it
	done     func(keep time.Duration)                  // at completion; may be nil
	beside   func(context.Context, *transfer.Transfer) // runs while the transfer does; may be nil
}

// start runs it by p, in the background until Done.
func (it *Item) start(p plan) error {
	finders, mine, err := it.node.finders(it.ctx, p)
	if err != nil {
		return err
	}
	n := it.node
	cfg := transfer.Config{
		Audience: it.audience, Keys: it.keys, Secret: it.secret, Want: p.want,
		Torrent: p.torrent, PeerID: newPeerID(), Port: n.Addr().Port(),
		Network: n.net, Encryption: n.cfg.Encryption, Finders: finders, Peers: p.peers,
		Open: p.open, Select: p.pick, SaveTorrent: p.save,
		Up: limiters(n.up, p.common.Up), Down: limiters(n.down, p.common.Down),
		DHTPort: n.dhtPort(), OnDHTNode: n.addDHTNode,
		Busy: newBusy(), Log: n.log.With("item", it.id), Seed: rand.Uint64(),
	}
	if it.guard != nil {
		cfg.Guard, cfg.OnDocument = it.guard, it.guard.overheard
	}
	if p.session != nil {
		cfg.Via, cfg.Near = p.via, n.near
		if p.via != transfer.ViaPeers && !p.complete {
			cfg.Origins = []transfer.Origin{&source{p.session}}
		}
	}
	t, err := transfer.New(cfg)
	if err != nil {
		closeAll(mine)
		return err
	}
	if p.session != nil {
		p.session.mu.Lock()
		p.session.it = it
		p.session.mu.Unlock()
	}
	it.mu.Lock()
	it.t, it.link, it.named, it.session = t, p.link, p.peers, p.session
	it.mu.Unlock()
	go it.run(t, p, mine)
	return nil
}

// run ends when the transfer does; then the item is done.
func (it *Item) run(t *transfer.Transfer, p plan, mine []discover.Finder) {
	var watching sync.WaitGroup
	ctx, cancel := context.WithCancel(it.ctx)
	if !it.until.IsZero() {
		over := time.AfterFunc(it.until.Sub(it.node.clock()), it.Stop)
		defer over.Stop()
	}
	watching.Go(func() { it.watch(ctx, t, p) })
	if it.guard != nil {
		watching.Go(func() { it.heed(ctx, t) })
	}
	if p.session != nil {
		watching.Go(func() { p.session.run(ctx, t, p.first) })
	}
	if p.beside != nil {
		watching.Go(func() { p.beside(ctx, t) })
	}
	err := t.Run(ctx)
	cancel()
	watching.Wait()
	closeAll(mine)
	if p.release != nil {
		p.release()
	}
	if it.ctx.Err() != nil { // we were asked to end, whatever that broke
		it.mu.Lock()
		err = it.why
		it.mu.Unlock()
	}
	it.finish(t.Status(), err)
}

// watch closes ready and full in time, and stops the item when it has served
// for long enough.
func (it *Item) watch(ctx context.Context, t *transfer.Transfer, p plan) {
	select {
	case <-t.Ready():
		close(it.ready)
	case <-ctx.Done():
		return
	}
	select {
	case <-t.Completed():
		close(it.full)
	case <-ctx.Done():
		return
	}
	if p.done != nil {
		p.done(p.keep)
	}
	if p.keep == Forever {
		return
	}
	over := time.NewTimer(p.keep)
	defer over.Stop()
	select {
	case <-over.C:
		it.Stop()
	case <-ctx.Done():
	}
}

// fail ends it because of err.
func (it *Item) fail(err error) {
	it.mu.Lock()
	if it.why == nil {
		it.why = err
	}
	it.mu.Unlock()
	it.cancel()
}

func (it *Item) finish(last transfer.Status, err error) {
	it.guard.end()
	it.mu.Lock()
	it.last, it.err = last, err
	if t := it.t; t != nil && it.name == "" {
		it.name = last.Name
	}
	it.mu.Unlock()
	// A stopped item leaves the registry, a failed one stays to be looked at.
	if err == nil || !it.node.cfg.Persist {
		it.node.reg.remove(it)
	}
	it.cancel()
	close(it.done)
}

// abandon ends an item that could not start.
func (it *Item) abandon(err error) { it.finish(transfer.Status{}, err) }

// admit hands an incoming connection over; false when nothing runs that could
// take it.
func (it *Item) admit(c transport.Conn, hs wire.Handshake) bool {
	it.mu.Lock()
	t := it.t
	it.mu.Unlock()
	if t == nil {
		return false
	}
	t.AddConn(c, hs)
	return true
}

// ID returns the short name of it, eight hexadecimal digits.
func (it *Item) ID() string { return it.id }

// Ready is closed when the metadata is known.
func (it *Item) Ready() <-chan struct{} { return it.ready }

// Completed is closed when every wanted byte is verified and in place.
func (it *Item) Completed() <-chan struct{} { return it.full }

// Done is closed when nothing of it runs any more.
func (it *Item) Done() <-chan struct{} { return it.done }

// Err returns why it ended, nil after an orderly stop or before Done.
func (it *Item) Err() error {
	it.mu.Lock()
	defer it.mu.Unlock()
	return it.err
}

// Why says what keeps it from its sources: it dials the nodes that were named and
// returns the most telling failure, ErrNoSources when there is none.
func (it *Item) Why(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, whyTime)
	defer cancel()
	it.mu.Lock()
	named := it.named[:min(len(it.named), 4)]
	it.mu.Unlock()
	why := error(ErrNoSources)
	for _, to := range named {
		c, err := it.node.net.Dial(ctx, to)
		switch {
		case err == nil:
			_ = c.Close()
		case fault.KindOf(err) == fault.Refused:
			return err
		case why == error(ErrNoSources):
			why = err
		}
	}
	return why
}

// Stop asks it to end and the node to forget it; Done tells when it has.
func (it *Item) Stop() {
	it.halt()
	it.node.forget(it)
}

// halt ends it, and a node that persists takes it up again after a restart.
func (it *Item) halt() { it.cancel() }

func limiters(node *rate.Limiter, own int64) []*rate.Limiter {
	var list []*rate.Limiter
	for _, l := range []*rate.Limiter{node, limiter(own)} {
		if l != nil {
			list = append(list, l)
		}
	}
	return list
}

// newPeerID returns a fresh BitTorrent peer ID. Each item has its own, so that
// two shares of one node are not linked by it.
func newPeerID() [20]byte {
	var id [20]byte
	copy(id[:], peerIDPrefix)
	for i := len(peerIDPrefix); i < len(id); i++ {
		id[i] = byte(rand.Uint32())
	}
	return id
}

func closeAll(finders []discover.Finder) {
	for _, f := range finders {
		_ = f.Close()
	}
}
