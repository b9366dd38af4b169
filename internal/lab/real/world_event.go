package real

import (
	"encoding/json"
	"maps"
	"slices"
)

// event is a line that a command prints with --json, as far as the lab reads it. The names
// are a contract of the command line.
type event struct {
	Event      string           `json:"event"` // listening, ready, serving, progress, complete, missing, error
	Node       string           `json:"node"`
	Addr       string           `json:"addr"`
	Link       string           `json:"link"`
	URL        string           `json:"url"`
	Bytes      int64            `json:"bytes"`
	Rate       float64          `json:"rate"`
	FromPeers  int64            `json:"from_peers"`
	FromOrigin int64            `json:"from_origin"`
	Wasted     int64            `json:"wasted"`
	Sources    map[string]int64 `json:"sources"`
	Pieces     []struct {
		First int64 `json:"first"`
		Last  int64 `json:"last"`
	} `json:"pieces"`
	Message string `json:"message"`
}

// What no event says more than: who can have given something to one receiver, and counts
// of bytes, so that sums of them are numbers still.
const (
	maxSources = 1024
	maxBytes   = 1 << 50
)

// parseEvent reads a line. What is no event, or says what cannot be, is not one.
func parseEvent(line []byte) (e event, ok bool) {
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Event == "" {
		return event{}, false
	}
	if e.Rate < 0 || e.Rate > maxBytes || len(e.Sources) > maxSources {
		return event{}, false
	}
	counts := append(slices.Collect(maps.Values(e.Sources)), e.Bytes, e.FromPeers, e.FromOrigin, e.Wasted)
	for _, p := range e.Pieces {
		counts = append(counts, p.First, p.Last)
	}
	if slices.Min(counts) < 0 || slices.Max(counts) > maxBytes {
		return event{}, false
	}
	return e, true
}

// fetched is what has come in this session, from whomever.
func (e *event) fetched() int64 { return e.FromPeers + e.FromOrigin }

// lacking is how many pieces a missing event names.
func (e *event) lacking() int64 {
	n := int64(0)
	for _, p := range e.Pieces {
		n += max(p.Last-p.First+1, 0)
	}
	return n
}
