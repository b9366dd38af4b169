// Package lan finds peers on the local network by multicast.
package lan

import (
	"context"
	"iter"
	"log/slog"

	"tandem/internal/discover"
)

// Options of a LAN. The zero value is good.
type Options struct {
	Log *slog.Logger // nil: none
}

// LAN announces swarms on the local network. It is a discover.Finder.
type LAN struct{}

// New returns a LAN that is silent until the first Join.
func New(o Options) *LAN { panic("coming") }

// Join implements discover.Finder.
func (l *LAN) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] { panic("coming") }

// Name implements discover.Finder.
func (l *LAN) Name() string { return "lan" }

// Err implements discover.Finder.
func (l *LAN) Err() error { panic("coming") }

// Close implements discover.Finder.
func (l *LAN) Close() error { panic("coming") }
