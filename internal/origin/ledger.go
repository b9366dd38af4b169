package origin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

const (
	bookEvery    = time.Second         // how often the ledger is written down
	bookMost     = 20_000              // lines between two times
	bookTogether = 500                 // in one Update
	ledgerKeeps  = 30 * 24 * time.Hour // how long transfers have lines of their own
	ledgerMost   = 1000                // lines shown
)

// LedgerLine is who gave how much: of a share, to an account, or in one transfer.
type LedgerLine struct {
	Name     string       // of the file, or of the user
	InfoHash content.Hash // of a share or transfer
	Node     peer.ID      // of a transfer
	User     string       // of a transfer: empty for links
	Served   Served
	Updated  time.Time
}

// Ledger returns the newest lines of the ledger by "share", "user" or "transfer": an admin sees all,
// others what they or who came by their links took.
func (s *Server) Ledger(ctx context.Context, c Caller, by string) ([]LedgerLine, error) {
	sum := catalog.LedgerBy(by)
	switch sum {
	case catalog.ByShare, catalog.ByUser, catalog.ByTransfer:
	default:
		return nil, fault.Errorf(fault.Invalid, "ledger: by %q is none of share, user and transfer", plain(by, 20))
	}
	var out []LedgerLine
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		out = nil
		of, err := s.own(tx, c)
		if err != nil {
			return err
		}
		lines, err := tx.Ledger.Sums(sum, of, ledgerMost)
		if err != nil {
			return err
		}
		who := authors{}
		for _, l := range lines {
			user, err := who.of(tx, l.User)
			if err != nil {
				return err
			}
			line := LedgerLine{Name: l.Name, InfoHash: l.Share, Node: l.Node, User: user, Served: Served(l.Served), Updated: l.Updated}
			if sum == catalog.ByUser {
				if line.Name, line.User = user, ""; l.User == 0 {
					line.Name = "by links"
				}
			}
			out = append(out, line)
		}
		return nil
	})
	return out, err
}

// own returns whose things c may see of what belongs to accounts: its own, or 0, everybody's.
func (s *Server) own(tx *catalog.Tx, c Caller) (catalog.UserID, error) {
	if err := notByLink(c); err != nil {
		return 0, err
	}
	err := s.may(tx, c, policy.UseAccount, catalog.Collection{})
	if errors.Is(err, fault.Unauthenticated) {
		return 0, err
	}
	if s.may(tx, c, policy.Operate, catalog.Collection{}) == nil {
		return 0, nil
	}
	return c.User.ID, nil
}

// books is the ledger's part that is not written down yet.
type books struct {
	mu      sync.Mutex // guards the fields below
	sent    map[bookKey]*catalog.LedgerLine
	said    map[bookKey]*catalog.LedgerLine
	charges map[charge]int64
	written time.Time
}

type bookKey struct {
	share content.Hash
	node  peer.ID
	user  catalog.UserID
	link  catalog.LinkID
}

// charge is a node's download of a limited link.
type charge struct {
	link catalog.LinkID
	node peer.ID
}

// Sent counts n bytes of content that this server sent to node as part of a share; both are zero for browsers and
// other clients. It does not wait.
func (s *Server) Sent(c Caller, share content.Hash, node peer.ID, n int64) {
	if n <= 0 {
		return
	}
	key := bookKey{user: c.User.ID}
	if c.Link != nil {
		key = bookKey{link: c.Link.ID}
	}
	name := ""
	d := &s.swarm
	d.mu.Lock()
	if sw := d.swarms[s.CrowdOf(c, share)]; sw != nil && sw.members[node] != nil { // anybody can say who and what
		key.share, key.node, name = share, node, sw.name
	}
	d.mu.Unlock()
	b := &d.books
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.Link != nil && c.Link.MaxDownloads > 0 && !node.IsZero() && len(b.charges) < bookMost {
		if b.charges == nil {
			b.charges = make(map[charge]int64)
		}
		b.charges[charge{c.Link.ID, node}] += n
	}
	if len(b.sent) >= bookMost {
		key.share, key.node, name = content.Hash{}, peer.ID{}, ""
	}
	b.add(&b.sent, key, name, catalog.Served{Server: n}, s.now())
}

