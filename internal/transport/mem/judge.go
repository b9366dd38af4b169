package mem

import (
	"crypto/subtle"

	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// papers are the documents shown on a connection, nil where none were asked for.
type papers struct{ client, server []byte }

// judge checks what the handshakes of the other drivers prove.
func (l *listener) judge(from *Host, to transport.Target) (papers, error) {
	switch {
	case to.Audience != peer.Public:
		return l.judgeLink(from, to)
	case to.MSE:
		for key := range l.shares.PublicKeys() {
			if key == to.Key {
				return papers{}, nil
			}
		}
		return papers{}, fault.Errorf(fault.Refused, "peer does not share this")
	}
	return papers{}, nil
}

// judgeLink does what tlspeer does on both sides, in its order.
func (l *listener) judgeLink(from *Host, to transport.Target) (papers, error) {
	client, server := from.ID(), l.host.ID()
	if !to.Want.IsZero() && to.Want != server {
		return papers{}, fault.Errorf(fault.Refused, "peer is %s, want %s", server.Short(), to.Want.Short())
	}
	if client == server {
		return papers{}, fault.Errorf(fault.Refused, "the other side is this node")
	}
	share, ok := l.shares.Share(to.Key)
	if !ok || !share.Sound() || share.Audience != to.Audience || subtle.ConstantTimeCompare(share.Secret[:], to.Secret[:]) != 1 {
		return papers{}, transport.NotShared.Err(to.Audience)
	}
	var p papers
	var shown []byte
	if to.Guard != nil {
		shown = clone(to.Guard.Present())
	}
	if say, err := share.Judge(client, to.Guard != nil, shown); err != nil {
		return papers{}, say.Err(to.Audience)
	}
	if share.Guard != nil {
		p.client = shown
	}
	if to.Guard == nil {
		return p, nil
	}
	if p.server = []byte{}; share.Guard != nil {
		p.server = clone(share.Guard.Present())
	}
	if err := to.Guard.Check(server, p.server); err != nil {
		return papers{}, fault.Errorf(fault.Refused, "peer %s: %w", server.Short(), err)
	}
	return p, nil
}

// clone is never nil: a document was asked for, even if there is none.
func clone(doc []byte) []byte { return append([]byte{}, doc...) }
