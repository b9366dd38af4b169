package origin

import (
	"context"
	"errors"
	"strconv"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// saveMonthEvery is how often what was sent is added to the month's bytes.
const saveMonthEvery = 10 * time.Second

// monthly is the count of a month's bytes, of which all instances keep the sum in the catalog.
type monthly struct {
	name string // "2026-11"
	base int64  // of what the origin has spent, the part that is in the catalog
}

func monthOf(now time.Time) string { return now.UTC().Format("2006-01") }

func monthKey(name string) string { return "sent/" + name }

// saveMonth adds what was sent since the last time to the month's bytes, and learns what other instances
// sent. What cannot be written is added the next time. With the month the count begins anew.
func (g *Gate) saveMonth(ctx context.Context) {
	if g.budget.Month <= 0 {
		return
	}
	g.mu.Lock()
	this := monthOf(g.now())
	name := g.month.name
	if name == "" {
		name = this
	}
	spent := g.origin.Spent()
	total := g.month.base
	delta := spent - total
	g.mu.Unlock()
	var err error
	if delta == 0 {
		err = g.s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
			total, err = readMonth(tx, name)
			return err
		})
	} else {
		err = g.s.progress(ctx, func(tx *catalog.Tx) error {
			before, err := readMonth(tx, name)
			if err != nil {
				return err
			}
			total = before + delta
			return tx.Settings.Set(monthKey(name), strconv.FormatInt(total, 10))
		})
	}
	if err != nil {
		if ctx.Err() == nil {
			g.log.Warn("bytes sent this month are counted later", "err", err)
		}
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	more := g.origin.Spent() - spent
	g.month = monthly{name: name, base: total}
	if name != this {
		g.month = monthly{name: this}
		total = 0
	}
	g.origin.Spend(total + more)
	g.pump()
}

func readMonth(tx *catalog.Tx, name string) (int64, error) {
	text, err := tx.Settings.Get(monthKey(name))
	if errors.Is(err, fault.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.Errorf(fault.Corrupt, "bytes sent in %s: %q is no number", name, text)
	}
	return n, nil
}
