package catalog

import (
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/peer"
)

// Layers remembers piece layers (BEP 52), so that metadata is made without
// reading content again. They go with their content.
type Layers interface {
	// Layer returns the hashes of a layer, one behind the other; fault.NotFound.
	Layer(root content.Hash, pieceLength int64) ([]byte, error)
	// SetLayer keeps a layer of content that the catalog knows; fault.NotFound.
	SetLayer(root content.Hash, pieceLength int64, layer []byte) error
}

// Source is what capabilities were issued from: a link, or an account that was
// signed in by one session or token and reads one collection. A denied source stays so:
// what is allowed again comes from a new one.
type Source struct {
	ID         capability.Source // random
	Link       LinkID            // 0: an account's
	User       UserID
	Session    int64
	Token      int64
	Collection CollectionID // 0: a link's
	Terms      content.Hash // of the link's password and of whether it binds to nodes, as they were
	Created    time.Time
	NotAfter   time.Time // nothing that came from it is valid later; read only
	Denied     time.Time // zero: not; read only
	Denial     []byte    // the signed document; read only
}

// Capabilities is what nodes were allowed, until nothing of it can be valid.
type Capabilities interface {
	// Source finds the newest source that is not denied and agrees in Link, User, Session, Token, Collection
	// and Terms; fault.NotFound.
	Source(Source) (Source, error)
	AddSource(Source) error
	// Sources returns sources that are not denied and from which something is valid at now, IDs behind after.
	Sources(now time.Time, after capability.Source, limit int) ([]Source, error)
	// Issue records that node (zero: whoever holds the ticket) may take part in a share until notAfter, by a source.
	Issue(from capability.Source, share content.Hash, node peer.ID, notAfter time.Time) error
	// Issued returns until when node was last allowed; fault.NotFound.
	Issued(from capability.Source, share content.Hash, node peer.ID) (time.Time, error)
	// SourcesOf returns the sources, denied or not, by which node was allowed to take part in a share, and from which
	// something is valid at now.
	SourcesOf(share content.Hash, node peer.ID, now time.Time, limit int) ([]Source, error)
	// Deny keeps the denial of a source; one that is denied already stays as it is.
	Deny(from capability.Source, at time.Time, denial []byte) error
	// Denials returns the denials that concern a share and are still of use at now, the newest first.
	Denials(share content.Hash, now time.Time, limit int) ([][]byte, error)
	// DeniedShares returns how many denials concern which share at now.
	DeniedShares(now time.Time) (map[content.Hash]int, error)
	// SweepCapabilities forgets what cannot be valid any more.
	SweepCapabilities(now time.Time) error
}

// Served is bytes of content by who gave them.
type Served struct{ Server, LAN, Peers int64 }

// LedgerLine is what one node, or all who are not known by their node, took of a share.
type LedgerLine struct {
	Share   content.Hash // zero: content that was not asked for as a share's
	Node    peer.ID      // zero: browsers and other clients
	User    UserID       // 0: came by a link
	Link    LinkID       // 0: by an account
	Name    string       // of the file or folder
	Served  Served
	Updated time.Time
}

// LedgerBy is what Ledger.Sums adds up by.
type LedgerBy string

// The sums. A line has only the fields it was added up by.
const (
	ByShare    LedgerBy = "share"
	ByUser     LedgerBy = "user"
	ByTransfer LedgerBy = "transfer" // share and node
)

// Ledger is who gave how much to whom.
type Ledger interface {
	// CountServed adds line.Served.
	CountServed(line LedgerLine) error
	// ReportServed takes what a node says that it has had of a share from LAN and peers so far. Less than it
	// said before is a new transfer.
	ReportServed(line LedgerLine) error
	// Sums adds lines up, the newest first. With a user, its own lines and those of links it made; 0: all.
	Sums(by LedgerBy, of UserID, limit int) ([]LedgerLine, error)
	// LinkServed adds up the lines of a link.
	LinkServed(LinkID) (Served, error)
	// SweepLedger adds lines from before together, for each share and user, so that there are fewer.
	SweepLedger(before time.Time) error
}

// Keeper is a node that offers room for copies.
type Keeper struct {
	Node    peer.ID
	User    UserID
	Space   int64 // bytes
	Used    int64 // bytes of what it is asked to keep; read only
	Created time.Time
	Seen    time.Time
}

// Kept is a share that a node is asked to keep.
type Kept struct {
	Node  peer.ID
	Link  LinkID
	Share content.Hash
	Size  int64
	Since time.Time
}

// Keepers is offers of room, and what is kept there.
type Keepers interface {
	// SetKeeper makes or renews an offer; without Space it is taken back, with all it keeps.
	// fault.Exists when the node is another account's.
	SetKeeper(Keeper) error
	Keeper(peer.ID) (Keeper, error)
	Keepers(limit int) ([]Keeper, error) // by node
	Keep(Kept) error                     // replaces by (Node, Link)
	Unkeep(peer.ID, LinkID) error
	KeptBy(peer.ID) ([]Kept, error) // by link
	KeptOf(LinkID) ([]Kept, error)  // by node
}
