package node

import (
	"encoding/hex"
	"time"

	"tandem/internal/fault"
	"tandem/internal/transfer"
)

// Kinds of items.
const (
	KindShare  = "share"
	KindGet    = "get"
	KindSeed   = "seed"
	KindRepair = "repair"
)

// Snapshot is an item as people and scripts see it. Names in it come from
// peers and torrents: escape control characters before printing them.
type Snapshot struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Audience   string    `json:"audience"`
	State      string    `json:"state"` // as transfer.State
	Path       string    `json:"path,omitempty"`
	Link       string    `json:"link,omitempty"` // only where one item is asked for
	InfoHash1  string    `json:"infohash_v1,omitempty"`
	InfoHash2  string    `json:"infohash_v2,omitempty"`
	Bytes      int64     `json:"bytes"` // verified, of Total
	Total      int64     `json:"total"`
	Pieces     int       `json:"pieces"` // verified, of Wanted
	Wanted     int       `json:"wanted"`
	Rate       float64   `json:"rate"` // bytes per second coming in
	UpRate     float64   `json:"up_rate"`
	FromPeers  int64     `json:"from_peers"`
	FromOrigin int64     `json:"from_origin"`
	Uploaded   int64     `json:"uploaded"`
	Wasted     int64     `json:"wasted"`
	Copies     float64   `json:"copies"`
	Limit      string    `json:"limit,omitempty"` // the limit that binds, in words
	Error      string    `json:"error,omitempty"`
	ErrorKind  string    `json:"error_kind,omitempty"`
	Started    time.Time `json:"started"`
	Completed  time.Time `json:"completed,omitzero"`

	Peers   []PeerSnapshot    `json:"peers,omitempty"`
	Sources map[string]int64  `json:"sources,omitempty"` // bytes taken, by peer
	Sinks   map[string]int64  `json:"sinks,omitempty"`   // bytes given, by peer
	Finders map[string]string `json:"finders,omitempty"`
}

// PeerSnapshot is one connection.
type PeerSnapshot struct {
	Name     string  `json:"name"`
	Addr     string  `json:"addr"`
	Path     string  `json:"path"`
	Client   string  `json:"client,omitempty"`
	Down     int64   `json:"down"`
	Up       int64   `json:"up"`
	DownRate float64 `json:"down_rate"`
	UpRate   float64 `json:"up_rate"`
	Pieces   int     `json:"pieces"`
	Seeder   bool    `json:"seeder,omitempty"`
}

// Status returns a snapshot of it.
func (it *Item) Status() Snapshot {
	it.mu.Lock()
	t, st, err := it.t, it.last, it.err
	s := Snapshot{
		ID: it.id, Kind: it.kind, Name: it.name, Audience: it.audience.String(), Path: it.path,
		Link: it.link, Started: it.started, State: string(transfer.Checking),
	}
	it.mu.Unlock()
	ended := isClosed(it.done)
	if t == nil && !ended {
		return s
	}
	if !ended {
		st = t.Status()
	}
	s.fill(st)
	if err == nil {
		err = st.Err
	}
	if err != nil {
		s.Error, s.ErrorKind = err.Error(), fault.KindOf(err).String()
	}
	switch {
	case ended && err != nil:
		s.State = string(transfer.Failed)
	case ended:
		s.State = string(transfer.Stopped)
	}
	return s
}

// fill takes over what the transfer knows.
func (s *Snapshot) fill(st transfer.Status) {
	s.State = string(st.State)
	if st.Name != "" {
		s.Name = st.Name
	}
	if st.Torrent != nil {
		m := st.Torrent.Manifest
		if m.HasV1 {
			s.InfoHash1 = hex.EncodeToString(m.InfoHash1[:])
		}
		if m.HasV2 {
			s.InfoHash2 = hex.EncodeToString(m.InfoHash2[:])
		}
	}
	if !st.Started.IsZero() {
		s.Started = st.Started
	}
	s.Completed = st.Completed
	s.Bytes, s.Total = st.Swarm.Bytes, st.Swarm.Total
	s.Pieces, s.Wanted = st.Swarm.Have, st.Swarm.Wanted
	s.Rate, s.UpRate = st.Swarm.DownRate, st.Swarm.UpRate
	s.FromPeers, s.FromOrigin, s.Wasted = st.FromPeers, st.FromOrigin, st.Swarm.Wasted
	s.Copies, s.Limit = st.Swarm.Copies, st.Limit
	s.Sources, s.Sinks, s.Finders = st.Sources, st.Sinks, st.Finders
	for _, n := range st.Sinks {
		s.Uploaded += n
	}
	for _, p := range st.Peers {
		s.Peers = append(s.Peers, PeerSnapshot{
			Name: p.Key.String(), Addr: p.Addr.String(), Path: string(p.Path), Client: p.Client,
			Down: p.Down, Up: p.Up, DownRate: p.DownRate, UpRate: p.UpRate, Pieces: p.Pieces,
			Seeder: st.Swarm.Pieces > 0 && p.Pieces == st.Swarm.Pieces,
		})
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
