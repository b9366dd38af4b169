// Package portmap asks the router to let the outside in: UPnP and NAT-PMP.
package portmap

import (
	"context"
	"log/slog"
	"net/netip"
)

// Options of a Mapper. The zero value is good.
type Options struct {
	Log      *slog.Logger // nil: none
	OnChange func(Status) // called when the status changes; must not block; may be nil
}

// Status says how far a mapping has come.
type Status struct {
	Mapped   bool
	External netip.AddrPort // as the outside sees us; zero when unknown
	Text     string         // for people: "no router answered", "mapped by UPnP ..."
}

// Mapper keeps port mappings on the router.
type Mapper struct{}

// New returns a Mapper that is silent until Map.
func New(o Options) *Mapper { panic("coming") }

// Map keeps port open on the router, TCP and UDP, until ctx ends, and removes
// the mappings then (within two seconds). It blocks, and is harmless when
// there is no router: Status says what happened.
func (m *Mapper) Map(ctx context.Context, port uint16) { panic("coming") }

// Status returns the present state.
func (m *Mapper) Status() Status { panic("coming") }
