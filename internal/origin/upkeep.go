package origin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// Settings of the catalog by which processes that look after the content keep out
// of each other's way. Times are microseconds since 1970.
const (
	backupUntil = "backup/until" // TIME: Sweep leaves content alone until then
	sweepLease  = "sweep/lease"  // OWNER TIME: who alone removes content until then
)

// leaseFor is how long both are good for; they are renewed after a third of it.
const leaseFor = 10 * time.Minute

// Damage is content that is not what it should be.
type Damage struct {
	Root  content.Hash
	Size  int64
	Paths []string // files that have it
}

// setting reads a setting; an absent one is empty.
func setting(tx *catalog.Tx, key string) (string, error) {
	v, err := tx.Settings.Get(key)
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	return v, err
}

// settingTime reads a time that a setting ends with; what is no time is long ago.
func settingTime(value string) time.Time {
	n, err := strconv.ParseInt(value[strings.LastIndexByte(value, ' ')+1:], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

// hold keeps Sweep off the content while a backup runs.
type hold struct {
	cat catalog.Catalog
	now func() time.Time

	mu    sync.Mutex // guards the fields below
	set   string     // what stands in the catalog, as far as we know
	until time.Time
}

// keep renews the hold when it is time to.
func (h *hold) keep(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if h.until.Sub(now) > leaseFor*2/3 {
		return nil
	}
	until := now.Add(leaseFor)
	var set string
	err := h.cat.Update(ctx, func(tx *catalog.Tx) error {
		there, err := setting(tx, backupUntil)
		if err != nil {
			return err
		}
		if set = there; settingTime(there).After(until) { // of another backup
			return nil
		}
		set = strconv.FormatInt(until.UnixMicro(), 10)
		return tx.Settings.Set(backupUntil, set)
	})
	switch {
	case err == nil:
		h.set, h.until = set, until
	case !errors.Is(err, fault.Unreachable) || !now.Before(h.until):
		return fmt.Errorf("keep content from being removed: %w", err)
	}
	return nil
}

// end lets go, unless another backup has set its own.
func (h *hold) end(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	return h.cat.Update(ctx, func(tx *catalog.Tx) error {
		there, err := setting(tx, backupUntil)
		if err != nil || there != h.set {
			return err
		}
		return tx.Settings.Set(backupUntil, "")
	})
}
