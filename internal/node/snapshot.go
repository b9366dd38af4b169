package node

import (
	"encoding/hex"
	"time"

	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transfer"
)

// Kinds of items.
const (
	KindShare  = "share"
	KindGet    = "get"
	KindSeed   = "seed"
	KindRepair = "repair"
	KindKeep   = "keep"  // of a promise
	KindOffer  = "offer" // of room; what is kept are items of their own
)

// StateOffered is the state of an offer that stands; all others have those of package transfer.
const StateOffered = "offered"

// Snapshot is an item as people and scripts see it. Names in it come from
// peers and torrents: escape control characters before printing them.
type Snapshot struct {
	ID         string  `json:"id"`
	Kind       string  `json:"kind"`
	Name       string  `json:"name"`
	Audience   string  `json:"audience"`
	State      string  `json:"state"` // as transfer.State
	Path       string  `json:"path,omitempty"`
	Link       string  `json:"link,omitempty"` // only where one item is asked for
	InfoHash1  string  `json:"infohash_v1,omitempty"`
	InfoHash2  string  `json:"infohash_v2,omitempty"`
	Bytes      int64   `json:"bytes"` // verified, of Total
	Total      int64   `json:"total"`
	Pieces     int     `json:"pieces"` // verified, of Wanted
	Wanted     int     `json:"wanted"`
	Rate       float64 `json:"rate"` // bytes per second coming in
	UpRate     float64 `json:"up_rate"`
	FromPeers  int64   `json:"from_peers"` // payload bytes, FromLAN included
	FromLAN    int64   `json:"from_lan"`
	FromOrigin int64   `json:"from_origin"`
	FromServer int64   `json:"from_server"` // the same
	ToPeers    int64   `json:"to_peers"`
	Uploaded   int64   `json:"uploaded"`
	Wasted     int64   `json:"wasted"`
	Copies     float64 `json:"copies"`
	Limit      string  `json:"limit,omitempty"`  // the limit that binds, in words
	Best       float64 `json:"best,omitempty"`   // part of the best possible rate, 0 to 1; 0: not known
	Via        string  `json:"via,omitempty"`    // as transfer.Via, of what has a server
	Server     string  `json:"server,omitempty"` // host of the server that shares it
	// Notice says what a user should know of the server: that it is away, has a newer version, or
	// that our permission has ended. Empty: all is well.
	Notice    string        `json:"notice,omitempty"`
	Holders   int           `json:"holders,omitempty"` // live copies besides the server's, as it says
	Until     time.Time     `json:"until,omitzero"`    // of a promise
	Upload    *UploadStatus `json:"upload,omitempty"`  // to the server, of a share that has one
	Offer     *OfferStatus  `json:"offer,omitempty"`   // of kind offer
	Error     string        `json:"error,omitempty"`
	ErrorKind string        `json:"error_kind,omitempty"`
	Started   time.Time     `json:"started"`
	Completed time.Time     `json:"completed,omitzero"`

	Peers   []PeerSnapshot    `json:"peers,omitempty"`
	Origins []OriginSnapshot  `json:"origins,omitempty"`
	Lost    []LostSnapshot    `json:"lost,omitempty"`    // pieces that nobody we know has
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

// OriginSnapshot is one server as a source.
type OriginSnapshot struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	State string `json:"state"` // as transfer.OriginStatus
	Error string `json:"error,omitempty"`
}

// LostSnapshot is a run of pieces that nobody we know has.
type LostSnapshot struct {
	First  int       `json:"first"`
	Last   int       `json:"last"`
	Holder string    `json:"holder,omitempty"` // who had them last
	Since  time.Time `json:"since,omitzero"`   // when that one left
}

// UploadStatus is how far a share has come to its server.
type UploadStatus struct {
	Total int64  `json:"total"` // bytes; grows while a folder is read
	Done  int64  `json:"done"`
	State string `json:"state"` // "sending", "waiting" (and trying again), "stored", "failed"
	Error string `json:"error,omitempty"`
}

// OfferStatus is what a server makes of an offer.
type OfferStatus struct {
	Space int64  `json:"space"`
	Used  int64  `json:"used"`
	Kept  int    `json:"kept"`  // shares
	State string `json:"state"` // "offered", "unreachable", "refused"
}

// Status returns a snapshot of it.
func (it *Item) Status() Snapshot {
	it.mu.Lock()
	t, st, err := it.t, it.last, it.err
	s := Snapshot{
		ID: it.id, Kind: it.kind, Name: it.name, Audience: it.audience.String(), Path: it.path,
		Link: it.link, Started: it.started, State: string(transfer.Checking), Until: it.until,
	}
	if it.upload != nil {
		up := *it.upload
		s.Upload = &up
	}
	if it.offer != nil {
		offer := *it.offer
		s.Offer, s.State, s.Server = &offer, StateOffered, it.server
	}
	if it.session != nil {
		it.session.tell(&s)
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
	s.FromPeers, s.FromLAN, s.FromOrigin, s.ToPeers = st.FromPeers, st.FromLAN, st.FromOrigin, st.ToPeers
	s.Wasted, s.Copies, s.Limit, s.Best = st.Swarm.Wasted, st.Swarm.Copies, st.Limit, st.Best
	s.FromServer = s.FromOrigin
	s.sources(st)
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

// sources takes over what is known of servers and of what nobody has.
func (s *Snapshot) sources(st transfer.Status) {
	for _, o := range st.Origins {
		text := ""
		if o.Err != nil {
			text = o.Err.Error()
		}
		s.Origins = append(s.Origins, OriginSnapshot{o.Name, o.Bytes, o.State, text})
	}
	for _, l := range st.Lost {
		out := LostSnapshot{First: l.First, Last: l.Last, Since: l.Since}
		if l.Holder != (peer.Key{}) {
			out.Holder = l.Holder.String()
		}
		s.Lost = append(s.Lost, out)
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
