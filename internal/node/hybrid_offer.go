package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/peer"
)

const (
	offerEvery = 30 * time.Second // the server is told that we are there
	offerEnd   = time.Second      // for taking an offer back
	maxKept    = 4096             // shares of one offer
)

// Offer offers room to a server and keeps what it asks for, each share as an item of
// its own, until stopped. Errors are what the server says to the first offer.
func (n *Node) Offer(ctx context.Context, o OfferOptions, w Watch) (*Item, error) {
	return n.offer(ctx, o, w, false)
}

// offer is Offer; a server that is away is no error to one that stood before.
func (n *Node) offer(ctx context.Context, o OfferOptions, w Watch, stood bool) (*Item, error) {
	if o.Space <= 0 {
		return nil, fault.Errorf(fault.Invalid, "offer: no room is offered")
	}
	c, err := n.dialServer(o.Server)
	if err != nil {
		return nil, fmt.Errorf("offer: %w", err)
	}
	k := &keeper{n: n, o: o, w: w, c: c, items: map[string]*keeping{}}
	sum := sha256.Sum256([]byte("tandem/v1 offer\x00" + c.URL()))
	k.dir = filepath.Join(o.Dir, fmt.Sprintf("tandem-kept-%x", sum[:4]))
	it, err := n.newItem(KindOffer, c.URL(), o.Dir, &Source{Audience: peer.Network, Keys: []content.SHA1{content.SHA1(sum[:20])}})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("offer: %w", err)
	}
	it.record = record{Offer: &o}
	it.mu.Lock()
	it.offer, it.server = &OfferStatus{Space: o.Space, State: "offered"}, (&place{c: c}).host()
	it.mu.Unlock()
	k.it = it
	first, err := c.SetKeeper(ctx, k.offered(o.Space))
	if err != nil && (!stood || !away(err)) {
		it.abandon(err)
		n.forget(it)
		c.Close()
		return nil, fmt.Errorf("offer room to %s: %w", c.URL(), err)
	}
	if err := n.remember(it, nil); err != nil {
		it.abandon(err)
		n.forget(it)
		c.Close()
		return nil, err
	}
	n.wait.Go(func() { k.run(it.ctx, first, err) })
	return it, nil
}

// keeper is a running offer.
type keeper struct {
	n     *Node
	o     OfferOptions
	w     Watch
	c     *client.Client
	it    *Item
	dir   string              // holds nothing but what is kept for that server
	items map[string]*keeping // by info-hash
}

// keeping is one share that is kept.
type keeping struct {
	it   *Item
	size int64
}

func (k *keeper) offered(space int64) api.Keeper {
	return api.Keeper{Node: k.n.ID().String(), Space: space, Used: k.used()}
}

func (k *keeper) used() (sum int64) {
	for _, i := range k.items {
		sum += i.size
	}
	return sum
}

func (k *keeper) run(ctx context.Context, a api.Keeper, err error) {
	defer k.c.Close()
	again := time.NewTicker(offerEvery)
	defer again.Stop()
	for {
		if err == nil {
			k.settle(ctx, a.Keep)
		}
		k.tell(err)
		select {
		case <-again.C:
		case <-ctx.Done():
			k.end(ctx)
			k.it.finishOffer()
			return
		}
		a, err = k.once(ctx, k.o.Space)
	}
}

func (k *keeper) once(ctx context.Context, space int64) (api.Keeper, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return k.c.SetKeeper(ctx, k.offered(space))
}

// tell says how the offer stands.
func (k *keeper) tell(err error) {
	state := OfferStatus{Space: k.o.Space, Used: k.used(), Kept: len(k.items), State: "offered"}
	switch {
	case err != nil && away(err):
		state.State = "unreachable"
	case err != nil:
		state.State = "refused"
	}
	k.it.mu.Lock()
	defer k.it.mu.Unlock()
	if err != nil && k.it.offer.State != state.State {
		k.n.log.Warn("offer of room", "server", k.c.URL(), "err", err)
	}
	k.it.offer = &state
}

// settle keeps what the server asks for, within what was offered, and nothing else.
func (k *keeper) settle(ctx context.Context, list []api.Kept) {
	asked := map[string]bool{}
	for _, s := range list[:min(len(list), maxKept)] {
		if _, err := readHash(s.InfoHash); err == nil && s.Size >= 0 {
			asked[s.InfoHash] = true
		}
	}
	for hash, i := range k.items {
		ended := isClosed(i.it.Done())
		if asked[hash] && !ended {
			continue
		}
		i.it.Stop()
		select {
		case <-i.it.Done():
		case <-ctx.Done():
			return
		}
		delete(k.items, hash)
	}
	if err := k.clear(asked); err != nil {
		k.n.log.Error("remove what is kept no more", "err", err)
	}
	for _, s := range list {
		if !asked[s.InfoHash] || k.items[s.InfoHash] != nil || k.used()+s.Size > k.o.Space {
			continue
		}
		if err := k.keep(ctx, s); err != nil && ctx.Err() == nil {
			k.n.log.Warn("keep", "infohash", s.InfoHash, "err", err)
		}
	}
}

// keep begins to keep one share.
func (k *keeper) keep(ctx context.Context, s api.Kept) error {
	url := s.URL
	if strings.HasPrefix(url, "/") {
		url = k.c.URL() + url
	}
	server, _, ok := client.SplitLink(url)
	if !ok || server != k.c.URL() {
		return fault.Errorf(fault.Protocol, "the server names a link of another one")
	}
	dir := filepath.Join(k.dir, s.InfoHash[:16])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fileFault(err)
	}
	it, err := k.n.get(ctx, KindKeep, GetOptions{
		Common: k.o.Common, Source: url, Dir: dir, KeepSeeding: Forever, Server: &Account{CA: k.o.Server.CA},
	}, record{}, k.w)
	if err != nil {
		return err
	}
	k.items[s.InfoHash] = &keeping{it, s.Size}
	return nil
}

// keptName is what the folder of one share is called.
var keptName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// clear removes what lies in our folder and was not asked for.
func (k *keeper) clear(asked map[string]bool) error {
	root, err := os.OpenRoot(k.dir)
	if err != nil {
		if errors.Is(fileFault(err), fault.NotFound) {
			return nil
		}
		return fileFault(err)
	}
	defer root.Close()
	d, err := root.Open(".")
	if err != nil {
		return fileFault(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fileFault(err)
	}
	stay := map[string]bool{}
	for hash := range asked {
		stay[hash[:16]] = true
	}
	var all error
	for _, name := range names {
		if keptName.MatchString(name) && !stay[name] {
			all = errors.Join(all, root.RemoveAll(name))
		}
	}
	return all
}

// end takes the offer back, unless it is to be taken up after a restart.
func (k *keeper) end(ctx context.Context) {
	for _, i := range k.items {
		i.it.halt()
	}
	if k.n.ctx.Err() != nil && k.n.cfg.Persist {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), offerEnd)
	defer cancel()
	clear(k.items)
	if _, err := k.once(ctx, 0); err != nil {
		k.n.log.Debug("take an offer back", "err", err)
	}
}

// finishOffer ends the item of an offer.
func (it *Item) finishOffer() {
	it.mu.Lock()
	last, err := it.last, it.why
	it.mu.Unlock()
	it.finish(last, err)
}
