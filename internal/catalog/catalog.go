// Package catalog keeps what a server knows: accounts, collections, the tree of
// names, contents, links, uploads, quotas and the audit log. The bytes are
// elsewhere (store.Blobs).
//
// The drivers are sqlite and postgres; the suite that both pass is catalogtest.
package catalog

import (
	"context"
	"io"

	"tandem/internal/fault"
)

// ErrDoubt is in the chain of a fault.Unreachable when the connection was lost in a
// commit and the database did not say in time whether it was made. What must not be
// done twice must then not be tried again.
var ErrDoubt = fault.Errorf(fault.Unreachable, "catalog: the connection was lost in a commit; whether it was made is not known")

// Catalog runs functions in transactions.
//
// Errors are of kind fault.NotFound, fault.Exists, fault.Busy (somebody else
// took over, or is removing it; try again), fault.Quota, fault.Gone,
// fault.Invalid, fault.Unreachable (the database does not answer: nothing was
// changed, and the same call may be made again, unless ErrDoubt is in the chain),
// fault.Full or fault.Other.
type Catalog interface {
	// View runs f on one consistent state. Views run side by side with each
	// other and with an Update.
	View(ctx context.Context, f func(*Tx) error) error

	// Update runs f alone: no two Updates overlap, over all instances. When f
	// returns an error nothing of it remains. Updates that wait at the same
	// time share one commit, so f must be quick, must not wait for anything but the
	// database, and must not be surprised to run again after a lost commit: it sets
	// what it captures, it never adds to it. When Update returns nil the change
	// is durable.
	Update(ctx context.Context, f func(*Tx) error) error

	// Changed returns a number that grows whenever any instance has committed an Update, as seen
	// now; cheap enough to ask once a second.
	Changed(ctx context.Context) (int64, error)

	// Probe says whether the database answers and accepts writes.
	Probe(ctx context.Context) error

	// Dump writes everything as one consistent state, while the server runs; Load
	// reads it into an empty catalog (fault.Exists otherwise). The form is the
	// same for every driver, versioned, one JSON object a line, the last line holding the
	// SHA-256 of those before.
	Dump(ctx context.Context, w io.Writer) error
	Load(ctx context.Context, r io.Reader) error

	// Check looks for what never may be (counters against sums, nodes without
	// parents, a broken audit chain) and returns a sentence for each finding.
	Check(ctx context.Context) ([]string, error)

	Close() error
}

// Tx is a transaction's roles. They are valid until the function returns.
type Tx struct {
	Accounts    Accounts
	Sessions    Sessions
	Attempts    Attempts
	Collections Collections
	Tree        Tree
	Contents    Contents
	Uploads     Uploads
	Quotas      Quotas
	Links       Links
	Audit       Audit
	Settings    Settings

	Layers       Layers
	Capabilities Capabilities
	Ledger       Ledger
	Keepers      Keepers
}

// Settings are single values by name.
type Settings interface {
	Get(key string) (string, error) // fault.NotFound
	Set(key, value string) error    // an empty value removes
}
