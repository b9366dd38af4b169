package transfer

import (
	"maps"

	"tandem/internal/metainfo"
	"tandem/internal/swarm"
)

// Status returns a snapshot. It never waits for the network or the disk.
func (t *Transfer) Status() Status {
	if s := t.final.Load(); s != nil {
		return *s
	}
	if !t.running.Load() {
		return Status{State: Metadata, Torrent: t.cfg.Torrent, Name: nameOf(t.cfg.Torrent)}
	}
	reply := make(chan Status, 1)
	if t.mail.put(event{kind: evStatus, body: reply}) {
		return <-reply // the owner answers, or discard does
	}
	return *t.final.Load() // stored before the mailbox was closed
}

func nameOf(tor *metainfo.Torrent) string {
	if tor == nil {
		return ""
	}
	return tor.Manifest.Name
}

// snapshot is Status for the owner.
func (t *Transfer) snapshot() Status {
	tor := t.torrent
	if tor == nil {
		tor = t.cfg.Torrent
	}
	s := Status{
		State: t.state(), Name: nameOf(tor), Torrent: t.torrent, Swarm: t.stats(),
		FromPeers: t.fromPeers, FromLAN: t.fromLAN, FromOrigin: t.fromOrigin, Origins: t.originStatuses(),
		Sources: maps.Clone(t.sources), Sinks: maps.Clone(t.sinks),
		Finders: map[string]string{}, Started: t.started, Completed: t.complete, Limit: t.limits.say(t), Err: t.err,
		Best: t.best(), Refusal: t.refusal,
	}
	if t.sw != nil && !t.done() && !t.answering() {
		s.Lost = t.sw.Lost()
	}
	if t.paused {
		s.Err = t.fullErr
	}
	byID := make(map[swarm.ConnID]swarm.ConnStats, len(s.Swarm.Conns))
	for _, c := range s.Swarm.Conns {
		byID[c.Conn] = c
	}
	for _, c := range t.conns {
		st, ok := byID[c.id]
		if !ok {
			st = swarm.ConnStats{Conn: c.id, Key: c.key}
		}
		s.Peers = append(s.Peers, PeerStatus{ConnStats: st, Addr: c.nc.Remote(), Path: c.nc.Path(), Client: c.client})
		credit(s.Sources, c.name(), c.accepted)
		credit(s.Sinks, c.name(), c.sentTo)
	}
	for _, n := range s.Sinks {
		s.ToPeers += n
	}
	for _, f := range t.cfg.Finders {
		s.Finders[f.Name()] = "ok"
		if err := f.Err(); err != nil {
			s.Finders[f.Name()] = err.Error()
		}
	}
	return s
}

// state says where the transfer stands.
func (t *Transfer) state() State {
	switch {
	case t.err != nil:
		return Failed
	case t.torrent == nil && t.cfg.Torrent == nil:
		return Metadata
	case t.paused:
		return Paused
	case t.isComplete():
		return Seeding
	case t.sw == nil, t.checking != nil && t.fromPeers+t.fromOrigin == 0:
		return Checking
	}
	return Downloading
}
