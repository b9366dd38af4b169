package node

import (
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// clockSlack is how far our clock and a server's may be apart before the server's counts: its
// documents run out by its clock.
const clockSlack = 5 * time.Minute

// maxDenials bounds what is remembered of one server; what can be forgotten soonest goes first.
const maxDenials = 10_000

// authority is what the node knows of one server's word: what it has taken back, and
// what time it is there. It is shared by all items of that server and outlives them.
type authority struct {
	server peer.ID
	path   string // of its file
	clock  func() time.Time
	log    *slog.Logger

	mu       sync.Mutex                    // guards the fields below
	floor    time.Time                     // the newest Issued of any document: it is not earlier than that
	offset   time.Duration                 // of the server's clock before ours; 0 when they agree
	measured time.Time                     // when offset was, by our clock
	denials  map[content.Hash]signedDenial // by ID
	guards   map[*guard]struct{}
	dirty    bool // the file is behind
	saving   sync.Mutex
}

// graceTime is until a denial that has just come counts: it is passed on over the very connections that it ends.
const graceTime = 300 * time.Millisecond

// signedDenial is a denial with the document it stands in.
type signedDenial struct {
	capability.Denial
	doc  []byte
	came time.Time // zero: before this run
}

// authorityFile is its form on disk.
type authorityFile struct {
	Version  int       `json:"version"`
	Floor    time.Time `json:"floor,omitzero"`
	Offset   int64     `json:"offset,omitempty"` // seconds
	Measured time.Time `json:"measured,omitzero"`
	Denials  [][]byte  `json:"denials,omitempty"`
}

// authority returns what is known of a server, from its file the first time.
func (n *Node) authority(server peer.ID) *authority {
	n.servers.mu.Lock()
	defer n.servers.mu.Unlock()
	if a := n.servers.list[server]; a != nil {
		return a
	}
	a := &authority{
		server: server, path: filepath.Join(n.cfg.StateDir, "servers", server.String()+".json"),
		clock: n.clock, log: n.log, denials: map[content.Hash]signedDenial{}, guards: map[*guard]struct{}{},
	}
	if err := a.load(); err != nil { // it is learned again
		n.log.Warn("what is known of a server", "server", server.Short(), "err", err)
	}
	if n.servers.list == nil {
		n.servers.list = map[peer.ID]*authority{}
	}
	n.servers.list[server] = a
	return a
}

// load takes over what the file has; none is no error. Every document is checked again.
func (a *authority) load() error {
	data, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fileFault(err)
	}
	var f authorityFile
	if err := json.Unmarshal(data, &f); err != nil || f.Version != 1 {
		return fault.Errorf(fault.Invalid, "%s is damaged or of a newer tandem", a.path)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.Floor.After(a.floor) {
		a.floor = f.Floor
	}
	// A clock that was set back since has been put right: what was measured holds no more.
	if f.Measured.After(a.measured) && !a.clock().Before(f.Measured) {
		a.offset, a.measured = time.Duration(f.Offset)*time.Second, f.Measured
	}
	for _, doc := range f.Denials[:min(len(f.Denials), maxDenials)] {
		a.add(doc, time.Time{})
	}
	return nil
}

// save writes the file if it is behind, together with what another process of this state folder put there.
func (a *authority) save() {
	a.saving.Lock()
	defer a.saving.Unlock()
	a.mu.Lock()
	dirty := a.dirty
	a.dirty = false
	a.mu.Unlock()
	if !dirty {
		return
	}
	if err := a.load(); err != nil {
		a.log.Warn("what is known of a server", "server", a.server.Short(), "err", err)
	}
	a.mu.Lock()
	f := authorityFile{Version: 1, Floor: a.floor, Offset: int64(a.offset / time.Second), Measured: a.measured}
	for _, d := range a.denials {
		f.Denials = append(f.Denials, d.doc)
	}
	a.mu.Unlock()
	data, err := json.Marshal(f)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(a.path), 0o700)
	}
	if err == nil {
		err = writeFile(a.path, append(data, '\n'), 0o600)
	}
	if err != nil {
		a.log.Error("save what is known of a server", "err", fileFault(err))
	}
}

// now is the time by the server's clock, as far as is known.
func (a *authority) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.time()
}

func (a *authority) time() time.Time {
	t := a.clock().Add(a.offset)
	if t.Before(a.floor) {
		return a.floor
	}
	return t
}

// tell says what the server's clock showed just now.
func (a *authority) tell(server time.Time) {
	if server.IsZero() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock()
	offset := server.Sub(now).Round(time.Second)
	if offset.Abs() <= clockSlack {
		offset = 0
	}
	if (offset - a.offset).Abs() > time.Minute {
		a.dirty = true
	}
	a.offset, a.measured = offset, now
}

// reaches says that the server signed something at that time: it is not earlier now.
func (a *authority) reaches(issued time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if issued.After(a.floor) {
		a.dirty = a.dirty || issued.Sub(a.floor) > time.Minute
		a.floor = issued
	}
}

// take accepts a document that somebody passed on: a denial that is new is told to every guard. It reports
// whether the document was really the server's.
func (a *authority) take(doc []byte) (any, error) {
	if len(doc) > capability.MaxSize {
		return nil, fault.Errorf(fault.Invalid, "document of %d bytes", len(doc))
	}
	v, err := capability.Parse(doc, a.server)
	if err != nil {
		return nil, err
	}
	switch d := v.(type) {
	case capability.Capability:
		a.reaches(d.Issued)
	case capability.Denial:
		a.reaches(d.Issued)
		a.mu.Lock()
		added := a.add(doc, time.Now())
		if added {
			a.dirty = true
			for g := range a.guards {
				g.told(doc)
			}
		}
		a.mu.Unlock()
	}
	return v, nil
}

// add keeps a denial, unless it is kept already or can be forgotten. a.mu is held.
func (a *authority) add(doc []byte, came time.Time) bool {
	v, err := capability.Parse(doc, a.server)
	d, ok := v.(capability.Denial)
	if err != nil || !ok {
		return false
	}
	id := capability.ID(doc)
	if _, known := a.denials[id]; known || !d.NotAfter.After(a.time()) {
		return false
	}
	for len(a.denials) >= maxDenials {
		var first content.Hash
		for k, e := range a.denials {
			if first.IsZero() || e.NotAfter.Before(a.denials[first].NotAfter) {
				first = k
			}
		}
		delete(a.denials, first)
	}
	a.denials[id] = signedDenial{d, slices.Clone(doc), came}
	return true
}

// of yields the denials of a source, and forgets those that can deny nothing any more.
func (a *authority) of(source capability.Source) iter.Seq[capability.Denial] {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []capability.Denial
	gone := a.time().Add(-clockSlack)
	for id, d := range a.denials {
		switch {
		case d.NotAfter.Before(gone):
			delete(a.denials, id)
			a.dirty = true
		case d.Source == source && time.Since(d.came) >= graceTime:
			list = append(list, d.Denial)
		}
	}
	return slices.Values(list)
}

// documents returns the newest denials, at most that many, the oldest first.
func (a *authority) documents(most int) [][]byte {
	a.mu.Lock()
	list := slices.Collect(maps.Values(a.denials))
	a.mu.Unlock()
	slices.SortFunc(list, func(x, y signedDenial) int { return x.Issued.Compare(y.Issued) })
	var docs [][]byte
	for _, d := range list[max(0, len(list)-most):] {
		docs = append(docs, d.doc)
	}
	return docs
}
