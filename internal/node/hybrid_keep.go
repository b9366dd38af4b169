package node

import (
	"context"

	"tandem/internal/fault"
)

// Keep fetches o.Source and serves it until o.Until, and tells the server of that
// promise. A node that persists keeps it over restarts. Errors are those of Get.
func (n *Node) Keep(ctx context.Context, o KeepOptions, w Watch) (*Item, error) {
	return nil, fault.Errorf(fault.Other, "keep is not made yet")
}

// Offer offers room to a server and keeps what it asks for, until stopped. Errors are
// what the server says to the first offer.
func (n *Node) Offer(ctx context.Context, o OfferOptions, w Watch) (*Item, error) {
	return nil, fault.Errorf(fault.Other, "offer is not made yet")
}