// add adds to a line.
func (b *books) add(lines *map[bookKey]*catalog.LedgerLine, key bookKey, name string, more catalog.Served, now time.Time) {
	if *lines == nil {
		*lines = make(map[bookKey]*catalog.LedgerLine)
	}
	l := (*lines)[key]
	if l == nil {
		l = &catalog.LedgerLine{Share: key.share, Node: key.node, User: key.user, Link: key.link, Name: name}
		(*lines)[key] = l
	}
	l.Served.Server += more.Server
	l.Served.LAN += more.LAN
	l.Served.Peers += more.Peers
	l.Updated = now
}

// report takes what a node says that it has had from others. It cannot be seen from here, and nobody needs
// more than everything twice.
func (s *Server) report(j *joining, sh *shared, r SwarmRequest) {
	if r.Served == nil {
		return
	}
	most := 2 * sh.total
	lan := min(max(0, r.Served.LAN), most)
	said := catalog.Served{LAN: lan, Peers: min(max(0, r.Served.Peers), most-lan)}
	key := bookKey{share: sh.hash, node: r.Node, user: j.c.User.ID}
	if j.link {
		key.user, key.link = 0, j.c.Link.ID
	}
	b := &s.swarm.books
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.said[key] == nil && len(b.said) >= bookMost {
		return
	}
	delete(b.said, key)
	b.add(&b.said, key, sh.name, said, s.now())
}

// keepBooks writes the ledger down, when it is time to or now.
func (s *Server) keepBooks(ctx context.Context, now bool) error {
	b := &s.swarm.books
	b.mu.Lock()
	age := s.now().Sub(b.written)
	if !now && age >= 0 && age < bookEvery {
		b.mu.Unlock()
		return nil
	}
	sent, said, charges := b.sent, b.said, b.charges
	b.sent, b.said, b.charges, b.written = nil, nil, nil, s.now()
	b.mu.Unlock()
	list := make([]booking, 0, len(sent)+len(said)+len(charges))
	for _, l := range sent {
		list = append(list, booking{line: *l})
	}
	for _, l := range said {
		list = append(list, booking{line: *l, said: true})
	}
	for c, n := range charges {
		list = append(list, booking{charge: c, bytes: n})
	}
	for len(list) > 0 {
		part := list[:min(len(list), bookTogether)]
		err := s.progress(ctx, func(tx *catalog.Tx) error {
			for i := range part {
				if err := part[i].write(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.restore(list)
			return fmt.Errorf("ledger is written down later: %w", err)
		}
		list = list[len(part):]
	}
	return nil
}

// booking is one line to write down: what was sent, what a node said, or what a download is charged.
type booking struct {
	line   catalog.LedgerLine
	said   bool
	charge charge
	bytes  int64
}

func (b *booking) write(tx *catalog.Tx) error {
	switch {
	case b.bytes > 0:
		return tx.Links.ChargeDownload(b.charge.link, downloadOf(b.charge.node), b.bytes)
	case b.said:
		return tx.Ledger.ReportServed(b.line)
	}
	return tx.Ledger.CountServed(b.line)
}

// restore puts back what could not be written.
func (b *books) restore(list []booking) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range list {
		key := bookKey{e.line.Share, e.line.Node, e.line.User, e.line.Link}
		switch {
		case e.bytes > 0:
			if b.charges == nil {
				b.charges = make(map[charge]int64)
			}
			b.charges[e.charge] += e.bytes
		case !e.said:
			b.add(&b.sent, key, e.line.Name, e.line.Served, e.line.Updated)
		case b.said[key] == nil: // else it has said more since
			b.add(&b.said, key, e.line.Name, e.line.Served, e.line.Updated)
		}
	}
}
