package origin

import (
	"context"
	"encoding/hex"
	"fmt"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/policy"
)

// AuditEntries returns entries behind after, in order; limit is cut to 1,000, 0: 200.
func (s *Server) AuditEntries(ctx context.Context, c Caller, after int64, f catalog.AuditFilter, limit int) (list []catalog.Entry, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.may(tx, c, policy.ReadAudit, catalog.Collection{}); err != nil {
			return err
		}
		list, err = tx.Audit.Entries(max(0, after), f, page(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return list, nil
}

// VerifyAudit reads the whole log and says whether each entry follows from the one before, up to the head
// as it was at the start. Each page is a View of its own, so that it holds up nobody.
func (s *Server) VerifyAudit(ctx context.Context, c Caller) (AuditReport, error) {
	var end int64
	var head content.Hash
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.may(tx, c, policy.ReadAudit, catalog.Collection{}); err != nil {
			return err
		}
		end, head, err = tx.Audit.Head()
		return err
	})
	if err != nil {
		return AuditReport{}, fmt.Errorf("verify audit: %w", err)
	}
	var chain chain
	for chain.report.Broken == 0 && chain.report.Entries < end {
		var list []catalog.Entry
		err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
			list, err = tx.Audit.Entries(chain.report.Entries, catalog.AuditFilter{}, mostPage)
			return err
		})
		if err != nil {
			return AuditReport{}, fmt.Errorf("verify audit: %w", err)
		}
		if len(list) == 0 { // the head names more than there is
			chain.report.Broken = chain.report.Entries + 1
		}
		for _, e := range list {
			if e.Seq > end || !chain.add(e) {
				break
			}
		}
	}
	if chain.report.Broken == 0 && chain.last != head {
		chain.report.Broken = max(1, end)
	}
	chain.report.Head = hex.EncodeToString(chain.last[:])
	return chain.report, nil
}

// chain checks entries one after the other.
type chain struct {
	report AuditReport
	last   content.Hash
}

// add says whether e follows. The first that does not is Broken, and nothing behind it can be trusted.
func (c *chain) add(e catalog.Entry) bool {
	next := c.report.Entries + 1
	if e.Seq != next || e.Chain(c.last) != e.Hash {
		c.report.Broken = next
		return false
	}
	c.report.Entries, c.last = next, e.Hash
	return true
}
