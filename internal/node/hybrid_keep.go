package node

import (
	"context"
	"fmt"
	"time"

	"tandem/internal/fault"
)

// Keep fetches o.Source and serves it until o.Until, and tells the server of that
// promise. A node that persists keeps it over restarts. Errors are those of Get, and
// fault.Invalid for a time that has passed.
func (n *Node) Keep(ctx context.Context, o KeepOptions, w Watch) (*Item, error) {
	if !o.Until.After(n.clock()) {
		return nil, fault.Errorf(fault.Invalid, "keep: %s is in the past", o.Until.Format(time.RFC3339))
	}
	it, err := n.get(ctx, KindKeep, GetOptions{
		Common: o.Common, Source: o.Source, Dir: o.Dir, KeepSeeding: Forever,
		Password: o.Password, Server: o.Server, Until: o.Until,
	}, record{Keep: &o}, w)
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	return it, nil
}
