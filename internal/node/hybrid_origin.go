package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/origin/client"
	"tandem/internal/transfer"
)

// source is a server as the engine sees it: what stands behind a session.
type source struct{ s *session }

var _ transfer.Origin = (*source)(nil)

// Name implements transfer.Origin.
func (o *source) Name() string { return o.s.at.host() }

// Near implements transfer.Origin.
func (o *source) Near() bool {
	a := o.s.at.c.Ends().Server
	return a.IsValid() && o.s.n.near(a)
}

// Torrent implements transfer.Origin.
func (o *source) Torrent(ctx context.Context) (*metainfo.Torrent, error) { return o.s.metadata(ctx) }

// Open implements transfer.Origin.
func (o *source) Open(ctx context.Context, span transfer.Span) (*transfer.Stream, error) {
	s := o.s
	if t := s.metainfo(); t != nil {
		s.learn(t)
	}
	m := s.manifest()
	if m == nil || span.File < 0 || span.File >= len(m.Files) {
		return nil, fault.Errorf(fault.Invalid, "file %d is not known", span.File)
	}
	f, path := m.Files[span.File], s.at.path
	if !m.Single {
		path = strings.TrimPrefix(path+"/"+FilePath(m, span.File), "/")
	}
	r := client.Range{Path: path, Off: span.Off, Len: span.Len, Size: f.Length, First: span.First, Last: span.Last}
	if s.via != transfer.ViaServer {
		r.Node, r.Share = s.n.ID().String(), hex.EncodeToString(s.hash[:])
	}
	if m.HasV2 && !f.Root.IsZero() {
		r.Root = hex.EncodeToString(f.Root[:])
	}
	in, err := s.at.tree.Content(ctx, r)
	var away *client.Elsewhere
	switch {
	case errors.As(err, &away):
		return nil, s.elsewhere(away, m)
	case err != nil:
		return nil, s.refused(err)
	}
	return &transfer.Stream{ReadCloser: in, Sequential: in.Sequential}, nil
}

// elsewhere reads the server's answer that others are to be asked.
func (s *session) elsewhere(e *client.Elsewhere, m *content.Manifest) *transfer.Elsewhere {
	out := &transfer.Elsewhere{Peers: s.n.dialable(s.at, e.Addrs()), After: e.Pause()}
	if len(e.Taken) > 0 {
		if b, ok := content.ParseBitfield(e.Taken, m.NumPieces()); ok {
			out.Taken = b
		}
	}
	return out
}

// refused gives a failure of the data path its kind, and has the server asked what is the matter.
func (s *session) refused(err error) error {
	select {
	case s.poke <- struct{}{}:
	default:
	}
	s.mu.Lock()
	upload := s.upload
	s.mu.Unlock()
	if upload && errors.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Busy, fmt.Errorf("it is still being uploaded: %w", err))
	}
	return originFault(err)
}

// originFault gives a failure of a call the kind that transfer.Origin knows.
func originFault(err error) error {
	switch kind := fault.KindOf(err); kind {
	case fault.Changed, fault.Gone, fault.Permission, fault.Unauthenticated,
		fault.Unreachable, fault.Timeout, fault.Busy, fault.Protocol, fault.Closed:
		return err
	case fault.Precondition:
		return fault.Wrap(fault.Changed, err)
	case fault.NotFound:
		if problemOf(err) == nil { // its name, not the share
			return fault.Wrap(fault.Unreachable, err)
		}
		return fault.Wrap(fault.Gone, err)
	case fault.Refused: // its certificate
		return fault.Wrap(fault.Permission, err)
	}
	return fault.Wrap(fault.Busy, err)
}

// problemOf returns the server's own account of a failure; nil: it said nothing.
func problemOf(err error) *client.Problem {
	var p *client.Problem
	if !errors.As(err, &p) {
		return nil
	}
	return p
}

// metainfo returns what the transfer has got from elsewhere.
func (s *session) metainfo() *metainfo.Torrent {
	s.mu.Lock()
	t, it := s.torrent, s.it
	s.mu.Unlock()
	if t != nil || it == nil {
		return nil
	}
	it.mu.Lock()
	run := it.t
	it.mu.Unlock()
	if run == nil {
		return nil
	}
	return run.Status().Torrent
}

// manifest returns what is known of the content; nil: nothing.
func (s *session) manifest() *content.Manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torrent == nil {
		return nil
	}
	return s.torrent.Manifest
}
